#!/usr/bin/env bash
# Documentation, warnings denied.
set -euo pipefail
RUSTDOCFLAGS="-D warnings" cargo doc --no-deps
