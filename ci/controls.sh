#!/usr/bin/env bash
# Tests of tests: with a bug planted, the test that is there for it must fail, or hang.
#
# Builds with the planted bugs in a target directory of its own. A line of the table names a bug, the test program (`lib`: the
# library's own tests) and the test. Where a bounded sleep would find what the bug has lost, it is taken away too (a second name), and the test must pass
# without that net alone. The controls of the death suite take its safety nets away as well, so they stand in
# tests/death/controls.rs and run with it.
set -euo pipefail
cd "$(dirname "$0")/.."
export RUSTFLAGS="--cfg aioprocessing_planted" RUST_BACKTRACE=0
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/planted

# With arguments: these tests of that build, as the death suite asks for its own.
if [ $# -gt 0 ]; then
  exec "${CARGO:-cargo}" test --release "$@" -- --nocapture --test-threads=1
fi

table() {
  cat <<'BUGS'
daemon-arms-without-a-last-look       init_late
an-orphan-is-no-child                 init_late
a-status-taken-elsewhere-is-no-end    process_failures case_18_a_foreign
closed-streams-stay-closed            process_failures case_22
sockets-survive-exec                  process_family descriptors_of
blocked-signals-are-inherited         process_family case_27
an-ending-is-forgotten                process case_01
the-leash-is-the-handles              daemon case_16
a-dropped-handle-reaps-nothing        process_family a_child_without
a-spawn-reaps-nothing                 process_family a_child_without
who-never-began-ended-silently        init_missing
who-holds-it-open-has-read-it         init_late
who-has-company-is-alone              init_in_tokio
no-check-for-a-dead-owner             lock case_64
no-second-look-after-listing,an-unbounded-sleep          event case_89
no-look-after-listing-with-the-runtime,an-unbounded-sleep event case_89_no_wake_up_is_lost_between_tasks
a-panic-is-forgotten                  lock case_65
a-held-lock-is-taken                  lock case_73
a-held-lock-is-taken                  lock case_66_d4
a-dropped-wait-stays-listed           lock case_68
a-set-is-not-counted                  event case_91
set-wakes-one,an-unbounded-sleep      event case_92
set-wakes-nobody,an-unbounded-sleep   event case_93
set-takes-a-lock                      event case_94
a-dropped-wait-stays-listed           waiting case_60
naps-do-not-grow                      waiting an_idle_child
no-look-for-dead-permit-holders       semaphore case_77
a-turn-is-taken-for-the-first         once one_runs
releases-at-once-are-not-seen         semaphore case_76_releases
what-is-released-meanwhile-counts-for-nothing semaphore what_was_forgotten
tasks-of-one-process-are-one-owner    rlock d5
tasks-of-one-process-are-one-owner    rlock case_70
no-look-for-dead-readers              rwlock a_killed_reader
no-check-for-a-dead-owner             rwlock who_follows_a_killed_writer
no-check-for-a-dead-owner             values who_follows_a_killed
a-value-is-changed-in-place           values a_large_value
the-dead-are-notified                 condition case_86_p4
who-leaves-stays-counted              condition case_82
who-comes-later-is-notified           condition who_comes_later
a-cancelled-wait-eats-its-notification condition case_87_a_cancelled_wait_gives
the-dead-are-waited-for               barrier case_98
a-cancelled-party-stays-counted       barrier case_99_a_cancelled
who-has-met-is-told-of-what-broke-later barrier case_96_who_has_met
dead-workers-are-not-looked-for       pool_deaths case_139
a-dead-worker-s-task-is-forgotten     pool_deaths case_139
a-taker-leaves-no-name                pool_deaths case_138
the-item-that-died-runs-again         pool_deaths a_death_in_a_chunk
results-are-noted-at-the-end          pool_deaths a_death_in_a_chunk
a-storm-never-ends                    pool_deaths workers_that_die_at_their_start
a-storm-never-ends                    pool_storm a_storm_that_lets_nothing
who-is-full-waits-for-others          pool case_152_results
a-cancelled-task-runs                 pool_deaths case_144
a-limit-is-not-armed                  pool_deaths a_task_that_overruns
a-deadly-item-comes-again-at-once     pool_limits a_task_that_kills
a-look-takes-stops                    process_failures a_look_for
who-has-done-nothing-is-nobody        queue_ends case_46_who
who-is-under-way-is-nobody            queue_ends case_46_a_handle
what-was-put-last-is-not-looked-for   queue_ends case_46_what_was_put_last
a-dead-borrower-keeps-its-item        queue_lease what_a_killed
what-a-task-does-between-steps-is-free waiting a_task_that_works
who-gets-the-cpu-back-late-does-not-learn waiting who_waits_beside
counted-behind-the-head,the-count-is-not-set-right queue_lease items_that_several
a-dead-borrower-keeps-its-item        storm case_165
tasks-wait-for-threads                queue_fairness a_getting
tasks-wait-for-threads                queue_fairness a_putting
the-needed-are-found-before-the-dead  pool_storm results_behind
publish-before-payload                queue case_31
publish-before-payload                queue_deaths case_44
close-beside-the-tail                 queue case_35_a_put
a-left-block-is-not-freed             queue_large a_consumer
a-left-block-is-not-freed             queue_large batches
a-cancelled-put-keeps-its-blocks      queue_tasks case_50_a_cancelled
warnings-without-end                  lib a_flood_of_warnings
who-only-tries-gives-way              lib who_only_tries
pipe-takes-without-a-look             pipe_handles case_112_a_receiver_short
pipe-takes-bytes-alone                pipe_handles case_112_descriptors_among
pipe-warns-of-nothing                 pipe_handles case_112_an_end_in_a_message_async
an-end-is-not-used-before-it-is-sent  pipe_handles case_112_an_end_that_is_used
a-moved-end-forgets-its-warning       pipe_handles case_112_descriptors_that_come_after
one-of-several-blocks-in-its-look     pipe case_107_a_killed_receiver
a-shortage-ends-a-session             manager a_client_short
what-is-refused-ends-a-session        manager a_manager_short
an-item-too-large-ends-a-map          pool an_item_too_large
who-has-no-descriptor-waits-for-ever  pipe_handles case_112_a_sender_short
pipe-keeps-what-it-sent               pipe_handles case_112_an_end_in_a_message
pipe-parts-before-it-sends            pipe_handles case_112_a_failed_send
sockets-survive-exec                  pipe case_107
pipe-waits-after-taking               pipe case_110_a_cancelled
pipe-sends-in-two-parts               pipe case_109
pipe-empty-is-the-end                 pipe case_105
pipe-forgets-what-came-before-a-reset pipe case_106
wait-any-forgets-what-woke-it         wait_any case_111_set
no-sweep                              queue_deaths putters_killed_while
memory-is-promised-and-not-had        memory case_127_too_little
holes-stay                            memory case_127_too_little
a-name-is-enough                      memory case_124_what_others
a-name-is-enough                      memory case_125_unlinking
the-tracker-removes-nothing           memory case_124_a_creators
the-tracker-is-the-users-child        memory case_124_the_tracker
the-tracker-shares-its-creators-group memory case_124_a_creators
a-killed-tracker-stays-dead           memory case_124_a_killed_tracker
any-block-of-the-name-will-do         memory case_125_a_handle_by
an-item-has-any-room                  shareable_list case_128_what_has
zeroes-at-the-end-are-filling         shareable_list case_128_zeroes
a-client-proves-nothing               connection case_115_a_wrong_key
a-silent-client-has-all-the-time      connection case_116
a-close-wakes-nobody                  connection case_118
what-one-leaves-wakes-nobody          connection what_one_accept_leaves_wakes
a-file-is-removed-unseen              connection case_114_the_file
nobody-is-alone-who-replaces          connection case_114_of_several
a-greeting-has-no-bound               connection_hostile a_greeting
stream-forgets-a-left-frame           connection_stream a_sender_leaves
stream-keeps-what-is-too-long         connection_stream case_103
a-drop-leaves-programs                programs nothing_is_left
an-overdue-program-dies-alone         programs a_program_that_overruns
who-holds-the-output-is-waited-for    programs a_grandchild
what-was-not-taken-is-lost            prefork a_worker_that_stops
a-drain-is-a-kill                     prefork a_drain_finishes
nobody-asks-for-answers               prefork a_worker_that_stops
an-abandoned-file-blocks              prefork unix_sockets
a-closed-connection-counts-on         prefork a_worker_has_no_more
one-description-for-all               manager case_159
a-managers-end-is-an-answer           manager case_160_a_manager_is_killed
any-kind-will-do                      manager what_is_asked_for
a-slow-client-holds-all               manager_hostile case_160_a_slow_client
a-busy-client-has-all-turns           manager_hostile case_160_a_busy_client
nonsense-ends-the-server              manager_hostile frames_that_are_none
nonsense-ends-the-server              manager_hostile questions_that_were
references-are-believed               manager_hostile references_that_are_forged
what-is-told-waits-for-an-answer      manager_hostile what_there_was_no_room
a-manager-outlives-its-owner          manager d17
what-one-receives-others-never-hear-of manager_objects d4_threads
objects-outlive-their-holders         manager_objects case_158
what-nobody-got-is-kept               manager_objects an_object_that_nobody_got
a-drop-ends-the-server                manager_custom case_158
nobody-is-told-who-gave-up            manager_waiting who_gives_up
a-notification-ends-with-who-was-to-have-it manager_waiting a_notification_of
what-may-come-back-is-gone            manager_waiting an_item_that_comes_back
who-dies-keeps-what-it-has            manager_waiting case_159
who-dies-keeps-what-it-has            manager_hostile case_159_clients
who-dies-keeps-what-it-has            manager_sync case_159
permits-of-the-dead-are-lost          manager_sync case_159
a-dead-party-is-waited-for            manager_sync case_159
a-worker-is-lost-unseen               manager_sync case_159
who-has-had-enough-breaks-nothing     manager_sync a_barrier_that
any-thread-is-the-holder              manager_sync a_lock_is_its_threads
any-thread-is-the-holder              manager_sync case_161
one-of-several-answers-is-heard       manager_together what_is_asked_together
all-go-alone                          manager_together what_is_asked_together
several-are-any-number                manager_together several_questions
long-values-are-copied-in-turn        manager_together long_values
all-answers-are-made-at-once          manager_together long_answers
who-gave-up-asks-still                manager_together nobody_depends
BUGS
}

programs=$(table | awk '{ print $2 == "lib" ? "--lib" : "--test " $2 }' | sort -u)
# shellcheck disable=SC2086
built=$(cargo test $programs --no-run 2>&1) || { echo "$built"; exit 1; }

program() { # its path
  local source=tests/$1
  [ "$1" != lib ] || source="unittests src/lib"
  sed -n "s|.*Executable $source\\.rs (\\(.*\\))|\\1|p" <<<"$built"
}

run() { # run BUGS PROGRAM FILTER SECONDS
  # In a session of its own: some bugs leave children behind, and these are ended with it.
  AIOPROCESSING_PLANT=$1 setsid --wait timeout -k 5 "$4" "$(program "$2")" ${3:+"$3"} </dev/null >/dev/null 2>&1 &
  local session=$! status=0
  wait "$session" || status=$?
  pkill -KILL -s "$session" || true
  return "$status"
}

control() { # control BUGS PROGRAM FILTER
  [ -x "$(program "$2")" ] || { echo "there is no test program $2"; return 1; }
  case $1 in
    *,*)
      if ! run "${1#*,}" "$2" "$3" 120; then
        echo "${1#*,} alone makes $2 $3 fail"
        return 1
      fi
      ;;
  esac
  # A race that a test meets almost always may be missed on a busy machine.
  for _ in 1 2 3; do
    if ! run "$1" "$2" "$3" 30; then
      echo "planted $1: caught by $2 $3"
      return 0
    fi
  done
  echo "planted $1: NOT caught by $2 $3"
  return 1
}

# Four at a time: most of them wait for a hang to show. What each came to is kept in a file: the tests use up process numbers, and the
# shell forgets how a child ended once its number is another's.
caught=$(mktemp)
trap 'rm -f "$caught"' EXIT
while read -r bug program filter; do
  [ "$(jobs -rp | wc -l)" -lt 4 ] || wait -n || true
  if control "$bug" "$program" "$filter"; then echo "$bug" >>"$caught"; fi &
done < <(table)
wait
count=$(wc -l <"$caught") all=$(table | wc -l)
echo "$count of $all planted bugs caught"
[ "$count" -eq "$all" ]
