#!/usr/bin/env bash
# The README's test command: all tests and doc tests.
set -euo pipefail
cargo test
