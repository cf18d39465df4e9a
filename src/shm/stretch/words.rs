//! Words that are reached through atomics alone.

#![allow(unsafe_code)]

use std::ops::Deref;
use std::sync::Arc;

use super::units::{self, WordUnit};
use crate::shm::atomic::{AtomicU64, Ordering};
use crate::shm::plan::Plan;
use crate::shm::region::{AttachError, Region};

/// Words with a head, reached through atomics alone.
#[derive(Clone)]
pub(crate) struct Words {
    region: Arc<Region>,
    offset: u64,
    count: usize,
}

impl Words {
    /// `None`: too many for a region.
    pub(crate) fn plan(into: &mut Plan, count: usize) -> Option<u64> {
        units::plan::<WordUnit>(into, u64::try_from(count).ok()?.checked_mul(8)?)
    }

    /// Writes the head of a planned stretch. `tag` is for the user of the words.
    pub(crate) fn create(
        region: &Arc<Region>,
        offset: u64,
        count: usize,
        tag: u64,
    ) -> Result<Self, AttachError> {
        let head = region.object::<WordUnit>(offset)?;
        head.words[0].store(tag, Ordering::Relaxed);
        head.words[1].store(count as u64, Ordering::Release);
        Self::open(region, offset, count, tag)
    }

    /// `offset` may come from anywhere; `count` and `tag` are what the caller expects there.
    pub(crate) fn open(
        region: &Arc<Region>,
        offset: u64,
        count: usize,
        tag: u64,
    ) -> Result<Self, AttachError> {
        units::check::<WordUnit>(region, offset, |head| {
            let is_expected =
                head[0].load(Ordering::Relaxed) == tag && head[1].load(Ordering::Acquire) == count as u64;
            is_expected.then_some((count as u64).checked_mul(8)?)
        })?;
        Ok(Self { region: region.clone(), offset, count })
    }
}

impl Deref for Words {
    type Target = [AtomicU64];

    fn deref(&self) -> &[AtomicU64] {
        // SAFETY: so many words lie in the mapping, aligned, which `region` keeps; any bits are a word, and words of
        // units of this kind are only ever reached through atomics.
        unsafe {
            std::slice::from_raw_parts(units::data(&self.region, self.offset).as_ptr().cast(), self.count)
        }
    }
}
