//! A child, from `init` to its end.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, setpriority_process, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity, set_name};

use super::function::Ran;
use super::message::{FAILED, Failure, PANICKED, Panic, RETURNED, Role, START, Settings, Setup};
use super::{family, init};
use crate::planted::planted;
use crate::sys::entry::{Entry, Misplaced, Place};
use crate::sys::{credentials, signal};
use crate::wire::frame::{self, Frame};
use crate::wire::{Codec, Postcard};

/// A child that could not begin ends with this code (`EX_SOFTWARE`); its parent is told why.
const COULD_NOT_BEGIN: i32 = 70;
/// What std's runtime exits with after a panic.
const PANICKED_CODE: i32 = 101;

/// The socket to the parent. The panic hook needs it, too.
static PARENT: OnceLock<OwnedFd> = OnceLock::new();
/// The read end of a pipe that nobody writes, held for as long as this process lives.
static LEASH: OnceLock<OwnedFd> = OnceLock::new();

thread_local! {
    static LAST_PANIC: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

/// Does what the parent asks for, and ends the process.
#[inline]
pub(super) fn attend(socket: OwnedFd) -> ! {
    let socket = PARENT.get_or_init(|| socket);
    match begin(socket) {
        Err(failure) => end_with(&failure),
        #[cfg(feature = "tokio")]
        Ok(job) if super::runtime::is_here() => on_a_thread(job),
        Ok(job) => work(job),
    }
}

/// What the parent asks for.
struct Job {
    #[cfg_attr(
        not(feature = "tokio"),
        allow(dead_code, reason = "names the thread that a runtime asks for")
    )]
    name: String,
    entry: &'static Entry<Ran>,
    message: Frame,
    /// Where in its bytes the arguments begin.
    args_at: usize,
}

/// Takes the parent's message and becomes what it says.
fn begin(socket: &OwnedFd) -> Result<Job, Failure> {
    let mut message = take(socket)?;
    let (setup, args) =
        Setup::split(&message.bytes).ok_or_else(|| Failure::Message("its lengths are wrong".to_owned()))?;
    let args_at = message.bytes.len() - args.len();
    let place =
        Place::read(setup.place).ok_or_else(|| Failure::Message("its place is damaged".to_owned()))?;
    let entry = Entry::<Ran>::at(&place).map_err(|misplaced| match misplaced {
        Misplaced::OtherBuild => Failure::OtherBuild,
        Misplaced::NoEntry => Failure::NoFunction,
    })?;
    let role: Role = decoded(setup.role)?;
    if role.is_daemon {
        let leash = message.descriptors.pop();
        wear(leash.ok_or_else(|| Failure::Message("it lacks the pipe of a daemon".to_owned()))?)?;
    }
    take_name(&role.name);
    settle(&role.settings)?;
    let name = role.name.clone();
    family::become_child(role);
    Ok(Job { name, entry, message, args_at })
}

fn take(socket: &OwnedFd) -> Result<Frame, Failure> {
    match frame::receive(socket) {
        Ok(Some(frame)) if frame.kind == START => Ok(frame),
        Ok(_) => Err(Failure::Message("it has not come".to_owned())),
        Err(error) => Err(Failure::Message(error.to_string())),
    }
}

fn decoded<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    Postcard::decode(bytes).map_err(|error| Failure::Message(error.to_string()))
}

/// From here on the parent's death is this process's.
fn wear(leash: OwnedFd) -> Result<(), Failure> {
    let leash = LEASH.get_or_init(|| leash);
    signal::die_with(leash).map_err(|error| Failure::Setting("daemon".to_owned(), code(&error)))?;
    // A parent that died before is told of by nobody: this look is the one that sees it.
    planted!("daemon-arms-without-a-last-look", signal::die_if_orphaned(leash), ());
    Ok(())
}

