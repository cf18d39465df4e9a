#!/usr/bin/env bash
# Every feature by itself, without any (the blocking face alone), and all of them.
set -euo pipefail
features=$(sed -n '/^\[features\]/,/^$/s/^\([a-z_]*\) = .*/\1/p' Cargo.toml | grep -v '^default$')
check() {
  echo "features: ${*:-none}"
  cargo clippy -q --lib --tests "$@" -- -D warnings
}
check --no-default-features
check --all-features
for feature in $features; do
  check --no-default-features --features "$feature"
done
