use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::guard::{AioLockGuard, Last, Tale};
use super::spare;
use crate::raw::{Acquired, LockWords, Party};
use crate::shm::{Owner, Ref, Region};
use crate::sys::place;
use crate::wait::Bell;

/// A region up to this length is light, in bytes.
const LIGHT: usize = 1 << 20;

/// One process's handle on a lock: the words, and what this process has seen of their owners.
pub(in crate::sync) struct Core {
    pub(in crate::sync) words: Ref<LockWords>,
    /// The region's word for this process, which never changes, where it is at hand.
    me: Owner,
    sighting: Mutex<Option<Sighting>>,
    /// Whether it costs little to keep it for longer than it is needed.
    pub(super) is_light: bool,
    /// Of the few guards that have more to say than that they hold the lock, each of which has a core of its own.
    pub(super) tale: Option<Tale>,
}

/// When this process first saw the present owner with the present acquisition.
struct Sighting {
    owner: Owner,
    acquisition: (u32, u32),
    since: Instant,
}

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// The name of the process, as [`current_process`](crate::current_process) gives it there.
    pub name: String,
    /// Its number.
    pub pid: u32,
    /// For at least how long it has held the lock: counted by this process, from when it first saw this holder.
    pub held_for: Duration,
    /// The source line that acquired the lock, as `file:line:column`, if it runs the same program as this process.
    pub location: Option<String>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} (pid {}), for at least {:?}", self.name, self.pid, self.held_for)?;
        match &self.location {
            Some(location) => write!(f, ", acquired at {location}"),
            None => Ok(()),
        }
    }
}

impl Core {
    pub(in crate::sync) fn new(words: Ref<LockWords>) -> Self {
        let (me, is_light) = (words.region().me(), words.region().length() <= LIGHT);
        Self { words, me, sighting: Mutex::new(None), is_light, tale: None }
    }

    #[cold]
    fn of_a_panic(&self) -> Arc<Self> {
        self.with_tale(Tale::new(None, true))
    }

    #[cold]
    fn with_tale(&self, tale: Tale) -> Arc<Self> {
        let tale = Some(tale);
        let (words, me) = (self.words.clone(), self.me);
        Arc::new(Self { words, me, sighting: Mutex::new(None), is_light: false, tale })
    }

    pub(in crate::sync) fn party(&self) -> Party<'_, Region> {
        let region = self.words.region();
        Party { me: self.me, alive: region, bell: Bell::new(region, 0) }
    }

    #[inline]
    pub(in crate::sync) fn is_ours(&self) -> bool {
        self.words.region().is_ours()
    }

    /// The guard of a free lock that nobody waits for; `None` in all other cases, for the slower ways.
    #[inline]
    pub(in crate::sync) fn take_free(
        self: &Arc<Self>,
        location: &'static Location<'static>,
    ) -> Option<AioLockGuard> {
        if !self.is_ours() || !self.words.take_free(self.me) {
            return None;
        }
        self.words.sign(place::note(location));
        Some(self.plain_guard())
    }

    /// Gives the lock back, if nobody waits for it.
    #[inline]
    pub(super) fn release_quickly(&self) -> bool {
        self.is_ours() && self.words.release_quickly(self.me)
    }

    /// The guard of one who has just taken the lock and found nothing wrong with it.
    #[inline]
    fn plain_guard(self: &Arc<Self>) -> AioLockGuard {
        AioLockGuard::new(if std::thread::panicking() { self.of_a_panic() } else { spare::take(self) })
    }

    pub(in crate::sync) fn is_alive(&self, owner: Owner) -> bool {
        crate::shm::Alive::is_alive(&**self.words.region(), owner)
    }

    /// Notes since when the present owner has been seen.
    pub(in crate::sync) fn look_at_owner(&self) -> Option<Owner> {
        let owner = self.words.word().owner()?;
        let acquisition = self.words.acquisition();
        let mut sighting = self.sighting.lock();
        if !sighting.as_ref().is_some_and(|seen| seen.owner == owner && seen.acquisition == acquisition) {
            *sighting = Some(Sighting { owner, acquisition, since: Instant::now() });
        }
        Some(owner)
    }

    pub(in crate::sync) fn holder(&self, owner: Owner) -> Option<Holder> {
        let tenant = self.words.region().tenant(owner)?;
        let held_for = match &*self.sighting.lock() {
            Some(seen) if seen.owner == owner => seen.since.elapsed(),
            _ => Duration::ZERO,
        };
        let location = place::read(tenant.build, self.words.acquisition().0);
        Some(Holder { name: tenant.name, pid: tenant.pid, held_for, location })
    }

    fn last(&self, taken: Acquired) -> Option<Last> {
        match taken {
            Acquired::Clean => None,
            Acquired::OwnerDied(None) => Some(Last::Panicked),
            Acquired::OwnerDied(Some(owner)) => {
                crate::shm::Alive::tell_of_a_takeover(&**self.words.region(), owner, "lock");
                Some(Last::Died(self.holder(owner)))
            }
        }
    }

    /// A guard that holds nothing and knows how the last holder went, for one who shares the lock: as an error if it died.
    pub(in crate::sync) fn witness(&self, taken: Acquired) -> Result<AioLockGuard, AioLockGuard> {
        match self.last(taken) {
            Some(last) => Err(AioLockGuard::new(self.with_tale(Tale::new(Some(last), false)))),
            None => Ok(AioLockGuard::empty()),
        }
    }

    /// The guard of a lock just taken: as an error if its last owner died.
    pub(in crate::sync) fn guard(
        self: &Arc<Self>,
        taken: Acquired,
        location: &'static Location<'static>,
    ) -> Result<AioLockGuard, AioLockGuard> {
        let last = self.last(taken);
        // After the look at the last holder, whose place this overwrites.
        self.words.sign(place::note(location));
        match last {
            Some(last) => Err(AioLockGuard::new(self.with_tale(Tale::new(Some(last), true)))),
            None => Ok(self.plain_guard()),
        }
    }
}
