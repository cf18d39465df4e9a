//! Who holds a region, and who of them has died.

use std::os::fd::OwnedFd;

use super::header::{Header, SLOTS_AT, slot_at};
use super::{AttachError, Region, UNDER_WAY};
use crate::shm::atomic::Ordering;
use crate::shm::owner::{Alive, Owner, SLOTS};
use crate::shm::process_name;
use crate::shm::slot::Tenant;
use crate::sys::map::Map;
use crate::sys::{eventfd, memfd, ofd, place};

impl Region {
    /// True beside the owner: the last holder of the slot died, and nobody has been told.
    pub(super) fn claim(map: &Map, fd: &OwnedFd) -> Result<Option<(Owner, bool)>, AttachError> {
        let header = Header::at(map);
        let (name, build) = (process_name(), place::build());
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
        let used = header.used();
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

    /// Who an owner word means, if that process is still in its slot.
    pub(crate) fn tenant(&self, owner: Owner) -> Option<Tenant> {
        slot_at(&self.map, owner.slot()).tenant(owner.generation())
    }

    /// Who took each slot last.
    pub(crate) fn last_tenants(&self) -> impl Iterator<Item = Owner> {
        (0..self.header().used())
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
        let mut found = false;
        for index in (0..self.header().used()).filter(|&index| index != self.me.slot()) {
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

    pub(super) fn tell_of_deaths(&self) {
        self.header().deaths.fetch_add(1, Ordering::AcqRel);
        self.bells.iter().for_each(eventfd::ring);
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
