//! Named shared memory: who makes, sees and removes it (cases 122 to 130, P6, P22).

mod kit;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use aioprocessing::{
    AioEvent, AioProcess, AioQueue, Codec, CreateMemoryError, MemoryNameError, OpenMemoryError,
    OutOfBoundsError, Postcard, SharedMemory, SharedMemoryManager, Stdio, UnlinkError, active_children,
};
use kit::{Watchdog, end_by, is_dead, sleep_for_ever, until};

aioprocessing::test_support!();

/// A name that no other test has. What a failed test leaves under it, or under it with a number behind, goes with this.
struct Name(String);

impl std::ops::Deref for Name {
    type Target = String;

    fn deref(&self) -> &String {
        &self.0
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        for name in names_of(&self.0) {
            let _ = std::fs::remove_file(path(&name));
        }
    }
}

fn name() -> Name {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    Name(format!("aioprocessing-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)))
}

/// What there is of that name, or of that name with a number behind.
fn names_of(name: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/dev/shm").unwrap();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let numbered = format!("{name}-");
    names.filter(|found| found == name || found.starts_with(&numbered)).collect()
}

/// Waits for a tracker to have done its work, and not for so long that it could not be told that it has not.
fn until_gone(names: &[&str]) {
    let begun = std::time::Instant::now();
    while names.iter().any(|name| !names_of(name).is_empty()) {
        assert!(begun.elapsed().as_secs() < 15, "the names of a process that has ended are still there");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

fn path(name: &str) -> PathBuf {
    PathBuf::from("/dev/shm").join(name)
}

fn is_there(name: &str) -> bool {
    path(name).try_exists().unwrap()
}

fn children(of: u32) -> Vec<u32> {
    let mut all = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{of}/task")).unwrap() {
        let text = std::fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default();
        all.extend(text.split_whitespace().map(|pid| pid.parse::<u32>().unwrap()));
    }
    all
}

/// The trackers of a process that have begun: there is one at most.
fn trackers(of: u32) -> Vec<u32> {
    let is_tracker = |pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == "MemoryTracker")
    };
    children(of).into_iter().filter(is_tracker).collect()
}

fn tracker(of: u32) -> u32 {
    let mut found = Vec::new();
    until("the tracker's start", || {
        found = trackers(of);
        !found.is_empty()
    });
    assert_eq!(found.len(), 1);
    found[0]
}

#[test]
fn case_122_create_and_attach() {
    let name = name();
    assert!(matches!(SharedMemory::create(&name, 0), Err(CreateMemoryError::ZeroSize)));
    assert!(matches!(SharedMemory::create_anonymous(0), Err(CreateMemoryError::ZeroSize)));
    assert!(SharedMemory::open(&name).unwrap_err().is_not_found());

    let memory = SharedMemory::create(&name, 10_001).unwrap();
    assert_eq!((memory.name(), memory.size()), (name.as_str(), 10_001));
    let file = std::fs::metadata(path(&name)).unwrap();
    assert_eq!((file.mode() & 0o7777, file.len(), file.nlink()), (0o600, 10_001, 1));
    assert!(file.blocks() * 512 >= 10_001, "its memory is had");
    assert!(memory.bytes().iter().all(|byte| byte.load(Ordering::Relaxed) == 0));

    let again = SharedMemory::create(&name, 5).unwrap_err();
    assert!(again.is_exists() && again.to_string().contains(name.as_str()));
    assert!(SharedMemory::create_untracked(&name, 5).unwrap_err().is_exists());

    let same = SharedMemory::open(&format!("/{name}")).unwrap();
    assert_eq!((same.name(), same.size()), (name.as_str(), 10_001), "the size is the creator's");
    memory.copy_in(9_996, b"hello").unwrap();
    assert_eq!(same.get::<[u8; 5]>(9_996).unwrap(), *b"hello");
    memory.unlink().unwrap();
    assert!(!is_there(&name));
    assert_eq!(same.get::<[u8; 5]>(9_996).unwrap(), *b"hello", "a view stays");
}

#[test]
fn case_122_a_name_is_made_up() {
    let (one, other) =
        (SharedMemory::create_anonymous(1).unwrap(), SharedMemory::create_anonymous(1).unwrap());
    assert!(one.name() != other.name() && one.name().starts_with("psm_") && is_there(one.name()));
    one.unlink().unwrap();
    other.unlink().unwrap();
}

/// P6: Python removes what it has only attached to.
#[test]
fn case_123_attaching_and_ending_destroys_nothing() {
    fn attach(name: String, kill: bool) {
        // With a tracker of its own, which knows of its own block alone.
        let own = SharedMemory::create_anonymous(1).unwrap();
        let memory = SharedMemory::open(&name).unwrap();
        memory.set(0, memory.get::<u8>(0).unwrap() + 1).unwrap();
        println!("{}", own.name());
        if kill {
            sleep_for_ever();
        }
    }
    let _watchdog = Watchdog::new("case 123");
    let name = name();
    let memory = SharedMemory::create(&name, 1).unwrap();
    for kill in [false, true] {
        let child = AioProcess::builder()
            .daemon(true)
            .stdout(Stdio::piped())
            .spawn(attach, (memory.name().to_owned(), kill))
            .unwrap();
        let mut own = String::new();
        BufReader::new(child.take_stdout().unwrap()).read_line(&mut own).unwrap();
        if kill {
            child.kill().unwrap();
        }
        let _ = child.join();
        until_gone(&[own.trim()]);
        assert!(memory.is_linked());
    }
    assert_eq!(memory.get::<u8>(0).unwrap(), 2);
    memory.unlink().unwrap();
}

/// In whichever way its creator ends, a block's name goes, and the tracker with it.
#[test]
fn case_124_a_creators_end_removes_its_blocks() {
    fn create(names: Vec<String>, end: String) {
        let blocks: Vec<_> = names.iter().map(|name| SharedMemory::create(name, 100).unwrap()).collect();
        blocks[0].unlink().unwrap();
        println!("ready");
        std::io::stdin().read_line(&mut String::new()).unwrap();
        end_by(&end);
    }
    let watchdog = Watchdog::new("case 124");
    for end in ["kill", "terminate", "kill the group", "return", "panic", "exit", "abort"] {
        watchdog.step(end);
        let names = [name(), name(), name()];
        let builder =
            AioProcess::builder().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let args = (names.each_ref().map(|name| name.to_string()).to_vec(), end.to_owned());
        let child = builder.daemon(true).process_group(0).spawn(create, args).unwrap();
        BufReader::new(child.take_stdout().unwrap()).read_line(&mut String::new()).unwrap();
        assert_eq!(names.each_ref().map(|name| is_there(name)), [false, true, true], "{end}");
        let view = SharedMemory::open(&names[1]).unwrap();
        view.set(0, 7_u8).unwrap();
        let tracker = tracker(child.pid());
        for signal in
            [rustix::process::Signal::INT, rustix::process::Signal::TERM, rustix::process::Signal::HUP]
        {
            // Sent before it can have ended by one: it takes none of them for its end.
            until("the tracker's beginning", || ignores_endings(tracker));
            kit::signal(tracker, signal);
        }
        match end {
            "kill" => child.kill().unwrap(),
            "terminate" => child.terminate().unwrap(),
            "kill the group" => kill_group(child.pid()),
            _ => writeln!(child.take_stdin().unwrap(), "now").unwrap(),
        }
        let _ = child.join();
        until_gone(&names.each_ref().map(|name| name.as_str()));
        until("the tracker's end", || is_dead(tracker));
        assert_eq!(view.get::<u8>(0).unwrap(), 7, "{end}: views stay");
    }
}

fn ignores_endings(pid: u32) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mask = text.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    let mask = u64::from_str_radix(mask.trim(), 16).unwrap();
    [libc::SIGINT, libc::SIGTERM, libc::SIGHUP].iter().all(|signal| mask & (1 << (signal - 1)) != 0)
}

