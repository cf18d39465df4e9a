//! How waiting is done: without a thread, without work, on any runtime.

mod kit;

use std::time::{Duration, Instant};

use aioprocessing::{AioConnection, AioEvent, AioLock, AioPipe, AioProcess, AioQueue};
use kit::Watchdog;

aioprocessing::test_support!();

/// Holds on to everything that may wait, and reports how many threads it has while it does.
fn wait_for_all(lock: AioLock, held: AioEvent, ready: Vec<AioEvent>, me: usize, stop: AioEvent) -> usize {
    ready[me].set();
    held.wait().unwrap();
    let threads = kit::status("Threads").parse().unwrap();
    drop(lock.acquire().unwrap());
    stop.wait().unwrap();
    threads
}

#[test]
fn a_parent_and_eight_children_have_one_thread_each() {
    // In a process of its own: the test harness has threads.
    let parent: AioProcess<Vec<usize>> = AioProcess::spawn(
        || {
            let event = || AioEvent::new().unwrap();
            let (lock, held, stop) = (AioLock::new().unwrap(), event(), event());
            let ready: Vec<AioEvent> = (0..8).map(|_| event()).collect();
            let guard = lock.acquire().unwrap();
            let children: Vec<AioProcess<usize>> = (0..8)
                .map(|me| {
                    let arguments = (lock.clone(), held.clone(), ready.clone(), me, stop.clone());
                    AioProcess::spawn(wait_for_all, arguments).unwrap()
                })
                .collect();
            ready.iter().for_each(|event| event.wait().unwrap());
            held.set();
            kit::until("all contend for the lock", || format!("{lock:?}").contains("waiters: 8"));
            // Seen from outside, while they are at it.
            let mut threads: Vec<usize> = children
                .iter()
                .map(|child| std::fs::read_dir(format!("/proc/{}/task", child.pid())).unwrap().count())
                .collect();
            drop(guard);
            kit::until("all wait for the event", || format!("{stop:?}").contains("waiters: 8"));
            stop.set();
            threads.extend(children.into_iter().map(|child| child.join().unwrap()));
            threads.push(kit::status("Threads").parse().unwrap());
            threads
        },
        (),
    )
    .unwrap();
    assert_eq!(parent.join().unwrap(), vec![1; 17]);
}

/// (wake-ups, CPU ticks) of the only thread of a process.
fn spent(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = |name: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().collect();
    (
        field("voluntary_ctxt_switches"),
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap(),
    )
}

#[test]
fn an_idle_child_makes_two_wake_ups_a_second_at_most_and_uses_no_cpu() {
    let _watchdog = Watchdog::new("an_idle_child");
    for &side in kit::sides::Side::ALL {
        let event = AioEvent::new().unwrap();
        let wait = |event: AioEvent, side: kit::sides::Side| side.wait(&event);
        let child: AioProcess<()> = AioProcess::spawn(wait, (event.clone(), side)).unwrap();
        kit::until("it waits", || format!("{event:?}").contains("waiters: 1"));
        // Its sleeps grow during the first two seconds. Here time itself is what is waited for.
        std::thread::sleep(Duration::from_secs(2));
        let (before, begun) = (spent(child.pid()), Instant::now());
        std::thread::sleep(Duration::from_secs(3));
        let (after, seconds) = (spent(child.pid()), begun.elapsed().as_secs_f64());
        let wake_ups = after.0 - before.0;
        assert!(wake_ups as f64 <= 2.0 * seconds, "{side:?}: {wake_ups} wake-ups in {seconds} s");
        assert!(after.1 - before.1 <= 1, "{side:?}: {} ticks of CPU", after.1 - before.1);
        event.set();
        child.join().unwrap();
    }
}

/// Case 163 for what stands here: descriptors, mappings and slots are gone with their handles.
#[test]
fn case_163_objects_leave_nothing_behind() {
    let child: AioProcess<(usize, usize)> = AioProcess::spawn(
        || {
            let count = || {
                let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
                kit::descriptors().len() + maps.lines().filter(|line| line.contains("memfd:")).count()
            };
            // The first ones make what stays for the whole process: the mark of forks, the descriptor of notices.
            let once = || {
                let (lock, event) = (AioLock::new().unwrap(), AioEvent::new().unwrap());
                let guard = lock.acquire().unwrap();
                lock.acquire_timeout(Duration::from_millis(12)).unwrap_err();
                event.wait_timeout(Duration::from_millis(12)).unwrap_err();
                drop(guard);
            };
            once();
            let before = count();
            (0..20).for_each(|_| once());
            for _ in 0..2000 {
                let (lock, event) = (AioLock::new().unwrap(), AioEvent::new().unwrap());
                drop(lock.acquire().unwrap());
                event.set();
            }
            (before, count())
        },
        (),
    )
    .unwrap();
    let (before, after) = child.join().unwrap();
    assert_eq!(before, after);
}

