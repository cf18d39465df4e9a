//! Processes among processes: who is whose child, what is inherited, and what is not.

mod kit;

use std::io::Write;
use std::time::Duration;

use aioprocessing::{AioProcess, JoinError, Stdio, active_children, current_process, parent_process};
use kit::{LONG, Watchdog, each_face, sleep_for_ever};

aioprocessing::test_support!();

fn nothing() {}

fn add(a: u64, b: u64) -> u64 {
    a + b
}

/// Not ready while the child lives, ready after its death even if a grandchild lives (P18).
#[test]
fn case_12_p18_the_sentinel_tells_of_the_child_alone() {
    fn leave_a_grandchild() -> u32 {
        let grandchild = AioProcess::spawn(sleep_for_ever, ()).unwrap();
        grandchild.pid()
    }
    each_face("case 12", |face| {
        let child = AioProcess::builder()
            .stdin(Stdio::piped())
            .spawn(
                || {
                    std::io::stdin().read_line(&mut String::new()).unwrap();
                    leave_a_grandchild()
                },
                (),
            )
            .unwrap();
        assert!(!is_ready(child.sentinel(), Duration::ZERO));
        writeln!(child.take_stdin().unwrap()).unwrap();
        let grandchild = face.join(&child).unwrap();
        assert!(is_ready(child.sentinel(), Duration::ZERO));
        assert!(!kit::is_dead(grandchild), "the grandchild lives on");
        kit::kill(grandchild);
    });
}

fn is_ready(fd: std::os::fd::BorrowedFd<'_>, wait: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, poll};
    let wait = rustix::time::Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: wait.subsec_nanos().into() };
    poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&wait)).unwrap() == 1
}

#[test]
fn case_13_active_children_lists_the_living_and_reaps() {
    let _watchdog = Watchdog::new("case 13");
    let alive = AioProcess::builder().name("alive").kill_on_drop(true).spawn(sleep_for_ever, ()).unwrap();
    let dead = AioProcess::builder().name("dead").spawn(nothing, ()).unwrap();
    assert!(is_ready(dead.sentinel(), LONG));
    let pids: Vec<_> = active_children().iter().map(aioprocessing::Process::pid).collect();
    assert!(pids.contains(&alive.pid()));
    assert!(!pids.contains(&dead.pid()));
    assert!(!std::path::Path::new(&format!("/proc/{}", dead.pid())).exists(), "no zombie is left");
    dead.join().unwrap();

    let process = active_children().into_iter().find(|other| other.pid() == alive.pid()).unwrap();
    assert_eq!((process.name(), process.is_alive(), process.exit_code()), ("alive", true, None));
    process.terminate().unwrap();
    assert_eq!(process.wait(), Ok(Some(-15)));
    assert_eq!(process.try_wait(), Ok(Some(-15)));
    assert_eq!(process.wait_timeout(Duration::ZERO), Ok(Some(-15)));
    #[cfg(feature = "tokio")]
    assert_eq!(kit::runtime().block_on(process.coro_wait()), Ok(Some(-15)));
    assert!(alive.join().unwrap_err().is_signaled());
}

/// A child that ended after its handle had gone, and is a zombie.
fn zombie() -> std::path::PathBuf {
    let child =
        AioProcess::builder().stdin(Stdio::piped()).spawn(|| std::io::stdin().lines().count(), ()).unwrap();
    let path = format!("/proc/{}", child.pid()).into();
    let pidfd = child.sentinel().try_clone_to_owned().unwrap();
    // Its input ends with its handle, and so does it.
    drop(child);
    assert!(is_ready(std::os::fd::AsFd::as_fd(&pidfd), LONG));
    path
}

/// In a process of its own: every other test reaps, too.
#[test]
fn a_child_without_a_handle_is_reaped_by_the_next_spawn_or_drop() {
    fn reap_by_spawn() -> (bool, bool) {
        let path = zombie();
        let before = path.exists();
        let _kept = AioProcess::spawn(nothing, ()).unwrap();
        (before, path.exists())
    }
    fn reap_by_drop() -> (bool, bool) {
        let kept = AioProcess::spawn(nothing, ()).unwrap();
        let path = zombie();
        let before = path.exists();
        drop(kept);
        (before, path.exists())
    }
    let _watchdog = Watchdog::new("orphans");
    assert_eq!(AioProcess::spawn(reap_by_spawn, ()).unwrap().join().unwrap(), (true, false));
    assert_eq!(AioProcess::spawn(reap_by_drop, ()).unwrap().join().unwrap(), (true, false));
}

/// Whatever ends the test ends its threads.
struct Until<'a>(&'a std::sync::atomic::AtomicBool);

impl Drop for Until<'_> {
    fn drop(&mut self) {
        self.0.store(false, std::sync::atomic::Ordering::Relaxed);
    }
}

#[test]
fn case_14_parent_process_and_names() {
    type Seen = (Option<(u32, String, bool)>, u32, String);
    fn look() -> Seen {
        let parent = parent_process().map(|it| (it.pid(), it.name().to_owned(), it.is_alive()));
        (parent, current_process().pid(), current_process().name().to_owned())
    }
    fn both() -> (Seen, Seen) {
        (look(), AioProcess::spawn(look, ()).unwrap().join().unwrap())
    }
    let _watchdog = Watchdog::new("case 14");
    assert!(parent_process().is_none());
    assert_eq!((current_process().pid(), current_process().name()), (std::process::id(), "MainProcess"));
    assert!(current_process().is_alive());
    assert_eq!(current_process().wait(), Err(aioprocessing::ProcessWaitError::Itself));

    let child = AioProcess::spawn(both, ()).unwrap();
    let (seen, below) = child.join().unwrap();
    assert_eq!(seen.0, Some((std::process::id(), "MainProcess".to_owned(), true)));
    assert_eq!((seen.1, seen.2.as_str()), (child.pid(), child.name()));
    assert!(child.name().starts_with("Process-"));
    assert_eq!(below.0, Some((child.pid(), child.name().to_owned(), true)));
    assert_eq!(below.2, format!("{}:1", child.name()));
}

