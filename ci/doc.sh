#!/usr/bin/env bash
# Documentation, warnings denied: of the default features, and of all.
set -euo pipefail
cd "$(dirname "$0")/.."
export RUSTDOCFLAGS="-D warnings"
cargo doc --no-deps
cargo doc --no-deps --all-features
