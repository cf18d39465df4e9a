//! One sealed memfd, mapped: a header, a slot for each process that holds it, and objects.
//!
//! ```text
//! 0        header: magic, layout, directory of objects, ready (written last)
//! 256      slots, 128 bytes each
//! 135168   objects, each kind's in a stretch of its own
//! ```
//!
//! Nothing has a name anywhere: the kernel frees the region with the last process that holds it, whatever ended that
//! process. Sizes are sealed, so no peer can take memory away under us, and every offset that comes from outside goes
//! through the one checked look-up here.

#![allow(unsafe_code)]

mod error;
mod header;
mod tenants;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

pub(crate) use error::AttachError;
use header::{Header, slot_at};
pub(super) use header::{KINDS, OBJECTS_AT};

use crate::shm::atomic::Ordering;
use crate::shm::notice;
use crate::shm::owner::Owner;
use crate::shm::plan::Plan;
use crate::shm::reference::Ref;
use crate::shm::shared::{Object, Shared};
use crate::sys::{Source, eventfd, forked, map::Map, memfd, ofd, socket};

/// A description on its way to another process shares the lock on this byte, which no slot has.
const UNDER_WAY: u64 = 1 << 16;

/// This process's hold on a region.
pub(crate) struct Region {
    map: Map,
    /// The description that holds our slot's byte. Nobody else has it.
    fd: OwnedFd,
    id: (u64, u64),
    me: Owner,
    bells: Box<[Source]>,
    /// The two ends of a pair, in a region whose plan asked for it.
    sockets: Box<[OwnedFd]>,
    watch: OnceLock<i32>,
}

/// The regions that this process maps. One that arrives again is the one that is here.
static REGIONS: Mutex<Option<Regions>> = Mutex::new(None);

type Regions = HashMap<(u64, u64), Weak<Region>>;

impl Region {
    /// Makes a region as planned, and takes the first slot in it.
    pub(super) fn create(plan: &Plan) -> Result<Arc<Self>, AttachError> {
        let fd = memfd::create("aioprocessing", plan.length(), plan.grows())?;
        // The header and the first slots, then the objects: touching them can't fail later.
        memfd::reserve(&fd, 0, 4096)?;
        memfd::reserve(&fd, OBJECTS_AT, plan.length() - OBJECTS_AT)?;
        let bells = (0..plan.bells()).map(|_| eventfd::create()).collect::<io::Result<Vec<_>>>()?;
        let sockets = if plan.has_sockets() {
            let (to, from) = socket::pair()?;
            vec![to, from]
        } else {
            Vec::new()
        };
        let map = Map::shared(&fd, to_usize(plan.mapped())?)?;
        Header::at(&map).write(plan, bells.len(), sockets.len());
        Self::hold(map, fd, bells, sockets)
    }

    /// Takes the region out of descriptors that [`descriptors`](Self::descriptors) gave in another process. If this
    /// process maps it already, that mapping is the answer and the descriptors are closed.
    pub(crate) fn attach(mut descriptors: Vec<OwnedFd>) -> Result<Arc<Self>, AttachError> {
        if descriptors.is_empty() {
            return Err(AttachError::NotARegion("no descriptor"));
        }
        let mut bells = descriptors.split_off(1);
        let Some(fd) = descriptors.pop() else { return Err(AttachError::NotARegion("no descriptor")) };
        let (id, size) = memfd::identity(&fd)?;
        if let Some(known) = known(id) {
            return Ok(known);
        }
        if size < OBJECTS_AT || !memfd::is_sealed(&fd) {
            return Err(AttachError::NotARegion("the file is too short or not sealed"));
        }
        let (length, expected_bells, expected_sockets) = Header::check(&fd)?;
        if expected_bells == 0 || expected_bells.checked_add(expected_sockets) != Some(bells.len()) {
            return Err(AttachError::NotARegion("wrong number of bells"));
        }
        let sockets = bells.split_off(expected_bells);
        let map = Map::shared(&fd, to_usize(length.max(OBJECTS_AT))?)?;
        Self::hold(map, fd, bells, sockets)
    }

    fn hold(
        map: Map,
        fd: OwnedFd,
        bells: Vec<OwnedFd>,
        sockets: Vec<OwnedFd>,
    ) -> Result<Arc<Self>, AttachError> {
        forked::watch();
        let fd = memfd::lift(fd);
        let (id, _) = memfd::identity(&fd)?;
        let (me, died) = Self::claim(&map, &fd)?.ok_or(AttachError::TooManyProcesses)?;
        // It has arrived: from here on the slot tells of it.
        ofd::unlock(&fd, UNDER_WAY)?;
        let bells = bells.into_iter().map(Source::new).collect();
        let sockets = sockets.into();
        let region = Arc::new(Self { map, fd, id, me, bells, sockets, watch: OnceLock::new() });
        if died {
            region.tell_of_deaths();
        }
        let mut regions = REGIONS.lock();
        let table = regions.get_or_insert_default();
        // Two threads may have attached it at once. Either hold would do; one is enough.
        let first = table.get(&id).and_then(Weak::upgrade);
        if first.is_none() {
            table.insert(id, Arc::downgrade(&region));
        }
        // Before `region` goes: its drop takes this lock.
        drop(regions);
        Ok(first.unwrap_or(region))
    }

    /// New descriptors by which another process can attach: a description of the memory that is the receiver's alone, and
    /// the bells.
    pub(crate) fn descriptors(&self) -> io::Result<Vec<OwnedFd>> {
        let travelling = memfd::reopen(self.fd.as_fd())?;
        ofd::try_share(&travelling, UNDER_WAY)?;
        let mut all = vec![travelling];
        for bell in &self.bells {
            all.push(bell.as_fd().try_clone_to_owned()?);
        }
        for socket in &self.sockets {
            all.push(socket.try_clone()?);
        }
        Ok(all)
    }

