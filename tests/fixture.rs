//! What test suites are built with, itself under test: that it passes what is right, and finds what is wrong.

use std::time::Duration;

use aioprocessing::fixture::{
    Group, GroupError, KillDuringError, Leaks, Outcome, crash_point, kill_during, step,
};
use aioprocessing::{AioEvent, AioLeaseQueue, AioLock, AioProcess, AioQueue, AioSemaphore};

aioprocessing::test_support!();

fn for_ever() -> ! {
    loop {
        std::thread::park();
    }
}

#[test]
fn members_begin_together_and_their_results_come_in_order() {
    let here = AioSemaphore::new(0).unwrap();
    let work = |index: usize, here: AioSemaphore| {
        here.release(1).unwrap();
        // All of them are past the barrier, or none.
        here.acquire_many(1).unwrap().forget();
        index * 10
    };
    assert_eq!(Group::spawn_with(4, work, here).unwrap().join().unwrap(), [0, 10, 20, 30]);
    assert_eq!(Group::<u8>::spawn(0, |_: usize| 1).unwrap().join().unwrap(), []);
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn members_are_joined_by_a_task() {
    let group = Group::spawn(2, |index: usize| index + 1).unwrap();
    assert_eq!(group.coro_join().await.unwrap(), [1, 2]);
    let group = Group::spawn(1, |_: usize| -> () { for_ever() }).unwrap().within(Duration::from_millis(50));
    assert!(group.coro_join().await.unwrap_err().is_timeout());
}

#[test]
fn the_member_that_fails_is_named_with_its_step_and_the_others_are_ended() {
    let work = |index: usize| {
        if index == 1 {
            step("dividing");
            panic!("by zero");
        }
        for_ever()
    };
    let group: Group<()> = Group::spawn(3, work).unwrap();
    let pids: Vec<u32> = group.processes().map(AioProcess::pid).collect();
    let error = group.join().unwrap_err();
    let GroupError::Failed { index: 1, step: Some(step), source, .. } = &error else { panic!("{error}") };
    assert!(step == "dividing" && source.is_panicked(), "{error}");
    assert!(error.to_string().contains("member 1 of 3 failed at 'dividing'"), "{error}");
    let alive = |pid: &u32| {
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        state.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
    };
    // A kill is under way at the latest, and nothing can stop it.
    while pids.iter().any(alive) {
        std::thread::yield_now();
    }
}

#[test]
fn members_that_hang_are_named_with_their_steps() {
    let work = |index: usize, event: AioEvent| {
        if index == 1 {
            step("waiting for what never comes");
            event.wait().unwrap();
        }
        index
    };
    let group = Group::spawn_with(2, work, AioEvent::new().unwrap()).unwrap();
    let error = group.within(Duration::from_secs(2)).join().unwrap_err();
    assert!(error.is_timeout());
    assert!(error.to_string().contains("member 1 at 'waiting for what never comes'"), "{error}");
    assert!(!error.to_string().contains("member 0"), "{error}");
}

#[test]
fn each_end_is_a_result_where_deaths_are_what_is_tested() {
    let work = |index: usize, lock: AioLock| {
        if index == 0 {
            lock.acquire().unwrap().leak();
            std::process::abort();
        }
        // Told of the death, or before the one that dies.
        lock.acquire().map(drop).or_else(|error| if error.is_owner_died() { Ok(()) } else { Err(()) })
    };
    let group = Group::spawn_with(3, work, AioLock::new().unwrap()).unwrap();
    let results = group.results().unwrap();
    assert!(results[0].as_ref().unwrap_err().is_signaled());
    assert!(results[1..].iter().all(|result| *result.as_ref().unwrap() == Ok(())), "{results:?}");
}

fn work_off(jobs: AioLeaseQueue<u32>, done: AioQueue<u32>) {
    crash_point!("before the lease");
    let job = jobs.get().unwrap();
    crash_point!("leased");
    done.put(*job).unwrap();
    crash_point!("done, not acknowledged");
    assert!(job.ack());
    crash_point!("acknowledged");
}

#[test]
fn an_operation_is_killed_at_each_of_its_points_in_turn() {
    let mut seen = Vec::new();
    for n in 1.. {
        let jobs: AioLeaseQueue<u32> = AioQueue::builder().lease(3).build().unwrap();
        let done = AioQueue::unbounded().unwrap();
        jobs.put(7).unwrap();
        let outcome = kill_during(work_off, (jobs.clone(), done.clone()), n).unwrap();
        let again = jobs.get_timeout(Duration::from_millis(200)).is_ok();
        match outcome {
            Outcome::Killed(point) => seen.push((point, again, done.len())),
            other => {
                assert_eq!((other, again, done.len()), (Outcome::Returned(()), false, 1));
                break;
            }
        }
    }
    let expected = [
        ("before the lease", true, 0),
        ("leased", true, 0),
        ("done, not acknowledged", true, 1),
        ("acknowledged", false, 1),
    ];
    assert_eq!(seen, expected.map(|(point, again, done)| (point.to_owned(), again, done)));
}

#[test]
fn a_process_that_fails_by_itself_was_not_killed() {
    let error = kill_during(
        || -> u8 {
            crash_point!("the first");
            panic!("on its own account")
        },
        (),
        2,
    )
    .unwrap_err();
    let KillDuringError::Failed { point: Some(point), source, .. } = &error else { panic!("{error}") };
    assert!(point == "the first" && source.is_panicked(), "{error}");
}

/// In a process of its own: what it looks at is everybody's.
#[test]
fn leaks_are_found_and_nothing_else_is() {
    let child = AioProcess::spawn(
        || {
            let leaks = Leaks::watch();
            let queue = AioQueue::unbounded().unwrap();
            AioProcess::spawn(|queue: AioQueue<u8>| queue.put(1).unwrap(), (queue.clone(),))
                .unwrap()
                .join()
                .unwrap();
            assert_eq!(queue.get().unwrap(), 1);
            drop(queue);
            leaks.assert_none();

            let file = std::fs::File::open("/proc/self/exe").unwrap();
            let (stop, stopped) = std::sync::mpsc::channel::<()>();
            let thread = std::thread::Builder::new()
                .name("forgotten".to_owned())
                .spawn(move || stopped.recv().unwrap_err())
                .unwrap();
            let event = AioEvent::new().unwrap();
            let child: AioProcess<()> = AioProcess::builder()
                .daemon(true)
                .kill_on_drop(true)
                .spawn(|event: AioEvent| event.wait().unwrap(), (event.clone(),))
                .unwrap();
            let found = leaks.found().join("\n");
            for what in ["descriptor of", "thread 'forgotten'", &format!("child {}", child.pid()), "mapped"] {
                assert!(found.contains(what), "{what}: {found}");
            }
            drop((file, stop, event));
            child.kill().unwrap();
            child.join().unwrap_err();
            drop(child);
            thread.join().unwrap();
            leaks.assert_none();
        },
        (),
    );
    child.unwrap().join().unwrap();
}
