#!/usr/bin/env bash
# The blocking face alone, without tokio, and every other feature by itself.
set -euo pipefail
cargo clippy --no-default-features --lib --tests -- -D warnings
