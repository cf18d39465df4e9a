//! Which names this process has given and nobody has taken back: a file that its tracker holds as well, and reads when this
//! process has ended.
//!
//! A record takes effect by one write that crosses no page, which no death can cut in two. Nothing is ever sent, so nothing
//! waits for the tracker, and one that is started in the place of another finds all that there is to know.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::{pread, pwrite, retry_on_intr};

use super::name::LONGEST;
use crate::sys::memfd;
use crate::sys::named::{self, FileId};

/// Device, inode, length of the name (0: no record), name; the rest is not used.
const RECORD: usize = 512;
const NAME_AT: usize = 24;

const _: () = assert!(NAME_AT + LONGEST <= RECORD && 4096 % RECORD == 0);

/// The writing side.
#[derive(Debug)]
pub(super) struct Ledger {
    file: OwnedFd,
    /// The record of each name that counts.
    records: HashMap<FileId, (usize, String)>,
    free: Vec<usize>,
    length: usize,
    /// From this length on it pays to look for names that others have removed.
    sweep_at: usize,
}

impl Ledger {
    pub(super) fn new() -> io::Result<Self> {
        let file = memfd::create("aioprocessing-names", 0, true)?;
        Ok(Self { file, records: HashMap::new(), free: Vec::new(), length: 0, sweep_at: 64 })
    }

    pub(super) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.file.as_fd().try_clone_to_owned()
    }

    pub(super) fn enter(&mut self, name: &str, file: FileId) -> io::Result<()> {
        if self.free.is_empty() && self.length >= self.sweep_at {
            self.sweep();
            self.sweep_at = 2 * self.records.len().max(32);
        }
        let index = self.free.pop().unwrap_or(self.length);
        // Beyond a limit on the size of files this fails, where the write would be fatal.
        let made = memfd::reserve(&self.file, (index * RECORD) as u64, RECORD as u64);
        if let Err(error) = made.and_then(|()| self.write(index, &record(name, file))) {
            self.free.push(index);
            self.length = self.length.max(index + 1);
            return Err(error);
        }
        self.length = self.length.max(index + 1);
        self.records.insert(file, (index, name.to_owned()));
        Ok(())
    }

    pub(super) fn strike(&mut self, file: FileId) {
        if let Some((index, _)) = self.records.remove(&file) {
            // A record that stays is harmless: the name is not that file's any more.
            let _ = self.write(index, &[0; RECORD]);
            self.free.push(index);
        }
    }

    /// Whether nothing is left that its tracker would have to remove.
    #[cfg(feature = "fixture")]
    pub(super) fn is_done(&mut self) -> bool {
        self.sweep();
        self.records.is_empty()
    }

    /// Strikes the names that others have removed.
    fn sweep(&mut self) {
        let is_gone = |name: &str, file| matches!(named::identity(name), Ok(found) if found != Some(file));
        let gone: Vec<FileId> = self
            .records
            .iter()
            .filter_map(|(&file, (_, name))| is_gone(name, file).then_some(file))
            .collect();
        gone.into_iter().for_each(|file| self.strike(file));
    }

    fn write(&self, index: usize, record: &[u8; RECORD]) -> io::Result<()> {
        match retry_on_intr(|| pwrite(&self.file, record, (index * RECORD) as u64))? {
            RECORD => Ok(()),
            _ => Err(io::ErrorKind::WriteZero.into()),
        }
    }
}

fn record(name: &str, (device, inode): FileId) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    record[..8].copy_from_slice(&device.to_ne_bytes());
    record[8..16].copy_from_slice(&inode.to_ne_bytes());
    record[16..NAME_AT].copy_from_slice(&(name.len() as u64).to_ne_bytes());
    record[NAME_AT..NAME_AT + name.len()].copy_from_slice(name.as_bytes());
    record
}

/// What stands in the ledger.
pub(super) fn read(file: &OwnedFd) -> Vec<(String, FileId)> {
    let mut all = Vec::new();
    let mut bytes = [0; RECORD];
    while let Ok(RECORD) = retry_on_intr(|| pread(file, &mut bytes, (all.len() * RECORD) as u64)) {
        all.push(parsed(&bytes));
    }
    all.into_iter().flatten().collect()
}

fn parsed(record: &[u8; RECORD]) -> Option<(String, FileId)> {
    let word = |at: usize| Some(u64::from_ne_bytes(record.get(at..at + 8)?.try_into().ok()?));
    let length = usize::try_from(word(16)?).ok().filter(|length| (1..=LONGEST).contains(length))?;
    let name = std::str::from_utf8(record.get(NAME_AT..NAME_AT + length)?).ok()?;
    let name = super::name::checked(name).ok()?;
    Some((name.to_owned(), (word(0)?, word(8)?)))
}

#[cfg(test)]
mod tests {
    use super::{Ledger, read};

    #[test]
    fn what_is_entered_and_not_struck_is_read() {
        let mut ledger = Ledger::new().unwrap();
        let long = "x".repeat(super::LONGEST);
        for (number, name) in ["a", "b", &long].into_iter().enumerate() {
            ledger.enter(name, (1, number as u64)).unwrap();
        }
        ledger.strike((1, 1));
        let file = ledger.descriptor().unwrap();
        assert_eq!(read(&file), [("a".to_owned(), (1, 0)), (long, (1, 2))]);
        ledger.enter("c", (2, 7)).unwrap();
        assert_eq!(read(&file)[1], ("c".to_owned(), (2, 7)), "a record is used again");
    }

    /// Others may remove the names: a process that creates for ever keeps no more than what is there.
    #[test]
    fn a_ledger_of_names_that_others_removed_does_not_grow() {
        let mut ledger = Ledger::new().unwrap();
        for inode in 0..10_000 {
            ledger.enter("aioprocessing-no-such-name", (0, inode)).unwrap();
        }
        assert!(ledger.length <= 128, "{} records", ledger.length);
    }
}
