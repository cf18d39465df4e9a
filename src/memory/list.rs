use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::{CreateMemoryError, UnlinkError};
use super::handle::SharedMemory;
use super::item::ShareableItem;
use super::layout::{self, Kind, Unfit, Unreadable, WORD};
use super::list_error::{CreateListError, GetItemError, OpenListError, SetItemError};
use super::places::Places;
use crate::planted::planted;
use crate::wire::refuse_to_unpack;

/// A list of fixed length in a block of shared memory: Python's `multiprocessing.shared_memory.ShareableList`.
///
/// Items are numbers, bools, text, bytes and `None`, and may be replaced by ones of another type; text and bytes have the room that
/// was theirs when the list was created, filled up to the next multiple of eight. Python programs attach to the same list by its
/// name, and lists of theirs can be attached to; see [`SharedMemory`] for who removes the block when.
///
/// Unlike Python's, text may need more bytes than it has characters, and zero bytes at the end of an item are kept. (Python
/// does not show them. Nor do they survive where Python sets the item.)
///
/// Nothing here locks, as in Python: who reads an item while another replaces it may get a mixture of the two, or an error. An
/// [`AioLock`](crate::AioLock) beside the list keeps them apart.
///
/// # If a process dies
///
/// What holds for its [block](SharedMemory) holds for it. An item that was being replaced may be a mixture.
///
/// # Examples
///
/// ```
/// use aioprocessing::{ShareableItem, ShareableList};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     aioprocessing::init();
///     let list = ShareableList::new(["howdy".into(), 273.154.into(), 100.into(), ShareableItem::None])?;
///     let same = ShareableList::open(list.name())?;
///     same.set(2, -7)?;
///     assert_eq!(list.get(2)?, ShareableItem::Int(-7));
///     assert!(list.set(0, "more than seven bytes").unwrap_err().is_too_long());
///     list.unlink()?;
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct ShareableList {
    memory: SharedMemory,
    places: Arc<Places>,
}

impl ShareableList {
    /// Creates a list of these items in a block whose name is made up.
    ///
    /// # Blocking
    ///
    /// As [`SharedMemory::create`].
    ///
    /// # Errors
    ///
    /// [`CreateListError::Memory`] if the block can't be created, and [`CreateListError::TooLong`] if an item has more than ten
    /// million bytes.
    pub fn new<T: Into<ShareableItem>>(items: impl IntoIterator<Item = T>) -> Result<Self, CreateListError> {
        Self::made(items, SharedMemory::create_anonymous)
    }

    /// Creates a list of these items in a block of this name. Python: `ShareableList(items, name=name)`.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new), and if the name is taken.
    pub fn create<T: Into<ShareableItem>>(
        name: &str,
        items: impl IntoIterator<Item = T>,
    ) -> Result<Self, CreateListError> {
        Self::made(items, |size| SharedMemory::create(name, size))
    }