fn kill_group(pid: u32) {
    let group = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
}

/// A tracker never removes a name that others have created anew.
#[test]
fn case_124_what_others_created_anew_stays() {
    fn create(name: String) {
        let _block = SharedMemory::create(&name, 100).unwrap();
        println!("ready");
        sleep_for_ever();
    }
    let _watchdog = Watchdog::new("case 124, created anew");
    let name = name();
    let child =
        AioProcess::builder().daemon(true).stdout(Stdio::piped()).spawn(create, (name.clone(),)).unwrap();
    BufReader::new(child.take_stdout().unwrap()).read_line(&mut String::new()).unwrap();
    let tracker = tracker(child.pid());
    SharedMemory::open(&name).unwrap().unlink().unwrap();
    let anew = SharedMemory::create(&name, 7).unwrap();
    child.kill().unwrap();
    let _ = child.join();
    until("the tracker's end", || is_dead(tracker));
    assert!(anew.is_linked());
    anew.unlink().unwrap();
}

/// Killed at whichever moment of creating: either it has no name, or it loses it.
#[test]
fn case_124_a_creator_killed_at_any_moment_leaves_nothing() {
    fn create(prefix: String) {
        std::io::stdout().write_all(b"ready\n").unwrap();
        for number in 0.. {
            let block = SharedMemory::create(&format!("{prefix}-{number}"), 5000).unwrap();
            if number % 3 == 0 {
                block.unlink().unwrap();
            }
        }
    }
    let watchdog = Watchdog::new("killed while creating");
    for turn in 0..60_u32 {
        watchdog.step(format!("turn {turn}"));
        let prefix = name();
        let child = AioProcess::builder()
            .daemon(true)
            .stdout(Stdio::piped())
            .spawn(create, (prefix.clone(),))
            .unwrap();
        BufReader::new(child.take_stdout().unwrap()).read_line(&mut String::new()).unwrap();
        for _ in 0..turn * turn * 400 {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        let _ = child.join();
        until_gone(&[prefix.as_str()]);
    }
}

/// The tracker is a process like others, and may be killed: the next block brings another, which sees to all of them.
#[test]
fn case_124_a_killed_tracker_is_replaced_at_the_next_block() {
    fn create(names: Vec<String>) {
        let mut blocks = Vec::new();
        for name in names {
            blocks.push(SharedMemory::create(&name, 1).unwrap());
            println!("ready");
            std::io::stdin().read_line(&mut String::new()).unwrap();
        }
        sleep_for_ever();
    }
    let _watchdog = Watchdog::new("a killed tracker");
    let names = [name(), name()];
    let child = AioProcess::builder()
        .daemon(true)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn(create, (names.each_ref().map(|name| name.to_string()).to_vec(),))
        .unwrap();
    let (mut lines, mut stdin) =
        (BufReader::new(child.take_stdout().unwrap()).lines(), child.take_stdin().unwrap());
    lines.next();
    let first = tracker(child.pid());
    kit::kill(first);
    until("its end", || is_dead(first));
    writeln!(stdin, "next").unwrap();
    lines.next();
    let second = tracker(child.pid());
    assert_ne!(first, second);
    child.kill().unwrap();
    let _ = child.join();
    until_gone(&names.each_ref().map(|name| name.as_str()));
}

/// Also one that may less than the process that started it.
#[test]
fn case_124_a_creator_of_another_user() {
    fn create(name: String) {
        let block = SharedMemory::create(&name, 100).unwrap();
        SharedMemory::open(block.name()).unwrap().set(0, 1_u8).unwrap();
        println!("ready");
        sleep_for_ever();
    }
    if !rustix::process::getuid().is_root() {
        println!("skipped: only root can become another user");
        return;
    }
    let _watchdog = Watchdog::new("another user");
    let name = name();
    let builder = AioProcess::builder().uid(65_534).gid(65_534).daemon(true).stdout(Stdio::piped());
    let child = builder.spawn(create, (name.clone(),)).unwrap();
    let mut line = String::new();
    BufReader::new(child.take_stdout().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    let file = std::fs::metadata(path(&name)).unwrap();
    assert_eq!((file.mode() & 0o7777, file.uid(), file.gid()), (0o600, 65_534, 65_534));
    child.kill().unwrap();
    let _ = child.join();
    until_gone(&[name.as_str()]);
}

/// Only an unlink ends what is not tracked.
#[test]
fn case_124_an_untracked_block_outlives_its_creator() {
    fn create(name: String) {
        SharedMemory::create_untracked(&name, 3).unwrap().set(1, 9_u8).unwrap();
        assert_eq!(children(std::process::id()), []);
    }
    let name = name();
    AioProcess::spawn(create, (name.clone(),)).unwrap().join().unwrap();
    let memory = SharedMemory::open(&name).unwrap();
    assert_eq!(memory.get::<u8>(1).unwrap(), 9);
    memory.unlink().unwrap();
}

#[test]
fn case_124_the_tracker_is_none_of_the_users_children() {
    fn create() -> (Vec<String>, String) {
        let memory = SharedMemory::create_anonymous(1).unwrap();
        tracker(std::process::id());
        let child = AioProcess::spawn(|| (), ()).unwrap();
        let name = child.name().to_owned();
        child.join().unwrap();
        memory.unlink().unwrap();
        (active_children().iter().map(|child| child.name().to_owned()).collect(), name)
    }
    let child = AioProcess::builder().name("x").spawn(create, ()).unwrap();
    let (children, first) = child.join().unwrap();
    assert!(children.is_empty() && first.ends_with(":1"), "{children:?} {first}");
}

#[test]
fn case_125_unlinking_twice_is_reported() {
    let name = name();
    let memory = SharedMemory::create(&name, 1).unwrap();
    memory.unlink().unwrap();
    assert!(matches!(memory.unlink(), Err(UnlinkError::NotFound { .. })));
    let other = SharedMemory::create(&name, 1).unwrap();
    assert!(!memory.is_linked());
    let replaced = memory.unlink().unwrap_err();
    assert!(matches!(replaced, UnlinkError::Replaced { .. }) && replaced.is_not_found());
    assert!(other.is_linked(), "what is another's stays");
    other.unlink().unwrap();
}

/// Also if the name is gone when the handle arrives, and the creator too.
#[test]
fn case_125_a_handle_that_travelled_maps_the_same_bytes() {
    fn answer(by_argument: SharedMemory, by_queue: AioQueue<(SharedMemory, SharedMemory)>) -> SharedMemory {
        let (one, same) = by_queue.get().unwrap();
        assert!(std::ptr::eq(one.as_ptr(), same.as_ptr()), "one mapping for two handles of a message");
        assert_eq!((by_argument.size(), one.size()), (4096, 4096));
        by_argument.set(0, 1_u64).unwrap();
        one.set(8, 2_u64).unwrap();
        let created = SharedMemory::create_anonymous(10).unwrap();
        created.copy_in(0, b"still here").unwrap();
        created
    }
    let memory = SharedMemory::create_anonymous(4096).unwrap();
    let queue = AioQueue::unbounded().unwrap();
    queue.put((memory.clone(), memory.clone())).unwrap();
    memory.unlink().unwrap();
    let child = AioProcess::spawn(answer, (memory.clone(), queue)).unwrap();
    let theirs = child.join().unwrap();
    assert_eq!((memory.get::<u64>(0).unwrap(), memory.get::<u64>(8).unwrap()), (1, 2));
    assert_eq!(theirs.get::<[u8; 10]>(0).unwrap(), *b"still here");
    until("the name's end", || !theirs.is_linked());
}

/// Outside of a message it is the name that is written down, and what bears it must be the same block.
#[test]
fn case_125_a_handle_by_its_name() {
    let name = name();
    let memory = SharedMemory::create(&name, 10).unwrap();
    let mut bytes = Vec::new();
    Postcard::encode(&memory, &mut bytes).unwrap();
    let same: SharedMemory = Postcard::decode(&bytes).unwrap();
    same.set(3, 4_u8).unwrap();
    assert_eq!(memory.get::<u8>(3).unwrap(), 4);
    memory.unlink().unwrap();
    assert!(<Postcard as Codec>::decode::<SharedMemory>(&bytes).is_err());
    let other = SharedMemory::create(&name, 10).unwrap();
    assert!(<Postcard as Codec>::decode::<SharedMemory>(&bytes).is_err(), "another block of that name");
    other.unlink().unwrap();
}

#[test]
fn case_126_views_and_copies_are_held_to_the_size() {
    let memory = SharedMemory::create_anonymous(5000).unwrap();
    assert_eq!(memory.bytes().len(), 5000);
    let error = memory.copy_in(4999, &[1, 2]).unwrap_err();
    let OutOfBoundsError { offset: 4999, length: 2, size: 5000, .. } = error else { panic!("{error}") };
    assert_eq!(memory.get::<u8>(4999).unwrap(), 0, "nothing is written");
    for (offset, length) in [(5001, 0), (usize::MAX, 1), (usize::MAX, usize::MAX), (0, 5001), (1, 5000)] {
        let mut buffer = vec![0; length.min(6000)];
        assert!(memory.copy_out(offset, &mut buffer).is_err(), "{offset} {length}");
        assert!(memory.copy_in(offset, &buffer).is_err(), "{offset} {length}");
    }
    memory.copy_in(5000, &[]).unwrap();
    assert!(memory.get::<[u64; 626]>(0).is_err());

    // Small ones are copied by the program, large ones by the kernel.
    for length in [0, 1, 3, 8, 100, 2047, 2048, 2049, 4096] {
        for offset in [0, 1, 7, 904] {
            let pattern: Vec<u8> = (0..length).map(|index| (index * 7 + offset + length) as u8).collect();
            memory.copy_in(offset, &pattern).unwrap();
            let mut copy = vec![0; length];
            memory.copy_out(offset, &mut copy).unwrap();
            assert_eq!(copy, pattern);
            let seen: Vec<u8> = memory.bytes()[offset..offset + length]
                .iter()
                .map(|byte| byte.load(Ordering::Relaxed))
                .collect();
            assert_eq!(seen, pattern);
        }
    }
    memory.set(3, -1.5_f64).unwrap();
    assert_eq!(memory.get::<f64>(3).unwrap().to_bits(), (-1.5_f64).to_bits(), "not aligned");
    memory.unlink().unwrap();
}

/// What one process writes before it sets an event, another reads after it.
#[test]
fn case_126_bytes_written_before_an_event_are_read_after_it() {
    fn double(memory: SharedMemory, given: AioEvent, done: AioEvent) {
        given.wait().unwrap();
        let mut bytes = vec![0; memory.size()];
        memory.copy_out(0, &mut bytes).unwrap();
        bytes.iter_mut().for_each(|byte| *byte = byte.wrapping_mul(2));
        memory.copy_in(0, &bytes).unwrap();
        done.set();
    }
    let _watchdog = Watchdog::new("case 126");
    for size in [16, 100_000] {
        let memory = SharedMemory::create_anonymous(size).unwrap();
        let (given, done) = (AioEvent::new().unwrap(), AioEvent::new().unwrap());
        let child = AioProcess::builder()
            .daemon(true)
            .spawn(double, (memory.clone(), given.clone(), done.clone()))
            .unwrap();
        let bytes: Vec<u8> = (0..size).map(|index| index as u8).collect();
        memory.copy_in(0, &bytes).unwrap();
        given.set();
        done.wait().unwrap();
        for (index, byte) in memory.bytes().iter().enumerate() {
            assert_eq!(byte.load(Ordering::Relaxed), (index as u8).wrapping_mul(2));
        }
        child.join().unwrap();
        memory.unlink().unwrap();
    }
}

/// P22, on a tmpfs of one mebibyte that only a child has, in the place of `/dev/shm`.
#[test]
fn case_127_too_little_memory_is_an_error() {
    fn on_a_small_one() -> Result<(), String> {
        mount_small()?;
        let full = SharedMemory::create("large", 2 << 20).unwrap_err();
        assert!(full.is_full() && full.to_string().contains("/dev/shm"), "{full}");
        assert!(!is_there("large"));
        let half = SharedMemory::create("half", 512 << 10).unwrap();
        assert!(SharedMemory::create_anonymous(768 << 10).unwrap_err().is_full());
        for byte in half.bytes() {
            byte.store(1, Ordering::Relaxed);
        }
        // As Python makes one: it is promised more than there is.
        let file = std::fs::File::create(path("promised")).unwrap();
        file.set_len(768 << 10).unwrap();
        assert!(SharedMemory::open("promised").unwrap_err().is_full());
        half.unlink().unwrap();
        drop(half);
        let promised = SharedMemory::open("promised").unwrap();
        assert_eq!(promised.size(), 768 << 10);
        for byte in promised.bytes() {
            byte.store(1, Ordering::Relaxed);
        }
        file.set_len(0).unwrap();
        assert!(matches!(SharedMemory::open("promised"), Err(OpenMemoryError::Unfinished { .. })));
        Ok(())
    }
    let child = AioProcess::spawn(on_a_small_one, ()).unwrap();
    if let Err(why) = child.join().unwrap() {
        println!("case 127 is skipped: no tmpfs can be mounted here ({why})");
    }
}

#[allow(unsafe_code, reason = "std has no mounts")]
fn mount_small() -> Result<(), String> {
    let failed = |done: i32, what: &str| {
        if done == 0 { Ok(()) } else { Err(format!("{what}: {}", std::io::Error::last_os_error())) }
    };
    // SAFETY: takes no memory.
    failed(unsafe { libc::unshare(libc::CLONE_NEWNS) }, "unshare")?;
    let (none, root, flags) = (std::ptr::null(), c"/".as_ptr(), libc::MS_REC | libc::MS_PRIVATE);
    // SAFETY: C strings, and null where nothing is meant.
    failed(unsafe { libc::mount(none, root, none, flags, none.cast()) }, "mount / privately")?;
    let (kind, target, size) = (c"tmpfs".as_ptr(), c"/dev/shm".as_ptr(), c"size=1m".as_ptr());
    // SAFETY: C strings.
    failed(unsafe { libc::mount(kind, target, kind, 0, size.cast()) }, "mount a tmpfs")
}

/// `RLIMIT_FSIZE` is an error too, and no SIGXFSZ; it does not keep anyone from attaching and writing.
#[test]
fn case_127_a_limit_on_the_size_of_files_is_an_error() {
    fn limited(large: SharedMemory) {
        let limit = rustix::process::Rlimit { current: Some(65_536), maximum: Some(65_536) };
        rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
        assert!(matches!(
            SharedMemory::create_anonymous(65_537),
            Err(CreateMemoryError::Limit { size: 65_537, .. })
        ));
        SharedMemory::create_anonymous(65_536).unwrap().unlink().unwrap();
        let same = SharedMemory::open(large.name()).unwrap();
        same.copy_in(0, &vec![7; 1 << 20]).unwrap();
    }
    let memory = SharedMemory::create_anonymous(1 << 20).unwrap();
    AioProcess::spawn(limited, (memory.clone(),)).unwrap().join().unwrap();
    assert!(memory.bytes().iter().all(|byte| byte.load(Ordering::Relaxed) == 7));
    memory.unlink().unwrap();
}

#[test]
fn case_129_a_manager_removes_all_its_blocks() {
    let manager = SharedMemoryManager::new();
    let (memory, list) = (manager.memory(100).unwrap(), manager.list([1, 2, 3]).unwrap());
    let gone = manager.memory(1).unwrap();
    gone.unlink().unwrap();
    assert!(memory.is_linked() && list.memory().is_linked());
    manager.shutdown();
    assert!(!memory.is_linked() && !list.memory().is_linked());
    assert_eq!(list.get(2).unwrap().as_int(), Some(3), "views stay");
    let later = manager.memory(5).unwrap();
    drop(manager);
    assert!(!later.is_linked());
}

#[test]
fn case_130_bad_names_are_refused() {
    let long = "x".repeat(256);
    let cases = [
        ("", MemoryNameError::Empty),
        ("///", MemoryNameError::Empty),
        (".", MemoryNameError::Empty),
        ("..", MemoryNameError::Empty),
    ];
    for (name, expected) in cases {
        assert!(
            matches!(SharedMemory::create(name, 1), Err(CreateMemoryError::Name(error)) if error == expected)
        );
        assert!(matches!(SharedMemory::open(name), Err(OpenMemoryError::Name(error)) if error == expected));
    }
    for name in ["a\0b", "a/b", "../etc/passwd", &long] {
        assert!(matches!(SharedMemory::create(name, 1), Err(CreateMemoryError::Name(_))), "{name:?}");
        assert!(
            matches!(SharedMemory::create_untracked(name, 1), Err(CreateMemoryError::Name(_))),
            "{name:?}"
        );
        assert!(matches!(SharedMemory::open(name), Err(OpenMemoryError::Name(_))), "{name:?}");
    }
    let longest = format!("{}{}", name(), "ü".repeat(127));
    let longest: String = longest
        .chars()
        .scan(0, |bytes, c| {
            *bytes += c.len_utf8();
            (*bytes <= 255).then_some(c)
        })
        .collect();
    SharedMemory::create(&longest, 1).unwrap().unlink().unwrap();
}

/// Nothing but files of memory is opened, and nobody waits for the other end of a FIFO.
#[test]
fn case_130_what_is_no_block_is_refused() {
    let _watchdog = Watchdog::new("case 130");
    let (fifo, link, directory) = (name(), name(), name());
    rustix::fs::mknodat(rustix::fs::CWD, path(&fifo), rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
        .unwrap();
    std::os::unix::fs::symlink("/etc/passwd", path(&link)).unwrap();
    std::fs::create_dir(path(&directory)).unwrap();
    for name in [&fifo, &link, &directory] {
        assert!(matches!(SharedMemory::open(name), Err(OpenMemoryError::Io { .. })), "{name}");
        assert!(SharedMemory::create(name, 1).unwrap_err().is_exists());
    }
    std::fs::remove_file(path(&fifo)).unwrap();
    std::fs::remove_file(path(&link)).unwrap();
    std::fs::remove_dir(path(&directory)).unwrap();
}

/// Its tracker would be its parent's.
#[test]
#[allow(unsafe_code, reason = "std does not fork")]
fn a_process_forked_without_exec_creates_no_tracked_blocks() {
    fn fork() {
        let memory = SharedMemory::create_anonymous(1).unwrap();
        // SAFETY: this process has one thread.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            let refused = matches!(SharedMemory::create_anonymous(1), Err(CreateMemoryError::Forked));
            let attached = SharedMemory::open(memory.name()).is_ok();
            // Without the parent's ends of anything.
            let code = i32::from(!(refused && attached));
            // SAFETY: always succeeds.
            unsafe { libc::_exit(code) };
        }
        let mut status = -1;
        // SAFETY: the status is written to.
        assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
        assert_eq!(status, 0);
        assert!(memory.is_linked(), "the end of a fork is not the creator's");
        memory.unlink().unwrap();
    }
    AioProcess::spawn(fork, ()).unwrap().join().unwrap();
}

/// After all of it nothing is left open.
#[test]
fn a_thousand_blocks_leave_no_descriptor_behind() {
    fn many() {
        let first = SharedMemory::create_anonymous(1).unwrap();
        let before = kit::descriptors();
        for _ in 0..1000 {
            let memory = SharedMemory::create_anonymous(4097).unwrap();
            let same = SharedMemory::open(memory.name()).unwrap();
            same.unlink().unwrap();
            assert!(SharedMemory::create(first.name(), 1).is_err());
            assert!(SharedMemory::open("aioprocessing-none").is_err());
        }
        assert_eq!(kit::descriptors(), before);
        first.unlink().unwrap();
    }
    AioProcess::spawn(many, ()).unwrap().join().unwrap();
}

/// Case 163: once all blocks are unlinked, neither a name nor the tracker is left for those who look for leaks.
#[cfg(feature = "fixture")]
#[test]
fn case_163_unlinked_blocks_are_no_leaks() {
    use aioprocessing::fixture::Leaks;

    fn look() -> Result<(Vec<String>, Vec<String>), String> {
        mount_small()?;
        let leaks = Leaks::watch();
        let memory = SharedMemory::create("one", 100).unwrap();
        let found = leaks.found();
        memory.unlink().unwrap();
        drop(memory);
        let by_another = SharedMemory::create("two", 100).unwrap();
        std::fs::remove_file(path("two")).unwrap();
        drop(by_another);
        let left = leaks.found();
        // And another tracker comes.
        SharedMemory::create("three", 1).unwrap();
        tracker(std::process::id());
        Ok((found, left))
    }
    match AioProcess::spawn(look, ()).unwrap().join().unwrap() {
        Ok((found, left)) => {
            assert!(found.iter().any(|line| line.contains("/dev/shm/one")), "{found:?}");
            assert_eq!(left, Vec::<String>::new());
        }
        Err(why) => println!("case 163 is skipped: no tmpfs can be mounted here ({why})"),
    }
}
