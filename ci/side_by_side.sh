#!/usr/bin/env bash
# The crate that measures this one beside its peers: lints, and a short run of two cases. Not a step of the gate: to build its
# dependencies takes minutes.
set -euo pipefail
cd "$(dirname "$0")/../benches/side_by_side"
cargo fmt --check
cargo clippy --release --all-targets -- -D warnings
cargo run --release -- --quick --case lock_contended --case round_trip --targets