    /// A copy of a descriptor that has travelled and waits unopened, to travel on: of a region's memory, as in
    /// [`descriptors`](Self::descriptors), a description that is the next receiver's alone.
    pub(crate) fn send_on(descriptor: BorrowedFd<'_>) -> io::Result<OwnedFd> {
        let copy = descriptor.try_clone_to_owned()?;
        if !memfd::is_sealed(&copy) || Header::check(&copy).is_err() {
            return Ok(copy);
        }
        let travelling = memfd::reopen(descriptor)?;
        ofd::try_share(&travelling, UNDER_WAY)?;
        Ok(travelling)
    }

    /// (device, inode): the same for everybody who maps this region, and for nothing else while they do.
    pub(crate) fn id(&self) -> (u64, u64) {
        self.id
    }

    /// This process, as it is written into owner words here.
    #[inline]
    pub(crate) fn me(&self) -> Owner {
        self.me
    }

    /// Whether this process may act on the region: one that was forked from the holder may not.
    #[inline]
    pub(crate) fn is_ours(&self) -> bool {
        !forked::is_fork()
    }

    /// How many bells there are.
    pub(crate) fn bells(&self) -> usize {
        self.bells.len()
    }

    /// One of its bells. Objects may share them, so what asks for more than there are, as a handle of a forged region does,
    /// gets the last.
    pub(crate) fn bell(&self, index: usize) -> &Source {
        &self.bells[index.min(self.bells.len() - 1)]
    }

    /// Where descriptors are sent, and where they arrive.
    pub(super) fn sockets(&self) -> Option<(&OwnedFd, &OwnedFd)> {
        match &*self.sockets {
            [to, from] => Some((to, from)),
            _ => None,
        }
    }

    /// Looks an object up. `offset` may come from anywhere.
    pub(crate) fn object<T: Object>(self: &Arc<Self>, offset: u64) -> Result<Ref<T>, AttachError> {
        let header = self.header();
        let size = size_of::<T>() as u64;
        let kinds = usize::try_from(header.kinds.load(Ordering::Relaxed)).unwrap_or(0);
        for entry in header.directory.iter().take(kinds) {
            let start = entry.offset.load(Ordering::Relaxed);
            let count = u64::from(entry.count.load(Ordering::Relaxed));
            let Some(inside) = offset.checked_sub(start) else { continue };
            if entry.kind.load(Ordering::Relaxed) == T::KIND && inside % size == 0 && inside / size < count {
                return self.at(offset).map(|object| Ref::new(self.clone(), object));
            }
        }
        Err(AttachError::NotARegion("no such object in it"))
    }

    /// The object of type `T` at `offset`, if it lies in the mapping and in the file, and is aligned.
    fn at<T: Shared>(&self, offset: u64) -> Result<&T, AttachError> {
        // The mapping may go on behind the end of the file, where a touch is fatal. The file never gets shorter.
        let (_, size) = memfd::identity(&self.fd)?;
        let end = offset.checked_add(size_of::<T>() as u64);
        let fits = end.is_some_and(|end| end <= size.min(self.map.length() as u64));
        if !fits || !offset.is_multiple_of(align_of::<T>() as u64) {
            return Err(AttachError::NotARegion("an offset out of range"));
        }
        // SAFETY: `offset` is inside the mapping, checked above, and so fits a usize.
        let address = unsafe { self.map.base().add(offset as usize) };
        // SAFETY: the whole object is inside the mapping and aligned (checked above; the base is page-aligned), any bytes
        // are a valid `T` (contract of `Shared`), and `self` keeps the mapping for as long as the reference.
        Ok(unsafe { address.cast::<T>().as_ref() })
    }

    pub(super) fn offset_of(&self, object: *const u8) -> u64 {
        (object.addr() - self.map.base().addr().get()) as u64
    }

    /// How many bytes are mapped.
    pub(crate) fn length(&self) -> usize {
        self.map.length()
    }

    pub(super) fn map(&self) -> &Map {
        &self.map
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn header(&self) -> &Header {
        Header::at(&self.map)
    }

    /// The number of this region's watch, asked for until there is one; `None` where inotify refuses it at present.
    pub(super) fn watch(&self, ask: impl FnOnce() -> Option<i32>) -> Option<i32> {
        if let Some(known) = self.watch.get() {
            return Some(*known);
        }
        // Two threads that ask at once get the same number.
        let number = ask()?;
        Some(*self.watch.get_or_init(|| number))
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // A fork has neither a slot nor a watch of its own, and may have been made while a thread held the table.
        if !self.is_ours() {
            return;
        }
        if let Some(regions) = REGIONS.lock().as_mut()
            && regions.get(&self.id).is_some_and(|known| known.strong_count() == 0)
        {
            regions.remove(&self.id);
        }
        if let Some(watch) = self.watch.get() {
            notice::forget(*watch);
        }
        slot_at(&self.map, self.me.slot()).leave();
    }
}

impl std::fmt::Debug for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Region").field("id", &self.id).field("me", &self.me).finish_non_exhaustive()
    }
}

fn known(id: (u64, u64)) -> Option<Arc<Region>> {
    REGIONS.lock().as_ref()?.get(&id)?.upgrade()
}

fn to_usize(length: u64) -> io::Result<usize> {
    usize::try_from(length).map_err(|_| rustix::io::Errno::OVERFLOW.into())
}
