#!/usr/bin/env bash
# Lints, warnings denied.
set -euo pipefail
cargo clippy --all-targets -- -D warnings
