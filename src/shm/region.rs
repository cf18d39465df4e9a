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

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use super::atomic::{AtomicU32, AtomicU64, Ordering};
use super::notice;
use super::owner::{Alive, Owner, SLOTS};
use super::plan::Plan;
use super::reference::Ref;
use super::shared::{Object, Shared, shared};
use super::slot::{Slot, Tenant};
use crate::sys::{Source, eventfd, forked, map::Map, memfd, ofd, place, socket};

const MAGIC: u64 = u64::from_ne_bytes(*b"aioprcs\0");
/// Changes with every change of anything that stands in a region.
const LAYOUT: u64 = 1;
const READY: u32 = 0x1EAD;

const SLOTS_AT: u64 = 256;
/// A description on its way to another process shares the lock on this byte, which no slot has.
const UNDER_WAY: u64 = 1 << 16;
/// Where objects begin: the first page after the slots.
pub(super) const OBJECTS_AT: u64 = (SLOTS_AT + 128 * SLOTS as u64).next_multiple_of(4096);
pub(super) const KINDS: usize = 12;

shared! {
    /// The first bytes of every region. Written once, but for `slots_used` and `deaths`.
    struct Header[256] {
        magic: AtomicU64,
        layout: AtomicU64,
        /// How far a process maps, in bytes; the file may be shorter.
        length: AtomicU64,
        bells: AtomicU32,
        kinds: AtomicU32,
        /// One more than the highest slot ever claimed: a hint for looking around.
        slots_used: AtomicU32,
        /// Changes when a death is noticed. A hint: it tells waiters to look again.
        deaths: AtomicU32,
        ready: AtomicU32,
        /// How many sockets travel with it, behind the bells.
        sockets: AtomicU32,
        reserved: [AtomicU32; 4],
        directory: [Entry; KINDS],
    }

    /// `count` objects of one kind, one behind the other.
    struct Entry[16] {
        kind: AtomicU32,
        count: AtomicU32,
        offset: AtomicU64,
    }
}

