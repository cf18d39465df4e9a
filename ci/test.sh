#!/usr/bin/env bash
# The README's test command: all tests and doc tests. Then those of the other features.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo test
cargo test --all-features --test fixture --test memory_shmem --test queue_types --test trace
cargo test --all-features --doc