#[test]
fn case_20_a_hundred_children_at_once() {
    each_face("case 20", |face| {
        let children: Vec<_> = (0..100_u64).map(|i| AioProcess::spawn(add, (i, 1)).unwrap()).collect();
        for (i, child) in children.iter().enumerate() {
            assert_eq!(face.join(child).unwrap(), i as u64 + 1);
            assert_eq!(child.exit_code(), Some(0));
        }
        let children: Vec<_> = (0..100).map(|_| AioProcess::spawn(sleep_for_ever, ()).unwrap()).collect();
        children.iter().for_each(|child| child.terminate().unwrap());
        for child in &children {
            assert!(matches!(face.join(child), Err(JoinError::Signaled { signal: 15, .. })));
        }
    });
}

#[test]
fn case_21_descriptors_in_a_child_do_not_grow_with_its_siblings() {
    fn count() -> Vec<i32> {
        kit::descriptors()
    }
    each_face("case 21", |face| {
        let spawn = || {
            AioProcess::builder()
                .kill_on_drop(true)
                .daemon(true)
                .stdin(Stdio::piped())
                .spawn(sleep_for_ever, ())
        };
        let first = face.join(&AioProcess::spawn(count, ()).unwrap()).unwrap();
        let _siblings: Vec<_> = (0..20).map(|_| spawn().unwrap()).collect();
        let last = face.join(&AioProcess::spawn(count, ()).unwrap()).unwrap();
        assert_eq!(last.len(), first.len(), "{first:?} and then {last:?}");
    });
}

#[test]
fn descriptors_of_the_parent_do_not_leak_into_other_programs() {
    let _watchdog = Watchdog::new("leaks into programs");
    let _children: Vec<_> = (0..8)
        .map(|_| {
            let builder = AioProcess::builder().kill_on_drop(true).daemon(true).stdout(Stdio::piped());
            builder.spawn(sleep_for_ever, ()).unwrap()
        })
        .collect();
    let is_busy = std::sync::atomic::AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while is_busy.load(std::sync::atomic::Ordering::Relaxed) {
                AioProcess::spawn(nothing, ()).unwrap().join().unwrap();
            }
        });
        let _over = Until(&is_busy);
        for _ in 0..50 {
            let listed = std::process::Command::new("ls").arg("-l").arg("/proc/self/fd").output().unwrap();
            let listed = String::from_utf8(listed.stdout).unwrap();
            assert!(!listed.contains("socket:") && !listed.contains("pidfd"), "{listed}");
        }
    });
}

#[test]
fn case_27_blocked_signals_are_unchanged_and_not_inherited() {
    let _watchdog = Watchdog::new("case 27");
    std::thread::spawn(|| {
        kit::block_signals();
        let before = kit::thread_status("SigBlk");
        assert_ne!(before, "0000000000000000");
        let child = AioProcess::spawn(|| kit::status("SigBlk"), ()).unwrap();
        assert_eq!(kit::thread_status("SigBlk"), before);
        assert_eq!(child.join().unwrap(), "0000000000000000");
        assert_eq!(kit::thread_status("SigBlk"), before);
    })
    .join()
    .unwrap();
}

#[test]
fn case_28_children_of_children_of_children() {
    fn tree(depth: u32) -> Vec<u32> {
        let mut order = vec![depth];
        if depth > 0 {
            for _ in 0..2 {
                order.extend(AioProcess::spawn(tree, (depth - 1,)).unwrap().join().unwrap());
            }
        }
        order
    }
    each_face("case 28", |face| {
        let child = AioProcess::spawn(tree, (2,)).unwrap();
        assert_eq!(face.join(&child).unwrap(), [2, 1, 0, 0, 1, 0, 0]);
    });
}

/// A parent with many busy threads, which hold what locks they like: nothing is forked, so nothing is held in the child.
#[test]
fn p7_a_threaded_parent_spawns() {
    fn busy() -> usize {
        // Takes the allocator's lock, the environment's and stdout's.
        println!("{}", std::env::vars().map(|(key, value)| format!("{key}{value}").len()).sum::<usize>());
        kit::status("Threads").parse().unwrap()
    }
    let _watchdog = Watchdog::new("P7");
    let is_busy = std::sync::atomic::AtomicBool::new(true);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while is_busy.load(std::sync::atomic::Ordering::Relaxed) {
                    let _held = std::io::stdout().lock();
                    std::hint::black_box(vec![0_u8; 5000]);
                }
            });
        }
        let _over = Until(&is_busy);
        for _ in 0..20 {
            let child = AioProcess::builder().stdout(Stdio::null()).spawn(busy, ()).unwrap();
            assert_eq!(child.join().unwrap(), 1, "a child has one thread");
        }
    });
}

/// What is set is set: in aioprocessing 2.0.1, `daemon` and `name` of the wrapper did nothing.
#[test]
fn d14_d15_settings_act_and_there_is_one_kind_of_process() {
    let _watchdog = Watchdog::new("D14");
    let builder = AioProcess::builder().name("named").daemon(true).kill_on_drop(true);
    let child = builder.spawn(sleep_for_ever, ()).unwrap();
    assert_eq!(child.name(), "named");
    let listed = active_children().into_iter().find(|other| other.pid() == child.pid()).unwrap();
    assert_eq!(listed.name(), "named");
    assert!(format!("{child:?}").contains("named"));
    assert!(format!("{listed:?}").contains("named"));
}