#[cfg(feature = "tokio")]
mod runtimes {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use tokio::runtime::{Builder, Runtime};

    fn current_thread() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    fn multi_thread() -> Runtime {
        Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    }

    /// Acquisitions of a lock are a small part of a unit of the budget, what is done under it is not.
    #[test]
    fn a_task_that_works_under_a_free_lock_lets_others_run() {
        let _watchdog = Watchdog::new("works_under_a_free_lock");
        current_thread().block_on(async {
            let count = Arc::new(AtomicU32::new(0));
            let counted = count.clone();
            let busy = tokio::spawn(async move {
                let lock = AioLock::new().unwrap();
                loop {
                    let _guard = lock.coro_acquire().await.unwrap();
                    counted.fetch_add(1, Ordering::Relaxed);
                    let begun = Instant::now();
                    while begun.elapsed() < Duration::from_micros(20) {}
                }
            });
            let mut most = 0;
            for _ in 0..10 {
                let before = count.load(Ordering::Relaxed);
                tokio::task::yield_now().await;
                most = most.max(count.load(Ordering::Relaxed) - before);
            }
            busy.abort();
            // tokio's own mutex: 128. Ours pays at every 128th.
            assert!((1..=1000).contains(&most), "{most} acquisitions until the others were let run");
        });
    }

    #[test]
    fn case_164_one_handle_works_in_several_runtimes_in_turn() {
        let watchdog = Watchdog::new("case_164_in_turn");
        let (event, lock) = (AioEvent::new().unwrap(), AioLock::new().unwrap());
        for round in 0..20 {
            watchdog.step(format!("runtime {round}"));
            let runtime = if round % 2 == 0 { current_thread() } else { multi_thread() };
            event.clear();
            runtime.block_on(async {
                let waiting = tokio::spawn({
                    let event = event.clone();
                    async move { event.coro_wait().await.unwrap() }
                });
                let guard = lock.coro_acquire().await.unwrap();
                let next = tokio::spawn({
                    let lock = lock.clone();
                    async move { drop(lock.coro_acquire().await.unwrap()) }
                });
                while !format!("{lock:?}").contains("waiters: 1") {
                    tokio::task::yield_now().await;
                }
                drop(guard);
                event.set();
                waiting.await.unwrap();
                next.await.unwrap();
            });
        }
        // Registrations of runtimes that are gone are not kept.
        assert!(kit::descriptors().len() < 200);
    }

    #[test]
    fn case_164_one_handle_works_in_several_runtimes_at_once() {
        let watchdog = Watchdog::new("case_164_at_once");
        let (event, lock) = (AioEvent::new().unwrap(), AioLock::new().unwrap());
        for round in 0..100 {
            watchdog.step(format!("round {round}"));
            event.clear();
            let threads: Vec<_> = (0..4)
                .map(|index| {
                    let (event, lock) = (event.clone(), lock.clone());
                    std::thread::spawn(move || {
                        let runtime = if index % 2 == 0 { current_thread() } else { multi_thread() };
                        runtime.block_on(async {
                            for _ in 0..20 {
                                let guard = lock.coro_acquire().await.unwrap();
                                tokio::task::yield_now().await;
                                drop(guard);
                            }
                            let waiting = {
                                let event = event.clone();
                                tokio::spawn(async move { event.coro_wait().await.unwrap() })
                            };
                            event.coro_wait().await.unwrap();
                            waiting.await.unwrap();
                        });
                    })
                })
                .collect();
            kit::until("eight wait", || format!("{event:?}").contains("waiters: 8"));
            event.set();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }
    }

