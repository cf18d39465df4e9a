//! Sudden shortage: no descriptors, no file size, no processes, no memory, no inotify instances, no /proc.
//!
//! What comes is a typed error or the documented slower way. Nothing is left half made, nothing is lost, no signal ends the
//! process, and once the shortage is over everything works. Each shortage is a child's own.
#![allow(unsafe_code, missing_docs)]

use std::fs::File;
use std::time::Duration;

use aioprocessing::{AioEvent, AioLock, AioPipe, AioProcess, AioQueue, AioSemaphore};

aioprocessing::test_support!();

const WATCHDOG: Duration = Duration::from_secs(60);
/// Of no use to anything else on a machine.
const NOBODY: u32 = 65_534;

/// Runs a shortage in a child; it ends by itself, in order, and has nothing to complain of.
fn in_a_child(name: &str, child: AioProcess<Vec<String>>) {
    match child.join_timeout(WATCHDOG) {
        Ok(complaints) => assert!(complaints.is_empty(), "{name}: {complaints:#?}"),
        Err(error) => {
            let _ = child.kill();
            panic!("{name}: {error}");
        }
    }
}

fn is_root() -> bool {
    // SAFETY: takes no arguments and can't fail.
    unsafe { libc::geteuid() == 0 }
}

fn limit(resource: libc::__rlimit_resource_t, soft: u64) -> u64 {
    let mut limits = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limits are valid for writes.
    unsafe { libc::getrlimit(resource, &raw mut limits) };
    let before = std::mem::replace(&mut limits.rlim_cur, soft);
    // SAFETY: the limits are valid for reads.
    unsafe { libc::setrlimit(resource, &raw const limits) };
    before
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// The first number that is not open.
fn first_free() -> u64 {
    use std::os::fd::AsRawFd as _;
    File::open("/dev/null").map_or(0, |file| file.as_raw_fd() as u64)
}

fn own_lock(_: AioLock) -> u8 {
    7
}

type Made = Result<(), String>;
type Maker = fn() -> Made;

fn text<T, E: std::error::Error>(result: Result<T, E>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

/// Everything that takes descriptors or memory.
const MAKERS: &[(&str, Maker)] = &[
    ("lock", || text(AioLock::new()).map(drop)),
    ("event", || text(AioEvent::new()).map(drop)),
    ("semaphore", || text(AioSemaphore::new(2)).map(drop)),
    ("queue", || text(AioQueue::<u64>::bounded(4)).map(drop)),
    ("pipe", || text(AioPipe::<u8, u8>::duplex()).map(drop)),
    ("spawn", || {
        let child = text(AioProcess::spawn(|| 7_u8, ()))?;
        text(child.join()).map(drop)
    }),
    ("spawn with a handle", || {
        let lock = text(AioLock::new())?;
        let child = text(AioProcess::spawn(own_lock, (lock.clone(),)))?;
        text(child.join())?;
        text(lock.acquire()).map(drop)
    }),
    ("a long wait", || {
        let event = text(AioEvent::new())?;
        // It listens, where it can, and comes back in time where it can't.
        match event.wait_timeout(Duration::from_millis(20)) {
            Err(error) if error.is_timeout() => Ok(()),
            other => Err(format!("a wait that nobody ends: {other:?}")),
        }
    }),
    ("a handle in a queue", || {
        let queue = text(AioQueue::<AioLock>::bounded(2))?;
        text(queue.put(text(AioLock::new())?))?;
        drop(text(queue.get())?);
        Ok(())
    }),
];

/// Makes everything under a limit, and everything again without.
fn under(resource: libc::__rlimit_resource_t, soft: u64, complaints: &mut Vec<String>) -> usize {
    let mut refused = 0;
    for (name, make) in MAKERS {
        let before = descriptors();
        let was = limit(resource, soft);
        let made = make();
        limit(resource, was);
        refused += usize::from(made.is_err());
        // The process's one inotify instance is there to stay.
        let after = descriptors();
        if after > before + usize::from(*name == "a long wait") {
            complaints
                .push(format!("{name} under {soft}: {before} descriptors before, {after} after {made:?}"));
        }
        if let Err(error) = make() {
            complaints.push(format!("{name} after {soft}: {error}"));
        }
    }
    refused
}

fn without_descriptors() -> Vec<String> {
    let mut complaints = Vec::new();
    // Warm: what a process opens once is open.
    MAKERS.iter().for_each(|(_, make)| drop(make()));
    let first = first_free();
    let refused: Vec<_> =
        (0..16).map(|spare| under(libc::RLIMIT_NOFILE, first + spare, &mut complaints)).collect();
    // All but the long wait on an event, which needs a region too.
    if refused[0] != MAKERS.len() {
        complaints.push(format!("without a descriptor {} of {} were refused", refused[0], MAKERS.len()));
    }
    if refused[15] != 0 {
        complaints.push(format!("with 15 descriptors {} were refused", refused[15]));
    }
    complaints
}

#[test]
fn no_descriptor_left() {
    in_a_child("EMFILE", AioProcess::spawn(without_descriptors, ()).unwrap());
}

fn waits_without_descriptors() -> Vec<String> {
    let mut complaints = Vec::new();
    let (lock, event) = (AioLock::new().unwrap(), AioEvent::new().unwrap());
    let holder = AioProcess::spawn(holds, (lock.clone(), event.clone())).unwrap();
    event.wait().unwrap();
    let was = limit(libc::RLIMIT_NOFILE, 3);
    let next = {
        let lock = lock.clone();
        std::thread::spawn(move || lock.acquire().is_err_and(|error| error.is_owner_died()))
    };
    std::thread::sleep(Duration::from_millis(30));
    holder.kill().unwrap();
    if !next.join().unwrap() {
        complaints.push("the lock of a dead holder came without a word".to_owned());
    }
    limit(libc::RLIMIT_NOFILE, was);
    complaints
}

#[test]
fn a_wait_without_descriptors_sees_a_death_all_the_same() {
    in_a_child("EMFILE, waiting", AioProcess::spawn(waits_without_descriptors, ()).unwrap());
}

fn an_item_stays() -> Vec<String> {
    let mut complaints = Vec::new();
    let queue = AioQueue::<AioLock>::unbounded().unwrap();
    let lock = AioLock::new().unwrap();
    let sender = AioProcess::spawn(
        |queue: AioQueue<AioLock>| {
            let lock = AioLock::new().unwrap();
            lock.acquire().unwrap().leak();
            queue.put(lock).unwrap();
        },
        (queue.clone(),),
    );
    sender.unwrap().join().unwrap();
    drop(lock);
    let was = limit(libc::RLIMIT_NOFILE, first_free());
    let got = queue.get_timeout(Duration::from_secs(1));
    limit(libc::RLIMIT_NOFILE, was);
    if got.is_ok() {
        complaints.push("descriptors came where there is no room for them".to_owned());
    }
    match queue.get_timeout(Duration::from_secs(1)) {
        Ok(lock) if lock.try_acquire().is_err_and(|error| error.is_owner_died()) => {}
        other => complaints.push(format!("the item did not stay: {got:?}, then {other:?}")),
    }
    complaints
}

#[test]
fn an_item_with_descriptors_stays_where_none_is_left() {
    in_a_child("EMFILE, get", AioProcess::spawn(an_item_stays, ()).unwrap());
}

fn without_file_size() -> Vec<String> {
    let mut complaints = Vec::new();
    let refused = under(libc::RLIMIT_FSIZE, 10_000, &mut complaints);
    if refused < 5 {
        complaints.push(format!("{refused} were refused"));
    }
    // A queue that can't grow: what it takes it keeps.
    let queue = AioQueue::<Vec<u8>>::unbounded().unwrap();
    queue.put(vec![0; 100]).unwrap();
    let was = limit(libc::RLIMIT_FSIZE, 300_000);
    let mut taken = 1;
    while taken < 100 {
        match queue.put_timeout(vec![taken; 100_000], Duration::from_millis(50)) {
            Ok(()) => taken += 1,
            Err(error) => {
                if error.into_inner() != vec![taken; 100_000] {
                    complaints.push("a put that failed kept its item".to_owned());
                }
                break;
            }
        }
    }
    limit(libc::RLIMIT_FSIZE, was);
    if taken == 100 {
        complaints.push("10 MB went into 300 kB".to_owned());
    }
    for expected in 0..taken {
        match queue.get_timeout(Duration::from_secs(1)) {
            Ok(item) if item.iter().all(|&byte| byte == expected) => {}
            other => complaints.push(format!("item {expected}: {:?}", other.map(|item| item.len()))),
        }
    }
    if let Err(error) = queue.put_timeout(vec![1; 100_000], Duration::from_secs(1)) {
        complaints.push(format!("a put after the shortage: {error}"));
    }
    complaints
}

#[test]
fn no_file_size_left() {
    in_a_child("RLIMIT_FSIZE", AioProcess::spawn(without_file_size, ()).unwrap());
}

fn without_memory() -> Vec<String> {
    let mut complaints = Vec::new();
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = pages.split(' ').next().unwrap().parse().unwrap();
    let before = descriptors();
    // A queue maps its whole limit at once; the rest of the program needs room to breathe.
    let was = limit(libc::RLIMIT_AS, pages * 4096 + (256 << 20));
    let queue = AioQueue::<u64>::unbounded();
    limit(libc::RLIMIT_AS, was);
    if queue.is_ok() || descriptors() != before {
        complaints.push(format!("{queue:?}, {before} descriptors before, {} after", descriptors()));
    }
    match AioQueue::<u64>::unbounded() {
        Ok(queue) => {
            queue.put(1).unwrap();
            assert_eq!(queue.get().unwrap(), 1);
        }
        Err(error) => complaints.push(format!("after the shortage: {error}")),
    }
    complaints
}

#[test]
fn no_memory_left() {
    in_a_child("ENOMEM", AioProcess::spawn(without_memory, ()).unwrap());
}

fn without_processes() -> Vec<String> {
    let mut complaints = Vec::new();
    let before = descriptors();
    let was = limit(libc::RLIMIT_NPROC, 0);
    let refused = AioProcess::spawn(|| 7_u8, ());
    let lock = text(AioLock::new()).and_then(|lock| text(lock.acquire()).map(drop));
    limit(libc::RLIMIT_NPROC, was);
    if let Ok(child) = refused {
        complaints.push(format!("a process was started: {:?}", child.join()));
    }
    if let Err(error) = lock {
        complaints.push(format!("a lock needs no process: {error}"));
    }
    if descriptors() != before {
        complaints.push(format!("{before} descriptors before, {} after", descriptors()));
    }
    complaints
}

#[test]
fn no_process_left() {
    if !is_root() {
        return eprintln!("skipped: only root can become nobody");
    }
    let child = AioProcess::builder().uid(NOBODY).gid(NOBODY).spawn(without_processes, ());
    in_a_child("RLIMIT_NPROC", child.unwrap());
}

fn holds(lock: AioLock, held: AioEvent) {
    let _guard = lock.acquire();
    held.set();
    loop {
        std::thread::park();
    }
}

/// The holder of a lock is killed; those who wait go on all the same.
fn outlive_a_holder(complaints: &mut Vec<String>, without: impl FnOnce()) {
    let (lock, event) = (AioLock::new().unwrap(), AioEvent::new().unwrap());
    let holder = AioProcess::spawn(holds, (lock.clone(), event.clone())).unwrap();
    event.wait().unwrap();
    without();
    let waiter = {
        let lock = lock.clone();
        std::thread::spawn(move || lock.acquire().is_err_and(|error| error.is_owner_died()))
    };
    let task = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(lock.coro_acquire()).is_err_and(|error| error.is_owner_died())
    });
    std::thread::sleep(Duration::from_millis(30));
    holder.kill().unwrap();
    // Whoever was first is told.
    let told = usize::from(waiter.join().unwrap()) + usize::from(task.join().unwrap());
    if told != 1 {
        complaints.push(format!("{told} were told of the holder's death"));
    }
    let _ = holder.join();
}

