//! One body for both faces, in threads and across processes.

use std::time::Duration;

use aioprocessing::{
    AcquireError, AcquireTimeoutError, AioEvent, AioLock, AioLockGuard, AioProcess, WaitTimeoutError,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How one side of a test waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Side {
    Blocking,
    /// As a task on a runtime of its own.
    Coro,
}

impl Side {
    pub(crate) const ALL: &[Self] = &[
        Self::Blocking,
        #[cfg(feature = "tokio")]
        Self::Coro,
    ];

    #[track_caller]
    pub(crate) fn acquire(self, lock: &AioLock) -> Result<AioLockGuard, AcquireError> {
        match self {
            Self::Blocking => lock.acquire(),
            #[cfg(feature = "tokio")]
            Self::Coro => super::runtime().block_on(lock.coro_acquire()),
            #[cfg(not(feature = "tokio"))]
            Self::Coro => unreachable!("not in ALL"),
        }
    }

    /// `None`: the time was over.
    pub(crate) fn acquire_for(
        self,
        lock: &AioLock,
        time: Duration,
    ) -> Option<Result<AioLockGuard, AcquireError>> {
        match self {
            Self::Blocking => match lock.acquire_timeout(time) {
                Ok(guard) => Some(Ok(guard)),
                Err(AcquireTimeoutError::Timeout { .. }) => None,
                Err(AcquireTimeoutError::OwnerDied(guard)) => Some(Err(AcquireError::OwnerDied(guard))),
                Err(other) => panic!("{other}"),
            },
            #[cfg(feature = "tokio")]
            Self::Coro => super::runtime()
                .block_on(async { tokio::time::timeout(time, lock.coro_acquire()).await })
                .ok(),
            #[cfg(not(feature = "tokio"))]
            Self::Coro => unreachable!("not in ALL"),
        }
    }

    pub(crate) fn wait(self, event: &AioEvent) {
        match self {
            Self::Blocking => event.wait().unwrap(),
            #[cfg(feature = "tokio")]
            Self::Coro => super::runtime().block_on(event.coro_wait()).unwrap(),
            #[cfg(not(feature = "tokio"))]
            Self::Coro => unreachable!("not in ALL"),
        }
    }

    /// Whether the event came in time.
    pub(crate) fn wait_for(self, event: &AioEvent, time: Duration) -> bool {
        match self {
            Self::Blocking => match event.wait_timeout(time) {
                Ok(()) => true,
                Err(WaitTimeoutError::Timeout) => false,
                Err(other) => panic!("{other}"),
            },
            #[cfg(feature = "tokio")]
            Self::Coro => super::runtime()
                .block_on(async { tokio::time::timeout(time, event.coro_wait()).await })
                .is_ok_and(|done| {
                    done.unwrap();
                    true
                }),
            #[cfg(not(feature = "tokio"))]
            Self::Coro => unreachable!("not in ALL"),
        }
    }
}

/// Where the other side of a test runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Thread,
    Process,
}

impl Place {
    pub(crate) const ALL: [Self; 2] = [Self::Thread, Self::Process];
}

/// A function under way in a thread or a process.
pub(crate) enum Started<T> {
    Thread(std::thread::JoinHandle<T>),
    Process(AioProcess<T>),
}

impl<T: DeserializeOwned + Serialize> Started<T> {
    pub(crate) fn join(self) -> T {
        match self {
            Self::Thread(thread) => thread.join().unwrap(),
            Self::Process(child) => child.join().unwrap(),
        }
    }
}

/// `start!(place, function, (argument, …))`.
macro_rules! start {
    ($place:expr, $function:expr, ($($argument:expr),* $(,)?)) => {{
        match $place {
            $crate::kit::sides::Place::Thread => {
                #[allow(clippy::redundant_clone)]
                let arguments = ($($argument.clone(),)*);
                $crate::kit::sides::Started::Thread(std::thread::spawn(move || {
                    $crate::kit::sides::call!($function, arguments, ($($argument),*))
                }))
            }
            $crate::kit::sides::Place::Process => $crate::kit::sides::Started::Process(
                aioprocessing::AioProcess::spawn($function, ($($argument.clone(),)*)).unwrap(),
            ),
        }
    }};
}

macro_rules! call {
    ($function:expr, $arguments:ident, ($a:expr)) => {{
        let (a,) = $arguments;
        $function(a)
    }};
    ($function:expr, $arguments:ident, ($a:expr, $b:expr)) => {{
        let (a, b) = $arguments;
        $function(a, b)
    }};
    ($function:expr, $arguments:ident, ($a:expr, $b:expr, $c:expr)) => {{
        let (a, b, c) = $arguments;
        $function(a, b, c)
    }};
    ($function:expr, $arguments:ident, ($a:expr, $b:expr, $c:expr, $d:expr)) => {{
        let (a, b, c, d) = $arguments;
        $function(a, b, c, d)
    }};
}

#[allow(unused_imports, reason = "each test program uses a part of it")]
pub(crate) use {call, start};

/// Runs the body for each way to wait and each place of the other side, under a watchdog.
pub(crate) fn each(test: &str, mut body: impl FnMut(Side, Place, &super::Watchdog)) {
    for &side in Side::ALL {
        for place in Place::ALL {
            let watchdog = super::Watchdog::new(test);
            watchdog.step(format!("{side:?} against a {place:?}"));
            body(side, place, &watchdog);
        }
    }
}
