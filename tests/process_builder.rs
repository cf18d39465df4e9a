//! Every setting of the builder acts, or is an error that names it.

mod kit;

use std::io::{Read, Seek, Write};
use std::os::fd::OwnedFd;

use aioprocessing::{AioProcess, BootstrapError, JoinError, SpawnError, Stdio, current_process};
use kit::{Watchdog, each_face, sleep_for_ever, until};

aioprocessing::test_support!();

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Which setting was refused, and with what number.
fn refused(error: JoinError) -> (String, Option<i32>) {
    match error {
        JoinError::Bootstrap(BootstrapError::Setting { setting, source, .. }) => {
            (setting, source.raw_os_error())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn name() {
    fn names() -> (String, String) {
        let comm = std::fs::read_to_string("/proc/self/comm").unwrap();
        (current_process().name().to_owned(), comm.trim().to_owned())
    }
    each_face("name", |face| {
        let child = AioProcess::builder().name("a rather long name ä").spawn(names, ()).unwrap();
        assert_eq!(child.name(), "a rather long name ä");
        let (name, comm) = face.join(&child).unwrap();
        assert_eq!((name.as_str(), comm.as_str()), ("a rather long name ä", "a rather long n"));
    });
}

#[test]
fn environment() {
    fn look() -> Vec<(String, String)> {
        std::env::vars().filter(|(key, _)| key == "PATH" || key.starts_with("AIO_TEST_")).collect()
    }
    each_face("environment", |face| {
        let builder =
            AioProcess::builder().env("AIO_TEST_A", "1").env("AIO_TEST_A", "2").env("AIO_TEST_B", "=ä");
        let seen = face.join(&builder.spawn(look, ()).unwrap()).unwrap();
        assert!(seen.contains(&("AIO_TEST_A".to_owned(), "2".to_owned())));
        assert!(seen.contains(&("AIO_TEST_B".to_owned(), "=ä".to_owned())));
        assert!(seen.iter().any(|(key, _)| key == "PATH"));

        let builder = AioProcess::builder().env("AIO_TEST_A", "gone").env_clear().env("AIO_TEST_B", "kept");
        let seen = face.join(&builder.spawn(look, ()).unwrap()).unwrap();
        assert_eq!(seen, [("AIO_TEST_B".to_owned(), "kept".to_owned())]);
    });
    for (key, value) in [("", "x"), ("A=B", "x"), ("A\0", "x"), ("AIO_TEST_A", "x\0y")] {
        let error = AioProcess::builder().env(key, value).spawn(|| (), ()).unwrap_err();
        assert!(matches!(error, SpawnError::Os { .. }), "{key:?}={value:?}: {error:?}");
    }
}

#[test]
fn current_dir() {
    each_face("current_dir", |face| {
        let dir = tempfile::tempdir().unwrap();
        let child =
            AioProcess::builder().current_dir(dir.path()).spawn(|| std::env::current_dir().unwrap(), ());
        assert_eq!(face.join(&child.unwrap()).unwrap(), dir.path().canonicalize().unwrap());
    });
    let error = AioProcess::builder().current_dir("/no such directory").spawn(|| (), ()).unwrap_err();
    assert!(
        matches!(&error, SpawnError::CurrentDir { path, .. } if path.as_os_str() == "/no such directory")
    );
    assert!(error.to_string().contains("/no such directory"), "{error}");
}

#[test]
fn streams_piped() {
    fn shout() -> u8 {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).unwrap();
        print!("{}", text.to_uppercase());
        eprint!("{}", text.len());
        1
    }
    each_face("piped", |face| {
        let builder =
            AioProcess::builder().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = builder.spawn(shout, ()).unwrap();
        child.take_stdin().unwrap().write_all(b"quiet").unwrap();
        assert!(child.take_stdin().is_none());
        let (mut out, mut err) = (String::new(), String::new());
        child.take_stdout().unwrap().read_to_string(&mut out).unwrap();
        child.take_stderr().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!((out.as_str(), err.as_str()), ("QUIET", "5"));
        assert_eq!(face.join(&child).unwrap(), 1);
    });
}

/// Else the child waits for the end of its input, and the parent for the end of the child.
#[test]
fn a_join_closes_an_input_that_nobody_took() {
    each_face("untaken input", |face| {
        let read = || std::io::read_to_string(std::io::stdin()).unwrap();
        let child = AioProcess::builder().stdin(Stdio::piped()).spawn(read, ()).unwrap();
        assert_eq!(face.join(&child).unwrap(), "");
    });
}

#[test]
fn streams_null_and_given() {
    fn copy() -> String {
        let text = std::io::read_to_string(std::io::stdin()).unwrap();
        println!("out:{text}");
        eprint!("err:{text}");
        text
    }
    each_face("given", |face| {
        let mut input = tempfile::tempfile().unwrap();
        input.write_all(b"given").unwrap();
        input.rewind().unwrap();
        let mut output = tempfile::tempfile().unwrap();
        let other: OwnedFd = output.try_clone().unwrap().into();
        let builder = AioProcess::builder().stdin(input).stdout(output.try_clone().unwrap()).stderr(other);
        assert_eq!(face.join(&builder.spawn(copy, ()).unwrap()).unwrap(), "given");
        let mut text = String::new();
        output.rewind().unwrap();
        output.read_to_string(&mut text).unwrap();
        assert_eq!(text, "out:given\nerr:given");

        let builder = AioProcess::builder().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = builder.spawn(copy, ()).unwrap();
        assert!(
            child.take_stdin().is_none() && child.take_stdout().is_none() && child.take_stderr().is_none()
        );
        assert_eq!(face.join(&child).unwrap(), "");
    });
}

#[test]
fn kill_on_drop() {
    let _watchdog = Watchdog::new("kill_on_drop");
    let child = AioProcess::builder().kill_on_drop(true).spawn(sleep_for_ever, ()).unwrap();
    let pid = child.pid();
    drop(child);
    until("the child's death", || kit::is_dead(pid));

    let child = AioProcess::builder().kill_on_drop(false).spawn(sleep_for_ever, ()).unwrap();
    let pid = child.pid();
    drop(child);
    // One handle for both: who has ended is no active child.
    let found = aioprocessing::active_children().into_iter().find(|other| other.pid() == pid);
    let found = found.expect("the child outlives its handle");
    found.kill().unwrap();
    assert_eq!(found.wait(), Ok(Some(-9)));
}

#[test]
fn memory_limit() {
    fn take(megabytes: usize) -> usize {
        std::hint::black_box(vec![1_u8; megabytes << 20]).len()
    }
    each_face("memory_limit", |face| {
        let limited = || AioProcess::builder().memory_limit(64 << 20).stderr(Stdio::null());
        assert_eq!(face.join(&limited().spawn(take, (16,)).unwrap()).unwrap(), 16 << 20);
        let error = face.join(&limited().spawn(take, (128,)).unwrap()).unwrap_err();
        assert!(matches!(error, JoinError::Signaled { signal: 6, .. }), "{error:?}");
        let arguments = ("x".repeat(80 << 20),);
        let error = face.join(&limited().spawn(|text: String| text.len(), arguments).unwrap()).unwrap_err();
        assert!(matches!(error, JoinError::Signaled { signal: 6, .. }), "{error:?}");
    });
}

#[test]
fn nice() {
    fn nice() -> i32 {
        rustix::process::getpriority_process(None).unwrap()
    }
    each_face("nice", |face| {
        let wanted = (nice() + 3).min(19);
        assert_eq!(face.join(&AioProcess::builder().nice(wanted).spawn(nice, ()).unwrap()).unwrap(), wanted);
    });
}

#[test]
fn process_group() {
    fn group() -> u32 {
        rustix::process::getpgrp().as_raw_nonzero().get().cast_unsigned()
    }
    each_face("process_group", |face| {
        let child = AioProcess::builder().process_group(0).spawn(group, ()).unwrap();
        assert_eq!(face.join(&child).unwrap(), child.pid());
        let child = AioProcess::spawn(group, ()).unwrap();
        assert_eq!(face.join(&child).unwrap(), group());
    });
    let error = AioProcess::builder().process_group(1).spawn(|| (), ()).unwrap_err();
    assert!(error.source_is_refusal(), "{error:?}");
}

trait Refusal {
    fn source_is_refusal(&self) -> bool;
}

impl Refusal for SpawnError {
    fn source_is_refusal(&self) -> bool {
        matches!(self, Self::Executable { .. } | Self::Os { .. })
    }
}

#[test]
fn cpu_affinity() {
    fn allowed() -> Vec<usize> {
        let set = rustix::thread::sched_getaffinity(None).unwrap();
        (0..rustix::thread::CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect()
    }
    each_face("cpu_affinity", |face| {
        let last = *allowed().last().unwrap();
        let child = AioProcess::builder().cpu_affinity([last]).spawn(allowed, ()).unwrap();
        assert_eq!(face.join(&child).unwrap(), [last]);
        for cpus in [vec![], vec![1023], vec![usize::MAX]] {
            let child = AioProcess::builder().cpu_affinity(cpus).spawn(|| (), ()).unwrap();
            assert_eq!(
                refused(face.join(&child).unwrap_err()),
                ("cpu_affinity".to_owned(), Some(libc::EINVAL))
            );
        }
    });
}

#[test]
fn uid_and_gid() {
    fn ids() -> (u32, u32, usize) {
        let groups = rustix::process::getgroups().unwrap().len();
        (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw(), groups)
    }
    each_face("uid and gid", |face| {
        let builder = AioProcess::builder().uid(12345).gid(54321);
        let child = builder.spawn(ids, ()).unwrap();
        if is_root() {
            assert_eq!(face.join(&child).unwrap(), (12345, 54321, 0));
        } else {
            assert_eq!(refused(face.join(&child).unwrap_err()).1, Some(libc::EPERM));
        }
        let (uid, gid, _) = ids();
        let child = AioProcess::builder().uid(uid).gid(gid).spawn(ids, ()).unwrap();
        let seen = face.join(&child).unwrap();
        assert_eq!((seen.0, seen.1), (uid, gid));
    });
}

/// In a process of its own, as it holds for the whole of it.
#[test]
fn set_executable() {
    fn elsewhere() -> Vec<String> {
        let mut seen = Vec::new();
        let mut try_with = |path: &std::path::Path| {
            aioprocessing::set_executable(path);
            seen.push(match AioProcess::spawn(|| std::env::current_exe().unwrap(), ()) {
                Err(error) => error.to_string(),
                Ok(child) => match child.join() {
                    Err(error) => error.to_string(),
                    Ok(path) => path.file_name().unwrap().to_str().unwrap().to_owned(),
                },
            });
        };
        let dir = tempfile::tempdir().unwrap();
        let copy = dir.path().join("copy");
        std::fs::copy("/proc/self/exe", &copy).unwrap();
        try_with(&copy);

        let wrapper = dir.path().join("wrapper");
        std::fs::write(&wrapper, "#!/bin/sh\nexec \"$(dirname \"$0\")/copy\" \"$@\"\n").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&wrapper, mode).unwrap();
        try_with(&wrapper);

        try_with("/bin/true".as_ref());
        try_with("/no such program".as_ref());
        seen
    }
    each_face("set_executable", |face| {
        let seen = face.join(&AioProcess::spawn(elsewhere, ()).unwrap()).unwrap();
        assert_eq!(&seen[..2], ["copy", "copy"]);
        assert!(seen[2].contains("aioprocessing::init()"), "{seen:?}");
        assert!(seen[3].contains("cannot run /no such program"), "{seen:?}");
    });
}

/// Its file is another by now, or none: the child is the running program all the same.
#[test]
fn the_executable_is_replaced_on_disk_while_it_runs() {
    fn replaced() -> (u64, bool, u64) {
        let own = std::env::current_exe().unwrap();
        let other = own.with_extension("other");
        std::fs::copy("/bin/true", &other).unwrap();
        std::fs::rename(&other, &own).unwrap();
        let first = AioProcess::spawn(|x: u64| x + 1, (1,)).unwrap().join().unwrap();
        std::fs::remove_file(&own).unwrap();
        let second = AioProcess::spawn(|x: u64| x + 2, (1,)).unwrap().join().unwrap();
        (first, own.exists(), second)
    }
    fn run_the_copy(copy: std::path::PathBuf) -> (u64, bool, u64) {
        aioprocessing::set_executable(copy);
        AioProcess::spawn(
            || {
                aioprocessing::set_executable("/proc/self/exe");
                replaced()
            },
            (),
        )
        .unwrap()
        .join()
        .unwrap()
    }
    each_face("replaced", |face| {
        let dir = tempfile::tempdir().unwrap();
        let copy = dir.path().join("copy");
        std::fs::copy("/proc/self/exe", &copy).unwrap();
        let child = AioProcess::spawn(run_the_copy, (copy,)).unwrap();
        assert_eq!(face.join(&child).unwrap(), (2, false, 3));
    });
}
