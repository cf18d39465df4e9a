#!/usr/bin/env bash
# The crate builds from its own tarball.
set -euo pipefail
cargo package --allow-dirty
