#!/usr/bin/env bash
# Tests of tests: with a bug planted, the test that is there for it must fail.
set -euo pipefail
export RUSTFLAGS="--cfg aioprocessing_planted" RUST_BACKTRACE=0
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/planted
tests=()
for file in tests/controls_*.rs; do
  tests+=(--test "$(basename "$file" .rs)")
done
cargo test "${tests[@]}"
