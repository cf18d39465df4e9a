#!/usr/bin/env bash
# Every feature by itself, without any (the blocking face alone), and all of them: tests too, and lints.
# ci/features.sh every: the library in every combination, without a warning. That takes half an hour.
set -euo pipefail
cd "$(dirname "$0")/.."
features=$(sed -n '/^\[features\]/,/^$/s/^\([a-z_]*\) = .*/\1/p' Cargo.toml | grep -v '^default$')
if [ "${1:-}" = every ]; then
  sets=("")
  for feature in $features; do
    for set in "${sets[@]}"; do sets+=("$set$feature "); done
  done
  for set in "${sets[@]}"; do
    echo "features: ${set:-none}"
    CARGO_INCREMENTAL=0 cargo rustc -q --lib --profile check --no-default-features --features "$set" -- -D warnings
  done
  echo "features: ${#sets[@]} combinations build"
  exit
fi
check() {
  echo "features: ${*:-none}"
  cargo clippy -q --lib --tests "$@" -- -D warnings
}
check --no-default-features
check --all-features
for feature in $features; do
  check --no-default-features --features "$feature"
done