/// Why a region can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum AttachError {
    #[error("what was received is no region of this crate: {0}")]
    NotARegion(&'static str),
    #[error(
        "the region was made by a version of this crate with another layout ({theirs}, this is {LAYOUT}); build both programs with the same version"
    )]
    OtherLayout { theirs: u64 },
    #[error("{SLOTS} processes hold this object already; let one of them go first")]
    TooManyProcesses,
    #[error("can't map the shared memory: {0}")]
    Io(#[from] io::Error),
}

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
        {
            // SAFETY: the map is at least `OBJECTS_AT` long, so the header lies in it, and it is fresh zeroed memory.
            let header = unsafe { map.base().cast::<Header>().as_ref() };
            header.magic.store(MAGIC, Ordering::Relaxed);
            header.layout.store(LAYOUT, Ordering::Relaxed);
            header.length.store(plan.mapped(), Ordering::Relaxed);
            header.bells.store(u32::try_from(bells.len()).unwrap_or(0), Ordering::Relaxed);
            header.sockets.store(u32::try_from(sockets.len()).unwrap_or(0), Ordering::Relaxed);
            header.kinds.store(u32::try_from(plan.kinds().len()).unwrap_or(0), Ordering::Relaxed);
            for (entry, kind) in header.directory.iter().zip(plan.kinds()) {
                entry.kind.store(kind.kind, Ordering::Relaxed);
                entry.count.store(kind.count, Ordering::Relaxed);
                entry.offset.store(kind.offset, Ordering::Relaxed);
            }
            header.ready.store(READY, Ordering::Release);
        }
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
        let (length, expected_bells, expected_sockets) = Self::check(&fd)?;
        if expected_bells == 0 || expected_bells.checked_add(expected_sockets) != Some(bells.len()) {
            return Err(AttachError::NotARegion("wrong number of bells"));
        }
        let sockets = bells.split_off(expected_bells);
        let map = Map::shared(&fd, to_usize(length.max(OBJECTS_AT))?)?;
        Self::hold(map, fd, bells, sockets)
    }

    /// Reads the header without mapping it: the file may be anything still.
    fn check(fd: &OwnedFd) -> Result<(u64, usize, usize), AttachError> {
        let mut bytes = [0; size_of::<Header>()];
        if rustix::io::pread(fd, &mut bytes, 0).map_err(io::Error::from)? != bytes.len() {
            return Err(AttachError::NotARegion("no header"));
        }
        let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap_or_default());
        let half = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap_or_default());
        if word(0) != MAGIC || half(std::mem::offset_of!(Header, ready)) != READY {
            return Err(AttachError::NotARegion("no magic number"));
        }
        if word(8) != LAYOUT {
            return Err(AttachError::OtherLayout { theirs: word(8) });
        }
        let count = |at: usize| usize::try_from(half(at)).unwrap_or(usize::MAX);
        let bells = count(std::mem::offset_of!(Header, bells));
        Ok((word(std::mem::offset_of!(Header, length)), bells, count(std::mem::offset_of!(Header, sockets))))
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

    /// True beside the owner: the last holder of the slot died, and nobody has been told.
    fn claim(map: &Map, fd: &OwnedFd) -> Result<Option<(Owner, bool)>, AttachError> {
        // SAFETY: every map of a region is at least `OBJECTS_AT` long.
        let header = unsafe { map.base().cast::<Header>().as_ref() };
        let (name, build) = (super::process_name(), place::build());
        let attempt = |index: u16| -> Result<Option<(Owner, bool)>, AttachError> {
            let offset = SLOTS_AT + u64::from(index) * 128;
            memfd::reserve(fd, offset, 128)?;
            let owner = slot_at(map, index).claim(fd, index, &name, build)?;
            if owner.is_some() {
                header.slots_used.fetch_max(u32::from(index) + 1, Ordering::AcqRel);
            }
            Ok(owner)
        };
        // Free ones first: one look each. Then all, among them those whose holder died unnoticed.
        let used = header.slots_used.load(Ordering::Acquire).min(u32::from(SLOTS));
        let used = u16::try_from(used).unwrap_or(SLOTS);
        for index in (0..used)
            .filter(|&index| slot_at(map, index).attached().is_none())
            .chain(used..SLOTS)
            .chain(0..used)
        {
            if let Some(owner) = attempt(index)? {
                return Ok(Some(owner));
            }
        }
        Ok(None)
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
        if !memfd::is_sealed(&copy) || Self::check(&copy).is_err() {
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

    pub(super) fn map(&self) -> &Map {
        &self.map
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn header(&self) -> &Header {
        // SAFETY: every map of a region is at least `OBJECTS_AT` long, and the header is valid whatever it holds.
        unsafe { self.map.base().cast::<Header>().as_ref() }
    }

    /// Who an owner word means, if that process is still in its slot.
    pub(crate) fn tenant(&self, owner: Owner) -> Option<Tenant> {
        slot_at(&self.map, owner.slot()).tenant(owner.generation())
    }

    /// Who took each slot last.
    pub(crate) fn last_tenants(&self) -> impl Iterator<Item = Owner> {
        // Beyond, the file may have no memory.
        let used = self.header().slots_used.load(Ordering::Acquire).min(u32::from(SLOTS));
        (0..u16::try_from(used).unwrap_or(SLOTS))
            .map(|index| Owner::new(index, slot_at(&self.map, index).generation()))
            .filter(|owner| owner.generation() != 0)
    }

    /// Changes whenever a process takes a slot.
    pub(crate) fn claims(&self) -> u64 {
        self.last_tenants().map(|owner| u64::from(owner.generation())).sum()
    }

    /// Whether a handle is on its way to a process, in a message or as an argument.
    pub(crate) fn is_under_way(&self) -> bool {
        ofd::is_locked_by_another(&self.fd, UNDER_WAY).unwrap_or(true)
    }

    /// Changes with every death that anybody noticed.
    pub(crate) fn deaths(&self) -> u32 {
        self.header().deaths.load(Ordering::Acquire)
    }

    /// Looks at every slot. Each death found for the first time is counted, and every waiter is told to look again.
    pub(crate) fn look_for_deaths(&self) {
        let used = self.header().slots_used.load(Ordering::Acquire).min(u32::from(SLOTS));
        let mut found = false;
        for index in (0..u16::try_from(used).unwrap_or(SLOTS)).filter(|&index| index != self.me.slot()) {
            let slot = slot_at(&self.map, index);
            if let Some(generation) = slot.attached()
                && !slot.is_alive(&self.fd, index, generation)
            {
                found |= slot.bury(generation);
            }
        }
        if found {
            self.tell_of_deaths();
        }
    }

    fn tell_of_deaths(&self) {
        self.header().deaths.fetch_add(1, Ordering::AcqRel);
        self.bells.iter().for_each(eventfd::ring);
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

impl Alive for Region {
    fn is_alive(&self, owner: Owner) -> bool {
        let slot = slot_at(&self.map, owner.slot());
        owner == self.me || slot.is_alive(&self.fd, owner.slot(), owner.generation())
    }

    fn tell_of_a_takeover(&self, from: Owner, object: &str) {
        Self::tell_of_a_takeover(self, from, object);
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

fn slot_at(map: &Map, index: u16) -> &Slot {
    // SAFETY: the index is cut to below `SLOTS` here, and all slots lie before `OBJECTS_AT`, which every map of a region
    // covers.
    let address = unsafe { map.base().add(SLOTS_AT as usize + usize::from(index.min(SLOTS - 1)) * 128) };
    // SAFETY: in the mapping and aligned as said above; any bytes are a valid `Slot`.
    unsafe { address.cast::<Slot>().as_ref() }
}

fn to_usize(length: u64) -> io::Result<usize> {
    usize::try_from(length).map_err(|_| rustix::io::Errno::OVERFLOW.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shm::InPlace;

    shared! {
        struct Thing[8] {
            word: AtomicU64,
        }
    }

    impl Object for Thing {
        const KIND: u32 = u32::MAX;
    }

    fn region(bells: usize) -> (Arc<Region>, u64) {
        let mut plan = Plan::new(bells);
        let offset = plan.place::<Thing>(1);
        // Mapped, and not in the file yet.
        plan.room(1 << 20);
        (plan.create().unwrap(), offset)
    }

    #[test]
    fn a_directory_that_points_behind_the_file_is_refused() {
        let (region, offset) = region(1);
        assert!(region.object::<Thing>(offset).is_ok());
        let behind = region.map.length() as u64 - 4096;
        region.header().directory[0].offset.store(behind, Ordering::Relaxed);
        // To touch it would be SIGBUS.
        assert!(region.object::<Thing>(behind).is_err());
    }

    #[test]
    fn data_that_a_scribbled_directory_puts_askew_is_refused() {
        let mut plan = Plan::new(1);
        let offset = InPlace::<u128>::plan(&mut plan, 16).unwrap();
        let region = plan.create().unwrap();
        InPlace::<u128>::create(&region, offset, 16).unwrap();
        region.header().directory[0].offset.store(offset + 8, Ordering::Relaxed);
        assert!(InPlace::<u128>::open(&region, offset + 8).is_err());
    }

    /// What another process would make of it, which does not map it yet.
    fn attach(region: &Region, bells: usize) -> Result<Arc<Region>, AttachError> {
        let mut descriptors = region.descriptors().unwrap();
        descriptors.truncate(1 + bells);
        REGIONS.lock().as_mut().unwrap().remove(&region.id);
        Region::attach(descriptors)
    }

    #[test]
    fn a_region_has_a_bell_for_whatever_is_made_of_it() {
        let (region, _) = region(1);
        assert!(std::ptr::eq(region.bell(7), region.bell(0)));
        region.header().bells.store(0, Ordering::Relaxed);
        assert!(matches!(attach(&region, 0), Err(AttachError::NotARegion(_))));
    }

    #[test]
    fn a_holder_that_died_unseen_is_told_of_when_its_slot_is_taken() {
        let (region, _) = region(1);
        let (gone, others) = (memfd::reopen(region.fd()).unwrap(), memfd::reopen(region.fd()).unwrap());
        assert!(slot_at(&region.map, 1).claim(&gone, 1, "gone", 0).unwrap().is_some());
        region.header().slots_used.store(2, Ordering::Relaxed);
        // The kernel frees its byte, and nobody looks.
        drop(gone);
        for byte in 2..SLOTS {
            assert!(crate::sys::ofd::try_lock(&others, u64::from(byte)).unwrap());
        }
        let before = region.deaths();
        assert_eq!(attach(&region, 1).unwrap().me().slot(), 1);
        assert_ne!(region.deaths(), before, "those who wait for what it held must look again");
    }
}
