#!/bin/sh
# Builds with the planted bugs, in a target directory of its own, and runs every control: each must be caught.
# Arguments are handed to cargo in place of `test controls`, for example: ci/controls.sh --test death controls
set -eu
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/planted"
export RUSTFLAGS="${RUSTFLAGS:-} --cfg aioprocessing_planted"
[ $# -gt 0 ] || set -- controls
exec "${CARGO:-cargo}" test --release "$@" -- --nocapture --test-threads=1
