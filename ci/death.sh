#!/usr/bin/env bash
# Processes killed and stopped at a sample of the instructions of each operation, and the bugs that this must catch.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo test --release --test death -- --nocapture
