//! What an event promises: cases 89 to 94, P4 and P9.
#![cfg_attr(not(feature = "tokio"), allow(dead_code, unused_imports))]

mod kit;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use aioprocessing::{AioEvent, AioProcess};
use kit::sides::{Place, Side, each, start};
use kit::{LONG, Watchdog};

aioprocessing::test_support!();

const SHORT: Duration = Duration::from_millis(30);

/// Waits in its own way, round after round: set by the other side, answered, set again.
fn answer(ask: AioEvent, reply: AioEvent, rounds: u32, side: Side) {
    for _ in 0..rounds {
        side.wait(&ask);
        ask.clear();
        reply.set();
    }
}

#[test]
fn case_89_no_wake_up_is_lost_between_the_look_and_the_sleep() {
    each("case_89", |side, place, watchdog| {
        let (ask, reply) = (AioEvent::new().unwrap(), AioEvent::new().unwrap());
        // A runtime each round makes the task's face slow; its loop of its own follows below.
        let rounds = if side == Side::Blocking { 25_000_u32 } else { 500 };
        let other = start!(place, answer, (ask, reply, rounds, Side::Blocking));
        for round in 0..rounds {
            if round % 1000 == 0 {
                watchdog.step(format!("round {round}, {side:?} against a {place:?}"));
            }
            ask.set();
            side.wait(&reply);
            reply.clear();
        }
        other.join();
    });
}

#[cfg(feature = "tokio")]
fn answer_as_a_task(ask: AioEvent, reply: AioEvent, rounds: u32) {
    kit::runtime().block_on(async {
        for _ in 0..rounds {
            ask.coro_wait().await.unwrap();
            ask.clear();
            reply.set();
        }
    });
}

#[cfg(feature = "tokio")]
#[test]
fn case_89_no_wake_up_is_lost_between_tasks() {
    const ROUNDS: u32 = 25_000;
    for place in Place::ALL {
        let watchdog = Watchdog::new("case_89_tasks");
        watchdog.step(format!("{place:?}"));
        let (ask, reply) = (AioEvent::new().unwrap(), AioEvent::new().unwrap());
        let other = start!(place, answer_as_a_task, (ask, reply, ROUNDS));
        kit::runtime().block_on(async {
            for _ in 0..ROUNDS {
                ask.set();
                reply.coro_wait().await.unwrap();
                reply.clear();
            }
        });
        other.join();
    }
}

#[test]
fn case_90_false_on_timeout_true_after_set_sticky_and_cleared() {
    each("case_90", |side, place, _| {
        let (event, go) = (AioEvent::new().unwrap(), AioEvent::new().unwrap());
        let begun = Instant::now();
        assert!(!side.wait_for(&event, SHORT));
        assert!(begun.elapsed() >= SHORT);
        assert!(!side.wait_for(&event, Duration::ZERO));
        let set_it = |go: AioEvent, event: AioEvent| {
            go.wait().unwrap();
            event.set();
        };
        let setter = start!(place, set_it, (go, event));
        go.set();
        side.wait(&event);
        setter.join();
        assert!(event.is_set() && side.wait_for(&event, Duration::ZERO), "it stays set");
        event.set();
        assert!(event.is_set());
        event.clear();
        event.clear();
        assert!(!event.is_set() && !side.wait_for(&event, Duration::ZERO));
    });
}

fn wait_and_tell(event: AioEvent, side: Side) -> bool {
    side.wait_for(&event, LONG)
}

#[test]
fn case_91_p9_set_and_cleared_at_once_wakes_who_waited_before() {
    each("case_91", |side, place, _| {
        // Several times: who is woken may be so quick that it sees the event set.
        for _ in 0..10 {
            let event = AioEvent::new().unwrap();
            let waiters: Vec<_> = (0..3).map(|_| start!(place, wait_and_tell, (event, side))).collect();
            kit::until("all wait", || format!("{event:?}").contains("waiters: 3"));
            event.set();
            event.clear();
            assert!(waiters.into_iter().all(kit::sides::Started::join));
        }
    });
}

