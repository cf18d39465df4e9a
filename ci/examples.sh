#!/usr/bin/env bash
# Every example, held to what it must print. Process numbers become N; where processes print side by side
# (NAME.any-order.txt) the order of lines is free.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --examples
failed=0
# That one is held to the program it is named after.
of_grep=$(mktemp)
trap 'rm -f "$of_grep"' EXIT
grep -rn "fn main" tests/compile | LC_ALL=C sort >"$of_grep"
for source in examples/*.rs; do
  name=$(basename "$source" .rs)
  sorted=cat
  expected=examples/expected/$name.txt
  if [ -f "examples/expected/$name.any-order.txt" ]; then
    sorted=sort
    expected=examples/expected/$name.any-order.txt
  fi
  [ "$name" = grep ] && expected=$of_grep
  [ "$name" = wordcount ] && continue   # tests/wordcount.rs holds it to other programs
  [ "$name" = http_server ] && continue # ci/prefork.sh holds it to its load
  if ! printed=$(timeout 120 "${CARGO_TARGET_DIR:-target}/release/examples/$name" </dev/null); then
    echo "examples/$name: it failed"
    failed=1
    continue
  fi
  if diff <($sorted "$expected") <(printf '%s\n' "$printed" | sed -E 's/pid [0-9]+/pid N/g' | $sorted); then
    echo "examples/$name: ok"
  else
    echo "examples/$name: not what $expected says"
    failed=1
  fi
done
exit $failed
