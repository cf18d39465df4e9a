//! `posix_spawn(3)`: a new process without a fork, whose cost does not grow with the memory of its parent.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr::null_mut;

use crate::planted::planted;

/// What a new process gets.
pub(crate) struct SpawnPlan<'a> {
    pub(crate) program: &'a CStr,
    pub(crate) args: &'a Strings,
    pub(crate) env: &'a Strings,
    pub(crate) current_dir: Option<&'a CStr>,
    pub(crate) process_group: Option<i32>,
    /// Each descriptor with the number that it has in the child. Sources must not lie where a later target does.
    pub(crate) descriptors: &'a [(BorrowedFd<'a>, RawFd)],
    /// Numbers that are opened on `/dev/null`.
    pub(crate) null: &'a [RawFd],
}

/// Strings as `exec` takes them, one behind the other: an environment has dozens, and an allocation for each takes longer than
/// all else that is done for a child here.
#[derive(Debug, Default)]
pub(crate) struct Strings {
    text: Vec<u8>,
    starts: Vec<usize>,
}

impl Strings {
    /// With room for so many strings of the usual length.
    pub(crate) fn with_room(strings: usize) -> Self {
        Self { text: Vec::with_capacity(64 * strings), starts: Vec::with_capacity(strings) }
    }

    /// Appends a string that consists of these parts. A zero byte in one of them would be its end.
    pub(crate) fn push(&mut self, parts: &[&[u8]]) {
        self.starts.push(self.text.len());
        parts.iter().for_each(|part| self.text.extend_from_slice(part));
        self.text.push(0);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Pointers that are only read, and a null at the end.
    fn pointers(&self) -> Vec<*mut c_char> {
        let text = self.text.as_ptr().cast::<c_char>().cast_mut();
        let strings = self.starts.iter().map(|&start| text.wrapping_add(start));
        strings.chain([null_mut()]).collect()
    }
}

/// Signals that a child meets with their default action, whatever the parent ignores: `terminate` and `interrupt`
/// must reach it, and std ignores SIGPIPE.
const DEFAULTED: [c_int; 3] = [libc::SIGPIPE, libc::SIGINT, libc::SIGTERM];

/// Starts the process and returns its pid. Nobody else can reap it before the caller looks, unless something in this
/// process waits for any child.
pub(crate) fn spawn(plan: &SpawnPlan<'_>) -> io::Result<u32> {
    let mut actions = Actions::new()?;
    if let Some(path) = plan.current_dir {
        actions.chdir(path)?;
    }
    for &number in plan.null {
        actions.null(number)?;
    }
    for &(source, target) in plan.descriptors {
        actions.inherit(source, target)?;
    }
    let mut attributes = Attributes::new()?;
    attributes.fill(plan.process_group)?;
    let (args, env) = (plan.args.pointers(), plan.env.pointers());
    let mut pid = 0;
    // SAFETY: the program and all strings end with a zero byte, both arrays with a null, and the actions and attributes
    // are initialised; all of them outlive the call.
    let failed = unsafe {
        libc::posix_spawn(
            &raw mut pid,
            plan.program.as_ptr(),
            &raw const actions.0,
            &raw const attributes.0,
            args.as_ptr(),
            env.as_ptr(),
        )
    };
    checked(failed)?;
    Ok(pid.cast_unsigned())
}

fn checked(error: c_int) -> io::Result<()> {
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)) }
}

/// `posix_spawn_file_actions_t`.
struct Actions(libc::posix_spawn_file_actions_t);

impl Actions {
    fn new() -> io::Result<Self> {
        let mut actions = MaybeUninit::uninit();
        // SAFETY: the pointer is to memory of the right size, which the call initialises.
        checked(unsafe { libc::posix_spawn_file_actions_init(actions.as_mut_ptr()) })?;
        // SAFETY: the call above succeeded.
        Ok(Self(unsafe { actions.assume_init() }))
    }

    fn chdir(&mut self, path: &CStr) -> io::Result<()> {
        // SAFETY: the actions are initialised, and the C string is copied by the call.
        checked(unsafe { libc::posix_spawn_file_actions_addchdir_np(&raw mut self.0, path.as_ptr()) })
    }

    fn null(&mut self, number: RawFd) -> io::Result<()> {
        let (path, flags) = (c"/dev/null".as_ptr(), libc::O_RDWR);
        // SAFETY: the actions are initialised, and the C string is copied by the call.
        checked(unsafe { libc::posix_spawn_file_actions_addopen(&raw mut self.0, number, path, flags, 0) })
    }

    /// Copies a descriptor onto a number, its own included: either way it survives the exec.
    fn inherit(&mut self, source: BorrowedFd<'_>, target: RawFd) -> io::Result<()> {
        let source = source.as_raw_fd();
        // SAFETY: the actions are initialised; the numbers are only used in the child.
        checked(unsafe { libc::posix_spawn_file_actions_adddup2(&raw mut self.0, source, target) })
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, destroyed only here.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.0) };
    }
}

/// `posix_spawnattr_t`.
struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    fn new() -> io::Result<Self> {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: the pointer is to memory of the right size, which the call initialises.
        checked(unsafe { libc::posix_spawnattr_init(attributes.as_mut_ptr()) })?;
        // SAFETY: the call above succeeded.
        Ok(Self(unsafe { attributes.assume_init() }))
    }

    /// No signal blocked, those of [`DEFAULTED`] at their default, and the process group.
    fn fill(&mut self, process_group: Option<i32>) -> io::Result<()> {
        let mask = planted!("blocked-signals-are-inherited", libc::POSIX_SPAWN_SETSIGMASK, 0);
        let mut flags = mask | libc::POSIX_SPAWN_SETSIGDEF;
        let (none, defaulted) = (signals(&[]), signals(&DEFAULTED));
        // SAFETY: attributes and set are initialised.
        checked(unsafe { libc::posix_spawnattr_setsigmask(&raw mut self.0, &raw const none) })?;
        // SAFETY: attributes and set are initialised.
        checked(unsafe { libc::posix_spawnattr_setsigdefault(&raw mut self.0, &raw const defaulted) })?;
        if let Some(group) = process_group {
            flags |= libc::POSIX_SPAWN_SETPGROUP;
            // SAFETY: the attributes are initialised.
            checked(unsafe { libc::posix_spawnattr_setpgroup(&raw mut self.0, group) })?;
        }
        let flags = libc::c_short::try_from(flags).unwrap_or(0);
        // SAFETY: the attributes are initialised.
        checked(unsafe { libc::posix_spawnattr_setflags(&raw mut self.0, flags) })
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, destroyed only here.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.0) };
    }
}

fn signals(members: &[c_int]) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the pointer is to memory of the right size, which the call initialises; it can't fail.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    for &member in members {
        // SAFETY: the set is initialised; a number that is no signal is refused.
        unsafe { libc::sigaddset(set.as_mut_ptr(), member) };
    }
    // SAFETY: initialised by sigemptyset.
    unsafe { set.assume_init() }
}