    fn made<T: Into<ShareableItem>>(
        items: impl IntoIterator<Item = T>,
        create: impl FnOnce(usize) -> Result<SharedMemory, CreateMemoryError>,
    ) -> Result<Self, CreateListError> {
        let items: Vec<ShareableItem> = items.into_iter().map(Into::into).collect();
        let unfit = |index| {
            move |unfit| match unfit {
                Unfit::TooLong(_) => CreateListError::TooLong { index },
                Unfit::EndsInZero(_) => CreateListError::EndsInZero { index },
            }
        };
        let mut sizes = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            sizes.push(layout::slot(item).map_err(unfit(index))?);
        }
        let places = Places::new(sizes).ok_or(CreateListError::TooLong { index: items.len() })?;
        let mut image = Vec::with_capacity(places.size());
        image.extend((items.len() as u64).to_ne_bytes());
        let data = places.slots.first().copied().unwrap_or_default();
        image.extend(places.slots.iter().flat_map(|slot| ((slot - data) as u64).to_ne_bytes()));
        let mut kinds = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let slot = places.slot(index).map_or(0, |(_, length)| length);
            let (bytes, kind) = layout::written(item, slot).map_err(unfit(index))?;
            image.extend(bytes);
            kinds.push(kind);
        }
        image.extend(kinds.iter().flat_map(|(format, _)| format));
        image.extend(kinds.iter().map(|(_, code)| code));
        let memory = create(image.len())?;
        // The block has that size. All but the number of items comes first: until that is there, it is no list.
        for at in [WORD, 0] {
            let end = if at == 0 { WORD } else { image.len() };
            let part = image.get(at..end).unwrap_or_default();
            memory.copy_in(at, part).map_err(|error| {
                CreateListError::Memory(CreateMemoryError::Io {
                    doing: "writing the list",
                    source: std::io::Error::other(error),
                })
            })?;
        }
        Ok(Self { memory, places: Arc::new(places) })
    }

    /// Attaches to the list in the block of that name, whoever created it. Python: `ShareableList(name=name)`.
    ///
    /// # Errors
    ///
    /// [`OpenListError::Memory`] as for [`SharedMemory::open`], and [`OpenListError::NotAList`] if the block holds something else.
    pub fn open(name: &str) -> Result<Self, OpenListError> {
        Self::of(SharedMemory::open(name)?)
    }

    /// The list in this block.
    ///
    /// # Errors
    ///
    /// [`OpenListError::NotAList`] if the block holds something else.
    pub fn of(memory: SharedMemory) -> Result<Self, OpenListError> {
        match Places::read(&memory) {
            Some(places) => Ok(Self { memory, places: Arc::new(places) }),
            None => Err(OpenListError::NotAList { name: memory.name().to_owned() }),
        }
    }

    /// How many items it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.length()
    }

    /// Whether it has no items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn kind(&self, index: usize) -> Option<Kind> {
        let format = self.memory.get(self.places.formats + index * WORD).ok()?;
        Some((format, self.memory.get(self.places.codes + index).ok()?))
    }

    /// A copy of an item. Python: `list[index]`.
    ///
    /// # Errors
    ///
    /// [`GetItemError::OutOfRange`] if there is none, [`GetItemError::NotText`] and [`GetItemError::Damaged`] for what can't be read.
    pub fn get(&self, index: usize) -> Result<ShareableItem, GetItemError> {
        let outside = GetItemError::OutOfRange { index, length: self.len() };
        let (start, slot) = self.places.slot(index).ok_or(outside.clone())?;
        let kind = self.kind(index).ok_or(outside.clone())?;
        let read = || {
            let mut data = vec![0; layout::length(&kind, slot)?];
            self.memory.copy_out(start, &mut data).map_err(|_| Unreadable::Damaged)?;
            layout::read(&kind, data)
        };
        read().map_err(|error| match error {
            Unreadable::NotText(bytes) => GetItemError::NotText { index, bytes },
            Unreadable::Damaged => GetItemError::Damaged { index },
        })
    }

    /// Replaces an item, by one of any type that has room. Python: `list[index] = value`.
    ///
    /// # Errors
    ///
    /// [`SetItemError::OutOfRange`] if there is none, and [`SetItemError::TooLong`] if text or bytes have no room. The item is as
    /// it was then, and so are its neighbours.
    pub fn set(&self, index: usize, value: impl Into<ShareableItem>) -> Result<(), SetItemError> {
        let outside = || SetItemError::OutOfRange { index, length: self.len() };
        let (start, slot) = self.places.slot(index).ok_or_else(outside)?;
        let value = value.into();
        let written = layout::written(&value, planted!("an-item-has-any-room", slot, usize::MAX >> 40));
        let (bytes, (format, code)) = written.map_err(|unfit| match unfit {
            Unfit::TooLong(room) => SetItemError::TooLong { index, length: length_of(&value), room },
            Unfit::EndsInZero(_) => SetItemError::EndsInZero { index },
        })?;
        // In Python's order.
        let at = self.places.formats + index * WORD;
        self.memory.set(at, format).map_err(|_| outside())?;
        self.memory.set(self.places.codes + index, code).map_err(|_| outside())?;
        self.memory.copy_in(start, &bytes).map_err(|_| outside())
    }

    /// The items, one after the other. Python: `for item in list`.
    pub fn iter(&self) -> ListItems<'_> {
        ListItems { list: self, next: 0 }
    }

    /// The index of the first item that equals this one. Python: `list.index(value)`.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get), if it comes to an item that can't be read.
    pub fn index(&self, value: impl Into<ShareableItem>) -> Result<Option<usize>, GetItemError> {
        let value = value.into();
        for (index, item) in self.iter().enumerate() {
            if item? == value {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// How many items equal this one. Python: `list.count(value)`.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get), if an item can't be read.
    pub fn count(&self, value: impl Into<ShareableItem>) -> Result<usize, GetItemError> {
        let value = value.into();
        self.iter().try_fold(0, |count, item| Ok(count + usize::from(item? == value)))
    }

    /// The formats of all items, as Python's module `struct` has them. Python: `list.format`.
    #[must_use]
    pub fn format(&self) -> String {
        let formats = (0..self.len()).filter_map(|index| Some(self.kind(index)?.0));
        formats.map(|format| String::from_utf8_lossy(&format).trim_end_matches('\0').to_owned()).collect()
    }

    /// Its block. Python: `list.shm`.
    #[must_use]
    pub fn memory(&self) -> &SharedMemory {
        &self.memory
    }

    /// The name of its block.
    #[must_use]
    pub fn name(&self) -> &str {
        self.memory.name()
    }

    /// [`SharedMemory::unlink`] for its block. Python: `list.shm.unlink()`.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn unlink(&self) -> Result<(), UnlinkError> {
        self.memory.unlink()
    }
}

fn length_of(value: &ShareableItem) -> usize {
    match value {
        ShareableItem::Str(text) => text.len(),
        ShareableItem::Bytes(bytes) => bytes.len(),
        _ => WORD,
    }
}

/// The items of a [`ShareableList`], as they are when it comes to them.
#[derive(Clone, Debug)]
pub struct ListItems<'a> {
    list: &'a ShareableList,
    next: usize,
}

impl Iterator for ListItems<'_> {
    type Item = Result<ShareableItem, GetItemError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.list.len() {
            return None;
        }
        self.next += 1;
        Some(self.list.get(self.next - 1))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.list.len() - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for ListItems<'_> {}
impl std::iter::FusedIterator for ListItems<'_> {}

impl<'a> IntoIterator for &'a ShareableList {
    type Item = Result<ShareableItem, GetItemError>;
    type IntoIter = ListItems<'a>;

    fn into_iter(self) -> ListItems<'a> {
        self.iter()
    }
}

impl Serialize for ShareableList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.memory.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ShareableList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of(SharedMemory::deserialize(deserializer)?).map_err(|error| {
            let _ = refuse_to_unpack(&error);
            D::Error::custom(error)
        })
    }
}

impl fmt::Debug for ShareableList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShareableList")
            .field("len", &self.len())
            .field("format", &self.format())
            .field("memory", &self.memory)
            .finish()
    }
}