fn code(error: &std::io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

/// The name for locks and errors, and its first 15 bytes for `ps`, where it would be `exe`.
fn take_name(name: &str) {
    crate::shm::set_process_name(name);
    let mut short = [0; 16];
    let length = name.floor_char_boundary(15);
    short[..length].copy_from_slice(&name.as_bytes()[..length]);
    if let Ok(short) = CStr::from_bytes_until_nul(&short) {
        let _ = set_name(short);
    }
}

/// In this order: once the user has changed, the rest may no longer be allowed.
fn settle(settings: &Settings) -> Result<(), Failure> {
    let refused = |setting: &'static str| {
        move |error: std::io::Error| Failure::Setting(setting.to_owned(), code(&error))
    };
    if let Some(cpus) = &settings.cpu_affinity {
        let mut set = CpuSet::new();
        if cpus.iter().any(|&cpu| cpu >= CpuSet::MAX_CPU) {
            return Err(Failure::Setting("cpu_affinity".to_owned(), libc::EINVAL));
        }
        cpus.iter().for_each(|&cpu| set.set(cpu));
        sched_setaffinity(None, &set).map_err(|error| refused("cpu_affinity")(error.into()))?;
    }
    if let Some(nice) = settings.nice {
        setpriority_process(None, nice).map_err(|error| refused("nice")(error.into()))?;
    }
    if let Some(bytes) = settings.memory_limit {
        let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
        setrlimit(Resource::Data, limit).map_err(|error| refused("memory_limit")(error.into()))?;
    }
    if settings.uid.is_some() {
        credentials::drop_groups().map_err(refused("uid"))?;
    }
    if let Some(gid) = settings.gid {
        credentials::set_gid(gid).map_err(refused("gid"))?;
    }
    if let Some(uid) = settings.uid {
        credentials::set_uid(uid).map_err(refused("uid"))?;
    }
    Ok(())
}

/// `init` stands inside of a runtime, on one of its threads: the function may block or start a runtime of its own.
#[cfg(feature = "tokio")]
fn on_a_thread(job: Job) -> ! {
    let thread = std::thread::Builder::new().name(job.name.replace('\0', " "));
    match thread.spawn(move || work(job)) {
        Err(error) => end_with(&Failure::Setting("thread".to_owned(), code(&error))),
        // It ends the process.
        Ok(_) => loop {
            std::thread::park();
        },
    }
}

/// Calls the function, sends what came of it, and ends the process.
fn work(Job { entry, message, args_at, .. }: Job) -> ! {
    init::allow_children();
    record_panics();
    match caught(|| entry.run(&message.bytes[args_at..], message.descriptors)) {
        Ok(Ok(value)) => match frame::send(parent(), RETURNED, &value.bytes, &value.descriptors) {
            Ok(()) => std::process::exit(0),
            Err(error) if is_gone(&error) => std::process::exit(0),
            Err(error) => end_with(&Failure::Output(error.to_string())),
        },
        Ok(Err(failure)) => end_with(&failure),
        Err(panic) => {
            tell_panic(&panic);
            std::process::exit(PANICKED_CODE)
        }
    }
}

fn end_with(failure: &Failure) -> ! {
    let mut bytes = Vec::new();
    if Postcard::encode(failure, &mut bytes).is_ok() {
        say(FAILED, &bytes, &[]);
    }
    std::process::exit(COULD_NOT_BEGIN)
}

fn parent() -> &'static OwnedFd {
    PARENT.wait()
}

/// Tells the parent something, if it is there to hear it.
fn say(kind: u8, bytes: &[u8], descriptors: &[OwnedFd]) {
    if let Some(socket) = PARENT.get() {
        let _ = frame::send(socket, kind, bytes, descriptors);
    }
}

/// The parent's end is closed: it is dead, or has dropped the handle.
fn is_gone(error: &frame::FrameError) -> bool {
    matches!(error, frame::FrameError::Os(error)
        if matches!(error.raw_os_error(), Some(libc::EPIPE | libc::ECONNRESET | libc::ENOTCONN)))
}

/// Only the hook knows where a panic is. The usual one, which prints it, goes on after that.
fn record_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let panic = describe(info);
        if cfg!(panic = "abort") {
            tell_panic(&panic);
        }
        LAST_PANIC.set(Some(panic));
        usual(info);
    }));
}

fn describe(info: &PanicHookInfo<'_>) -> Panic {
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    Panic { message: text(info.payload()), location }
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("the panic's payload is not text").to_owned()
}

/// The panic that a payload came from. One that was raised again, or whose hook was replaced, has no place.
fn panic_of(payload: &(dyn Any + Send)) -> Panic {
    let message = text(payload);
    match LAST_PANIC.take() {
        Some(panic) if panic.message == message => panic,
        _ => Panic { message, location: String::new() },
    }
}

/// Calls a function of the user's, and says where it panicked if it did.
pub(crate) fn caught<R>(function: impl FnOnce() -> R) -> Result<R, Panic> {
    catch_unwind(AssertUnwindSafe(function)).map_err(|payload| {
        let panic = panic_of(&*payload);
        // What it holds may panic when it is dropped.
        std::mem::forget(payload);
        panic
    })
}

fn tell_panic(panic: &Panic) {
    let mut bytes = Vec::new();
    if Postcard::encode(panic, &mut bytes).is_ok() {
        say(PANICKED, &bytes, &[]);
    }
}
