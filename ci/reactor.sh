#!/usr/bin/env bash
# 2,000 messages a second of mixed sizes through the hand-over design, every byte checked, beside a server of one process.
# ci/reactor.sh [SECONDS], 30 by default, or REACTOR_SECONDS.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo bench --bench reactor -- "${1:-${REACTOR_SECONDS:-30}}" 2000
