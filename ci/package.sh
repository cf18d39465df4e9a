#!/usr/bin/env bash
# The crate builds from its own tarball.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo package --allow-dirty
