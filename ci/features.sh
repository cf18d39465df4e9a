#!/usr/bin/env bash
# Every feature by itself, without any (the blocking face alone), and all of them.
# ci/features.sh every: every combination, which takes minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
features=$(sed -n '/^\[features\]/,/^$/s/^\([a-z_]*\) = .*/\1/p' Cargo.toml | grep -v '^default$')
check() {
  echo "features: ${*:-none}"
  cargo clippy -q --lib --tests "$@" -- -D warnings
}
if [ "${1:-}" = every ]; then
  sets=("")
  for feature in $features; do
    for set in "${sets[@]}"; do sets+=("$set$feature "); done
  done
  for set in "${sets[@]}"; do check --no-default-features --features "$set"; done
  echo "features: ${#sets[@]} combinations build"
  exit
fi
check --no-default-features
check --all-features
for feature in $features; do
  check --no-default-features --features "$feature"
done