fn without_inotify() -> Vec<String> {
    let mut complaints = Vec::new();
    let mut all = Vec::new();
    outlive_a_holder(&mut complaints, || {
        loop {
            // SAFETY: takes no pointers.
            let instance = unsafe { libc::inotify_init1(libc::IN_CLOEXEC) };
            if instance < 0 {
                break;
            }
            all.push(instance);
        }
    });
    for instance in all {
        // SAFETY: nobody else has this number.
        unsafe { libc::close(instance) };
    }
    outlive_a_holder(&mut complaints, || {});
    complaints
}

#[test]
fn no_inotify_instance_left() {
    if !is_root() {
        return eprintln!("skipped: only root can become nobody, whose instances nobody misses");
    }
    let child = AioProcess::builder().uid(NOBODY).gid(NOBODY).spawn(without_inotify, ());
    in_a_child("no inotify", child.unwrap());
}

fn without_proc() -> Vec<String> {
    let mut complaints = Vec::new();
    outlive_a_holder(&mut complaints, || {
        let empty = tempfile::tempdir().unwrap();
        let path = std::ffi::CString::new(empty.path().to_str().unwrap()).unwrap();
        // SAFETY: a C string; changes where this process's paths begin.
        assert_eq!(unsafe { libc::chroot(path.as_ptr()) }, 0, "{}", std::io::Error::last_os_error());
        // Its own root has gone with the name; nothing can be found under it any more.
        std::mem::forget(empty);
    });
    for (name, make) in MAKERS {
        let made = make();
        let needs_proc = name.contains("spawn") || name.contains("handle");
        if made.is_ok() == needs_proc {
            complaints.push(format!("{name} without /proc: {made:?}"));
        }
    }
    complaints
}

#[test]
fn no_proc() {
    if !is_root() {
        return eprintln!("skipped: only root can change its root");
    }
    let folder = std::env::temp_dir();
    in_a_child("no /proc", AioProcess::builder().current_dir(folder).spawn(without_proc, ()).unwrap());
}
