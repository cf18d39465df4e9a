//! Ways in which a child does not come to begin, or its value does not arrive.

mod kit;

use aioprocessing::{AioProcess, BootstrapError, EncodeError, JoinError, SpawnError, Stdio};
use kit::{Watchdog, each_face};

aioprocessing::test_support!();

fn nothing() {}

/// Reads its bytes and finds that it does not like them.
#[derive(Debug)]
struct Unreadable;

impl serde::Serialize for Unreadable {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u8(1)
    }
}

impl<'de> serde::Deserialize<'de> for Unreadable {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        u8::deserialize(from)?;
        Err(serde::de::Error::custom("unreadable"))
    }
}

/// Can't be written.
#[derive(Debug, serde::Deserialize)]
struct Unwritable;

impl serde::Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("unwritable"))
    }
}

#[test]
fn arguments_that_cannot_be_sent_or_read() {
    each_face("arguments", |face| {
        let error = AioProcess::spawn(|_: Unwritable| (), (Unwritable,)).unwrap_err();
        assert!(matches!(error, SpawnError::Arguments(EncodeError::Value { .. })), "{error:?}");

        let child = AioProcess::spawn(|_: Unreadable| (), (Unreadable,)).unwrap();
        let error = face.join(&child).unwrap_err();
        assert!(matches!(error, JoinError::Bootstrap(BootstrapError::Arguments { .. })), "{error:?}");
        assert!(error.to_string().contains("arguments"), "{error}");
    });
}

#[test]
fn values_that_cannot_be_sent_or_read() {
    each_face("values", |face| {
        let child = AioProcess::spawn(|| Unwritable, ()).unwrap();
        let error = face.join(&child).unwrap_err();
        assert!(matches!(error, JoinError::Bootstrap(BootstrapError::Output { .. })), "{error:?}");

        let child = AioProcess::spawn(|| Unreadable, ()).unwrap();
        let error = face.join(&child).unwrap_err();
        assert!(matches!(error, JoinError::Bootstrap(BootstrapError::Output { .. })), "{error:?}");
        assert_eq!(child.exit_code(), Some(0));
    });
}

/// The text is found by programs that are nobody's child, and means nothing to them.
#[test]
fn a_bootstrap_text_that_does_not_fit_is_ignored() {
    let _watchdog = Watchdog::new("texts");
    let me = std::process::id();
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let inode = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata("/proc/self").unwrap());
    let texts = [
        String::new(),
        "x".into(),
        "3".into(),
        format!("3:{inode}:{me}"),
        format!("0:1:{me}"),
        format!("-1:1:{me}:"),
    ];
    for text in texts {
        let listed = std::process::Command::new("/proc/self/exe")
            .args(["--list", "--format=terse"])
            .env("AIOPROCESSING_BOOTSTRAP", &text)
            .output()
            .unwrap();
        assert!(String::from_utf8_lossy(&listed.stdout).contains("that_does_not_fit"), "{text}: {listed:?}");
    }
    drop((ours, theirs));
}

/// A program that a child starts inherits the environment, and nothing else.
#[test]
fn what_a_child_starts_is_no_child_of_its_parent() {
    fn list_tests() -> bool {
        let listed = std::process::Command::new("/proc/self/exe").args(["--list", "--format=terse"]).output();
        String::from_utf8_lossy(&listed.unwrap().stdout).contains("that_does_not_fit")
    }
    let _watchdog = Watchdog::new("programs of a child");
    assert!(AioProcess::spawn(list_tests, ()).unwrap().join().unwrap());
}

#[test]
fn no_descriptor_left_for_a_spawn_is_an_error_that_leaves_nothing() {
    fn without_descriptors() -> Vec<String> {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let before = kit::descriptors().len();
        let maximum = getrlimit(Resource::Nofile).maximum;
        let mut errors = Vec::new();
        for room in 0..8_u64 {
            let limit = Rlimit { current: Some(before as u64 + room), maximum };
            setrlimit(Resource::Nofile, limit).unwrap();
            match AioProcess::builder().daemon(true).stdin(Stdio::piped()).spawn(nothing, ()) {
                Err(error) => errors.push(error.to_string()),
                Ok(child) => drop(child.join()),
            }
        }
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
        aioprocessing::active_children();
        assert_eq!(kit::descriptors().len(), before);
        assert!(
            !std::fs::read_to_string("/proc/thread-self/children").is_ok_and(|list| !list.trim().is_empty())
        );
        errors
    }
    each_face("no descriptors", |face| {
        let errors = face.join(&AioProcess::spawn(without_descriptors, ()).unwrap()).unwrap();
        assert!(errors.len() >= 3, "{errors:?}");
        assert!(errors.iter().all(|error| error.contains("cannot start a process")), "{errors:?}");
    });
}
