#!/usr/bin/env bash
# Models of the state machines under loom: as they are, and once with each planted bug, which a model must catch.
set -euo pipefail
cd "$(dirname "$0")/.."
export RUSTFLAGS="--cfg aioprocessing_loom --cfg aioprocessing_planted" RUST_BACKTRACE=0
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/loom
cargo test --release --lib model

# bug                                    model that must catch it
while read -r bug model; do
  [ -n "$bug" ] || continue
  if AIOPROCESSING_PLANT=$bug timeout 300 cargo test --release --lib "$model" >/dev/null 2>&1; then
    echo "planted $bug: NOT caught by $model"
    exit 1
  fi
  echo "planted $bug: caught by $model"
done <<'BUGS'
no-fence-when-listing event_set_wakes_a_thread
no-fence-when-waking-all event_set_wakes_a_thread
no-fence-when-waking-one lock_threads
no-fence-behind-a-change commit_of_a_killed_putter
no-second-look-after-listing event_set_wakes_a_thread
no-look-after-listing-with-the-runtime event_set_wakes_two_tasks
a-listed-taker-forgets-the-others lock_threads
a-cancelled-wait-keeps-its-wake-up lock_passes_on
who-waits-is-woken-before-the-permit-is-back semaphore_one_permit
no-fence-when-reading rwlock_a_reader
no-fence-when-writing rwlock_a_reader
no-fence-before-filling-a-box value_is_never
a-box-may-be-current value_box
no-check-for-a-dead-owner killed_with_a_lock
a-wake-up-under-way-is-enough killed_in_a_wait_queue
a-set-is-not-counted killed_while_it_sets
no-look-for-dead-permit-holders killed_with_a_permit
a-commit-publishes-nothing commit_of_a_killed_putter
counted-behind-the-head lease_of_a_killed_finisher
the-head-moves-before-the-count lease_of_a_killed_finisher
nobody-counts-for-the-dead lease_of_a_killed_finisher
who-dies-counting-keeps-the-head lease_of_a_killed_finisher
who-finds-nothing-forgets-what-came-meanwhile lease_of_a_killed_returner
who-still-counts-has-counted lease_of_a_killed_finisher_while
what-the-dead-finished-is-lent lease_of_a_killed_finisher_while
the-dead-have-no-last-word lease_of_a_killed_returner
a-taker-leaves-no-name killed_with_a_task_of_a_pool
no-fence-before-a-quiet-end pool_owner_in_a_hurry
BUGS
