#!/usr/bin/env bash
# Tests that spawn work with nextest as well, which runs each test in a process of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! cargo nextest --version >/dev/null 2>&1; then
  echo "cargo-nextest is not installed here; skipped"
  exit 0
fi
cargo nextest run --test process --test lock