    #[test]
    fn a_runtime_without_io_or_time_is_refused_with_tokios_own_words() {
        let event = AioEvent::new().unwrap();
        for mut builder in [Builder::new_current_thread(), {
            let mut builder = Builder::new_current_thread();
            builder.enable_io();
            builder
        }] {
            let runtime = builder.build().unwrap();
            let wait = std::panic::AssertUnwindSafe(|| runtime.block_on(event.coro_wait()));
            let panic = std::panic::catch_unwind(wait).unwrap_err();
            let text = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
            let text = text.unwrap_or_default();
            assert!(text.contains("enable_io") || text.contains("enable_time"), "{text:?}");
        }
        // What need not wait works in any.
        event.set();
        Builder::new_current_thread().build().unwrap().block_on(event.coro_wait()).unwrap();
    }

    #[test]
    fn case_60_dropping_a_runtime_with_waiting_tasks_holds_nobody_up() {
        let _watchdog = Watchdog::new("case_60");
        let event = AioEvent::new().unwrap();
        let runtime = multi_thread();
        for _ in 0..50 {
            let event = event.clone();
            runtime.spawn(async move { event.coro_wait().await });
        }
        kit::until("all wait", || format!("{event:?}").contains("waiters: 50"));
        drop(runtime);
        assert!(format!("{event:?}").contains("waiters: 0"), "{event:?}");
        event.set();
        event.wait().unwrap();
    }
}

/// How often the main thread gave up its CPU though it could have gone on, asked by the system or by itself.
fn involuntary_switches() -> u64 {
    kit::status("nonvoluntary_ctxt_switches").parse().unwrap()
}

fn compute(on: AioEvent) {
    on.set();
    loop {
        std::hint::spin_loop();
    }
}

/// From here on this process takes the CPU from nobody when it is woken.
#[allow(unsafe_code, reason = "std knows no policies of scheduling")]
fn preempt_nobody() {
    let param = libc::sched_param { sched_priority: 0 };
    // SAFETY: the pointer is to a value that outlives the call.
    let set = unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const param) };
    assert_eq!(set, 0);
}

fn echo_items(there: AioQueue<u64>, back: AioQueue<u64>, pipe: AioConnection<u64, u64>) {
    // Otherwise whoever wakes it loses the CPU to it, which counts as if it had left it.
    preempt_nobody();
    while let Ok(item) = there.get() {
        back.put(item).unwrap();
    }
    while let Ok(item) = pipe.recv() {
        pipe.send(&item).unwrap();
    }
}

/// Whoever leaves its CPU to a peer leaves it to all who want it. Beside one that computes, that is a time slice each time.
#[test]
fn who_waits_beside_one_that_computes_does_not_leave_it_the_cpu_each_time() {
    const ROUNDS: u64 = 600;
    let _watchdog = Watchdog::new("beside_one_that_computes");
    // In a process of its own, which is on the CPU of the two others.
    let measure = || {
        let (there, back) = (AioQueue::bounded(4).unwrap(), AioQueue::bounded(4).unwrap());
        let (here, pipe) = AioPipe::duplex().unwrap();
        let on = AioEvent::new().unwrap();
        let beside = || AioProcess::builder().daemon(true).kill_on_drop(true);
        let echo = beside().spawn(echo_items, (there.clone(), back.clone(), pipe)).unwrap();
        let _computing = beside().spawn(compute, (on.clone(),)).unwrap();
        on.wait().unwrap();
        let rounds = |go: &dyn Fn(u64) -> u64| {
            let before = involuntary_switches();
            (0..ROUNDS).for_each(|item| assert_eq!(go(item), item));
            involuntary_switches() - before
        };
        let of_a_queue = rounds(&|item| {
            there.put(item).unwrap();
            back.get().unwrap()
        });
        there.close();
        let of_a_pipe = rounds(&|item| {
            here.send(&item).unwrap();
            here.recv().unwrap()
        });
        drop(here);
        echo.join().unwrap();
        (of_a_queue, of_a_pipe)
    };
    let (of_a_queue, of_a_pipe) =
        AioProcess::builder().cpu_affinity([0]).spawn(measure, ()).unwrap().join().unwrap();
    assert!(of_a_queue < ROUNDS / 2, "{of_a_queue} of {ROUNDS} waits on a queue left the CPU");
    assert!(of_a_pipe < ROUNDS / 2, "{of_a_pipe} of {ROUNDS} waits on a pipe left the CPU");
}
