//! `timer_create(2)` on `CLOCK_MONOTONIC` with SIGKILL: a process that takes too long is ended by the kernel, whatever it does.

#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::ptr::null_mut;

/// A timer that kills this process when it runs out.
#[derive(Debug)]
pub(crate) struct KillTimer(libc::timer_t);

// SAFETY: the handle names a kernel object of the process and not of a thread.
unsafe impl Send for KillTimer {}

impl KillTimer {
    /// Not armed yet.
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: all zeroes are a valid sigevent.
        let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = libc::SIGKILL;
        let mut timer = MaybeUninit::uninit();
        // SAFETY: both pointers are to live memory of the right types.
        let done = unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, timer.as_mut_ptr()) };
        if done == -1 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call above succeeded and has written it.
        Ok(Self(unsafe { timer.assume_init() }))
    }

    /// Runs out after `nanos`, in place of what was set before; zero: never.
    pub(crate) fn set(&self, nanos: u64) -> io::Result<()> {
        let value = libc::timespec {
            tv_sec: libc::time_t::try_from(nanos / 1_000_000_000).unwrap_or(libc::time_t::MAX),
            tv_nsec: (nanos % 1_000_000_000).cast_signed(),
        };
        let interval = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let setting = libc::itimerspec { it_interval: interval, it_value: value };
        // SAFETY: the timer exists for as long as `self`, and the setting outlives the call.
        let done = unsafe { libc::timer_settime(self.0, 0, &raw const setting, null_mut()) };
        if done == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

impl Drop for KillTimer {
    fn drop(&mut self) {
        // SAFETY: the timer exists, and this is its last use.
        unsafe { libc::timer_delete(self.0) };
    }
}
