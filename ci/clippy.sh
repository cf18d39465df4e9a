#!/usr/bin/env bash
# Lints, warnings denied.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo clippy --all-targets -- -D warnings
