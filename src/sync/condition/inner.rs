//! What the handles of one process on one condition share.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::guard::LockId;
use crate::raw::{Condition, ConditionSlot, ConditionWords, Party, Table};
use crate::shm::{AttachError, Plan, Ref, Region, Row};
use crate::wait::Bell;

/// Where the slots stand, as seen from the words.
const SLOTS: u64 = 128;

pub(super) struct Inner {
    pub(super) words: Ref<ConditionWords>,
    slots: Row<ConditionSlot>,
    table: Arc<Table>,
}

/// The tables of the conditions that this process has handles on: all handles on one must use the same.
static TABLES: Mutex<Option<HashMap<LockId, Weak<Table>>>> = Mutex::new(None);

fn table(words: &Ref<ConditionWords>) -> Arc<Table> {
    let mut tables = TABLES.lock();
    let tables = tables.get_or_insert_default();
    let id = (words.region().id(), words.offset());
    if let Some(known) = tables.get(&id).and_then(Weak::upgrade) {
        return known;
    }
    tables.retain(|_, table| table.strong_count() > 0);
    let new = Arc::new(Table::default());
    tables.insert(id, Arc::downgrade(&new));
    new
}

impl Inner {
    pub(super) fn plan(plan: &mut Plan) -> u64 {
        let words = plan.place::<ConditionWords>(1);
        let slots = Row::<ConditionSlot>::plan(plan);
        debug_assert_eq!(slots, words + SLOTS);
        words
    }

    pub(super) fn open(words: Ref<ConditionWords>) -> Result<Self, AttachError> {
        let slots = Row::open(words.region(), words.offset() + SLOTS)?;
        Ok(Self { table: table(&words), words, slots })
    }

    pub(super) fn raw(&self) -> Condition<'_> {
        Condition { words: &self.words, slots: &self.slots, table: &self.table }
    }

    pub(super) fn party(&self) -> Party<'_, Region> {
        let region = self.words.region();
        // The last bell; where the lock is in the same region, the first is the lock's.
        Party { me: region.me(), alive: region, bell: Bell::new(region, region.bells().saturating_sub(1)) }
    }

    pub(super) fn is_ours(&self) -> bool {
        self.words.region().is_ours()
    }
}
