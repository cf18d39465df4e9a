//! Dictionaries and lists of values that nobody here opens: what is behind the proxies of all built-in types.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;

use serde::{Deserialize, Serialize};

use super::kept::{Bytes, Kept};
use super::message::Answer;

/// Questions to a dictionary.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum MapCall {
    Get(Vec<Bytes>),
    /// Gives what was there before, or how many keys are new.
    Insert(Vec<(Bytes, Kept)>, Wants),
    Remove(Vec<Bytes>, Wants),
    Contains(Bytes),
    Len,
    Clear,
    Keys,
    Items,
    /// In place of exactly that, or of nothing.
    Swap {
        key: Bytes,
        old: Option<Bytes>,
        new: Option<Kept>,
    },
}

/// What is to be said of what was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Wants {
    Values,
    Count,
}

/// Questions to a list.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ListCall {
    Get(u64),
    /// All of them from a place on, or none.
    Set(u64, Vec<Kept>),
    Push(Vec<Kept>),
    Insert(u64, Kept),
    /// The last without a place.
    Remove(Option<u64>),
    Len,
    Clear,
    Range(u64, u64),
    /// In place of exactly that.
    Swap {
        place: u64,
        old: Bytes,
        new: Kept,
    },
    /// In place of all, if it was not changed since.
    Replace(u64, Vec<Kept>),
}

impl MapCall {
    pub(super) fn values_mut(&mut self) -> Vec<&mut Kept> {
        match self {
            Self::Insert(items, _) => items.iter_mut().map(|(_, value)| value).collect(),
            Self::Swap { new: Some(new), .. } => vec![new],
            _ => Vec::new(),
        }
    }
}

impl ListCall {
    pub(super) fn values_mut(&mut self) -> Vec<&mut Kept> {
        match self {
            Self::Insert(_, value) | Self::Swap { new: value, .. } => vec![value],
            Self::Set(_, values) | Self::Push(values) | Self::Replace(_, values) => {
                values.iter_mut().collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Keys in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Map {
    places: HashMap<Bytes, u64>,
    items: BTreeMap<u64, (Bytes, Kept)>,
    next: u64,
}

impl Map {
    pub(super) fn new(items: Vec<(Bytes, Kept)>) -> Self {
        let mut map = Self::default();
        for (key, value) in items {
            map.insert(key, value);
        }
        map
    }

    fn get(&self, key: &Bytes) -> Option<&Kept> {
        self.places.get(key).and_then(|place| self.items.get(place)).map(|(_, value)| value)
    }

    fn insert(&mut self, key: Bytes, value: Kept) -> Option<Kept> {
        if let Some((_, known)) = self.places.get(&key).and_then(|place| self.items.get_mut(place)) {
            return Some(std::mem::replace(known, value));
        }
        self.places.insert(key.clone(), self.next);
        self.items.insert(self.next, (key, value));
        self.next += 1;
        None
    }

    fn remove(&mut self, key: &Bytes) -> Option<Kept> {
        let place = self.places.remove(key)?;
        self.items.remove(&place).map(|(_, value)| value)
    }

    pub(super) fn call(&mut self, call: MapCall) -> io::Result<Answer> {
        Ok(match call {
            MapCall::Get(keys) => {
                let got = keys.iter().map(|key| self.get(key).map(Kept::again).transpose());
                Answer::Values(got.collect::<io::Result<_>>()?)
            }
            MapCall::Insert(items, wants) => {
                let before = items.into_iter().map(|(key, value)| self.insert(key, value));
                said(before, wants)
            }
            MapCall::Remove(keys, wants) => said(keys.iter().map(|key| self.remove(key)), wants),
            MapCall::Contains(key) => Answer::Flag(self.places.contains_key(&key)),
            MapCall::Len => Answer::Count(self.items.len() as u64),
            MapCall::Clear => {
                *self = Self::default();
                Answer::Done
            }
            MapCall::Keys => Answer::Keys(self.items.values().map(|(key, _)| key.clone()).collect()),
            MapCall::Items => {
                let items = self.items.values().map(|(key, value)| Ok((key.clone(), value.again()?)));
                Answer::Items(items.collect::<io::Result<_>>()?)
            }
            MapCall::Swap { key, old, new } => {
                let is_it = match (self.get(&key), &old) {
                    (Some(known), Some(old)) => known.is(old),
                    (None, None) => true,
                    _ => false,
                };
                if is_it {
                    match new {
                        Some(new) => drop(self.insert(key, new)),
                        None => drop(self.remove(&key)),
                    }
                }
                Answer::Flag(is_it)
            }
        })
    }
}

/// How many there were, if that is all that is asked for.
fn said(before: impl Iterator<Item = Option<Kept>>, wants: Wants) -> Answer {
    match wants {
        Wants::Values => Answer::Values(before.collect()),
        Wants::Count => Answer::Count(before.filter(Option::is_some).count() as u64),
    }
}

#[derive(Debug, Default)]
pub(super) struct List {
    items: VecDeque<Kept>,
    changes: u64,
}

impl List {
    pub(super) fn new(items: Vec<Kept>) -> Self {
        Self { items: items.into(), changes: 0 }
    }

    fn changed(&mut self) -> Answer {
        self.changes += 1;
        Answer::Done
    }

    pub(super) fn call(&mut self, call: ListCall) -> io::Result<Answer> {
        let length = self.items.len();
        let out_of_range = Answer::OutOfRange(length as u64);
        // A place that has no number here is none.
        let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
        Ok(match call {
            ListCall::Get(place) => match self.items.get(at(place)) {
                Some(item) => Answer::Value(item.again()?),
                None => out_of_range,
            },
            ListCall::Set(place, values) => match at(place).checked_add(values.len()) {
                Some(end) if end <= length => {
                    let places = self.items.range_mut(at(place)..end);
                    places.zip(values).for_each(|(item, value)| *item = value);
                    self.changed()
                }
                _ => out_of_range,
            },
            ListCall::Push(values) => {
                self.items.extend(values);
                self.changed()
            }
            ListCall::Insert(place, value) if at(place) <= length => {
                self.items.insert(at(place), value);
                self.changed()
            }
            ListCall::Insert(..) => out_of_range,
            ListCall::Remove(place) => {
                let removed = match place {
                    Some(place) => self.items.remove(at(place)),
                    None => self.items.pop_back(),
                };
                self.changes += u64::from(removed.is_some());
                match removed {
                    Some(item) => Answer::Value(item),
                    None if place.is_none() => Answer::Missing,
                    None => out_of_range,
                }
            }
            ListCall::Len => Answer::Count(length as u64),
            ListCall::Clear => {
                self.items.clear();
                self.changed()
            }
            ListCall::Range(from, to) => {
                let (from, to) = (at(from).min(length), at(to).min(length));
                let items = self.items.range(from..to.max(from)).map(Kept::again);
                Answer::List(self.changes, items.collect::<io::Result<_>>()?)
            }
            ListCall::Swap { place, old, new } => match self.items.get_mut(at(place)) {
                Some(item) if item.is(&old) => {
                    *item = new;
                    self.changes += 1;
                    Answer::Flag(true)
                }
                Some(_) => Answer::Flag(false),
                None => out_of_range,
            },
            ListCall::Replace(changes, items) => {
                let is_it = self.changes == changes;
                if is_it {
                    self.items = items.into();
                    self.changes += 1;
                }
                Answer::Flag(is_it)
            }
        })
    }
}