#[test]
fn case_92_p4_set_with_dead_and_stopped_waiters_returns_at_once() {
    let watchdog = Watchdog::new("case_92");
    for &side in Side::ALL {
        watchdog.step(format!("{side:?}"));
        let event = AioEvent::new().unwrap();
        let wait = |event: AioEvent, side: Side| side.wait(&event);
        let children: Vec<AioProcess<()>> =
            (0..4).map(|_| AioProcess::spawn(wait, (event.clone(), side)).unwrap()).collect();
        kit::until("all wait", || format!("{event:?}").contains("waiters: 4"));
        children[0].kill().unwrap();
        children[0].join().unwrap_err();
        kit::signal(children[1].pid(), rustix::process::Signal::STOP);
        event.set();
        for child in &children[2..] {
            child.join().unwrap();
        }
        event.clear();
        event.set();
        kit::signal(children[1].pid(), rustix::process::Signal::CONT);
        children[1].join().unwrap();
    }
}

#[cfg(feature = "tokio")]
#[test]
fn case_93_a_thousand_tasks_are_woken_by_one_set() {
    let _watchdog = Watchdog::new("case_93");
    let event = AioEvent::new().unwrap();
    let thousand = |event: AioEvent| {
        kit::runtime().block_on(async {
            let tasks: Vec<_> = (0..1000)
                .map(|_| {
                    let event = event.clone();
                    tokio::spawn(async move { event.coro_wait().await.unwrap() })
                })
                .collect();
            let mut woken = 0;
            for task in tasks {
                task.await.unwrap();
                woken += 1;
            }
            woken
        })
    };
    let child: AioProcess<u32> = AioProcess::spawn(thousand, (event.clone(),)).unwrap();
    kit::until("all wait", || format!("{event:?}").contains("waiters: 1000"));
    event.set();
    assert_eq!(child.join().unwrap(), 1000);
    assert!(format!("{event:?}").contains("waiters: 0"));
}

/// Where a signal handler finds its event.
static IN_HANDLER: std::sync::OnceLock<AioEvent> = std::sync::OnceLock::new();
static HANDLED: AtomicU32 = AtomicU32::new(0);

extern "C" fn set_in_handler(_: libc::c_int) {
    if let Some(event) = IN_HANDLER.get() {
        event.set();
    }
    HANDLED.fetch_add(1, Ordering::SeqCst);
}

#[test]
fn case_94_set_in_a_signal_handler_does_not_deadlock() {
    let child: AioProcess<bool> = AioProcess::spawn(
        || {
            let _watchdog = Watchdog::new("case_94");
            let event = IN_HANDLER.get_or_init(|| AioEvent::new().unwrap());
            let handler = set_in_handler as *const () as libc::sighandler_t;
            #[allow(unsafe_code, reason = "std has no signal handlers")]
            // SAFETY: the handler makes async-signal-safe calls only: that is what is being tested.
            unsafe {
                libc::signal(libc::SIGUSR1, handler)
            };
            // The signal comes while this very thread sets, clears and waits.
            let me = std::process::id();
            let sender = std::thread::spawn(move || {
                while HANDLED.load(Ordering::SeqCst) < 1000 {
                    kit::signal(me, rustix::process::Signal::USR1);
                    std::thread::yield_now();
                }
            });
            while HANDLED.load(Ordering::SeqCst) < 1000 {
                event.wait().unwrap();
                for _ in 0..100 {
                    event.set();
                    event.clear();
                }
            }
            sender.join().unwrap();
            true
        },
        (),
    )
    .unwrap();
    assert!(child.join().unwrap());
}

#[cfg(feature = "tokio")]
#[test]
fn a_cancelled_wait_leaves_nothing() {
    let _watchdog = Watchdog::new("a_cancelled_wait_leaves_nothing");
    let event = AioEvent::new().unwrap();
    kit::runtime().block_on(async {
        for _ in 0..2000 {
            tokio::select! {
                biased;
                result = event.coro_wait() => panic!("not set, and yet {result:?}"),
                () = tokio::task::yield_now() => {}
            }
        }
    });
    assert!(format!("{event:?}").contains("waiters: 0"), "{event:?}");
}

#[test]
fn a_wait_that_does_not_wait_says_whether_it_is_set() {
    let event = AioEvent::new().unwrap();
    assert!(event.try_wait().unwrap_err().is_not_set());
    event.set();
    event.try_wait().unwrap();
}
