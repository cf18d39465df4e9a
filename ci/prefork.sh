#!/usr/bin/env bash
# The example `http_server` under wrk: with max_requests at 1,000, first with a reload, when not a single request may fail, then
# with a worker killed every second, too, when none may but those in flight in a killed worker.
# ci/prefork.sh [SECONDS], 30 by default, or PREFORK_SECONDS. Installs wrk (Debian's package) where it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-${PREFORK_SECONDS:-30}}
workers=4
connections=32
if ! command -v wrk >/dev/null; then
  echo "wrk is not installed here: apt-get installs Debian's package of it, on this machine, now"
  apt-get update -qq
  apt-get install -y -qq wrk
fi
cargo build --release --example http_server
address=127.0.0.1:$((20000 + RANDOM % 10000))
"${CARGO_TARGET_DIR:-target}/release/examples/http_server" "$address" "$workers" 1000 &
master=$!
trap 'kill -KILL "$master" 2>/dev/null || true' EXIT

# Its workers, without those that have ended and are about to be reaped.
children() { ps -o pid=,stat= --ppid "$master" | awk '$2 !~ /^Z/ { print $1 }'; }

for _ in $(seq 100); do
  if (exec 3<>"/dev/tcp/${address%:*}/${address#*:}") 2>/dev/null && [ "$(children | wc -l)" -eq "$workers" ]; then break; fi
  sleep 0.1
done

load() { wrk -t2 -c"$connections" -d"$1" --timeout 10s "http://$address/" | tee "$2"; }
# Of "Socket errors: connect 0, read 3, write 0, timeout 0" the count of one kind; 0 if there is no such line.
errors() { sed -n "s/.*$1 \([0-9]*\).*/\1/p" "$2" | grep . || echo 0; }
report=$(mktemp)

quiet=$(( (seconds + 2) / 3 ))
load "$quiet" "$report" &
wrk=$!
sleep $((quiet / 2))
kill -HUP "$master"
wait "$wrk"
if grep -qE 'Socket errors|Non-2xx' "$report"; then
  echo "requests failed though no worker was killed"
  exit 1
fi

kills=0
load "$seconds" "$report" &
wrk=$!
for turn in $(seq $((seconds - 1))); do
  sleep 1
  for victim in $(children); do
    # One that has just left by itself is not there any more.
    if kill -KILL "$victim" 2>/dev/null; then
      kills=$((kills + 1))
      break
    fi
  done
  [ "$turn" -eq $((seconds / 2)) ] && kill -HUP "$master"
done
wait "$wrk"
lost=$(( $(errors read "$report") + $(errors write "$report") ))
echo "$kills workers killed, $lost requests lost with them"
if grep -q 'Non-2xx' "$report" || [ "$(errors connect "$report")" -ne 0 ] || [ "$(errors timeout "$report")" -ne 0 ]; then
  echo "a connection was refused, a request was not answered, or not well"
  exit 1
fi
if [ "$lost" -gt $((kills * connections)) ]; then
  echo "more requests were lost than can have been in flight in killed workers"
  exit 1
fi

# Those that leave have no connections any more: they are gone soon, and the number is right.
for _ in $(seq 100); do
  [ "$(children | wc -l)" -eq "$workers" ] && break
  sleep 0.1
done
count=$(children | wc -l)
kill -TERM "$master"
wait "$master"
trap - EXIT
rm -f "$report"
if [ "$count" -ne "$workers" ]; then
  echo "$count workers at the end, not $workers"
  exit 1
fi
echo "$workers workers at the end, and a clean end by SIGTERM"
