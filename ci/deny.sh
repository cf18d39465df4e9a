#!/usr/bin/env bash
# Licences, duplicate versions and sources of the dependencies, where cargo-deny is installed; deny.toml has the rules.
# ci/deny.sh advisories: known flaws too, for which it fetches RustSec's database.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v cargo-deny >/dev/null; then
  echo "there is no cargo-deny here (cargo install cargo-deny --locked); skipped"
  exit 0
fi
cargo deny check licenses bans sources "$@"
