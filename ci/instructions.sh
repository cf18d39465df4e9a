#!/usr/bin/env bash
# How many instructions each fast path takes, beside what benches/instructions.txt remembers; more than 3 % off is a failure, in
# either direction: what has become cheaper is to be remembered, too.
# ci/instructions.sh            compare
# ci/instructions.sh --update   remember
# Counted under valgrind, which has no vDSO: asking for the CPU is a system call there, and counts as one instruction.
set -euo pipefail
cd "$(dirname "$0")/.."
kept=benches/instructions.txt
if ! command -v valgrind >/dev/null || ! command -v callgrind_annotate >/dev/null; then
  echo "there is no valgrind here: nothing was counted"
  exit 0
fi
program=$(cargo bench --bench instructions --no-run 2>&1 | sed -n 's/.*Executable.*(\(.*\))$/\1/p')
if [ -z "$program" ]; then
  cargo bench --bench instructions --no-run
  exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if ! valgrind --tool=callgrind --callgrind-out-file="$work/calls" "$program" >"$work/told" 2>"$work/errors"; then
  cat "$work/errors"
  exit 1
fi
turns=$(sed -n 's/^turns //p' "$work/told")
callgrind_annotate --auto=no --inclusive=yes --threshold=100 "$work/calls" >"$work/annotated"
# "12,345 (0.1%)  …/benches/instructions.rs:instructions::lock_acquire […]" is everything below that function.
sed -n 's/^ *\([0-9,]*\) .*benches\/instructions\.rs:instructions::\([a-z0-9_]*\).*/\2 \1/p' "$work/annotated" |
  awk -v turns="$turns" '$1 != "main" { gsub(",", "", $2); printf "%s %.0f\n", $1, $2 / turns }' | sort >"$work/counted"
ran=$(sed -n 's/^ran //p' "$work/told" | sort)
if [ "$(cut -d' ' -f1 "$work/counted")" != "$ran" ]; then
  echo "some were not counted:"
  diff <(cut -d' ' -f1 "$work/counted") <(echo "$ran") || true
  exit 1
fi

rust=$(rustc --version)
if [ "${1:-}" = --update ]; then
  {
    echo "# Instructions of each fast path, by ci/instructions.sh --update; $rust"
    cat "$work/counted"
  } >"$kept"
  cat "$kept"
  exit 0
fi
if ! grep -qF "$rust" "$kept"; then
  echo "the kept figures are of another compiler: $(head -n 1 "$kept")"
fi
awk '
  /^#/ { next }
  NR == FNR { old[$1] = $2; next }
  {
    if (!($1 in old)) { printf "%-34s %8s %8d  new\n", $1, "-", $2; off++; next }
    change = old[$1] ? 100 * ($2 - old[$1]) / old[$1] : 0
    # Of a few instructions one is not a change.
    is_off = (change > 3 || change < -3) && ($2 - old[$1] > 1 || old[$1] - $2 > 1)
    printf "%-34s %8d %8d  %+.1f %%%s\n", $1, old[$1], $2, change, is_off ? "  <--" : ""
    off += is_off
    delete old[$1]
  }
  END {
    for (name in old) { printf "%-34s %8d %8s  gone\n", name, old[name], "-"; off++ }
    if (off) { printf "%d not as remembered: ci/instructions.sh --update, if that is meant\n", off; exit 1 }
  }' "$kept" "$work/counted"
