//! The bytes of CPython's `ShareableList`, in native byte order:
//!
//! ```text
//! number of items (N)                     8
//! N + 1 offsets into the data area    8 · N + 8      the last is where the area ends
//! the data area                                      a slot for each item, of 8 bytes or a multiple
//! N formats of the module struct      8 · N          filled up with zeroes
//! N codes                             N              0 number or bool, 1 str, 2 bytes, 3 None
//! ```
//!
//! Two faults of Python's are not repeated. It measures a `str` in characters and cuts it off when it needs more bytes: here
//! slots are measured in bytes. And it takes zero bytes at the end of a value for filling: a value that ends in one has its exact
//! length in its format here, and an `x` behind it (`"3sx"`). Python reads that as it reads everything else, without the zeroes,
//! and since the format does not end in `s` it writes the slot's whole length in its place when it sets the item anew.

use super::item::ShareableItem;
use crate::planted::planted;

pub(super) const WORD: usize = 8;

/// The format and code of an item.
pub(super) type Kind = ([u8; WORD], u8);

const INT: &[u8] = b"q";
const FLOAT: &[u8] = b"d";
const BOOL: &[u8] = b"xxxxxxx?";
const NONE: &[u8] = b"xxxxxx?x";

const NUMBER: u8 = 0;
const STR: u8 = 1;
const BYTES: u8 = 2;
const NOTHING: u8 = 3;

/// The longest slot whose length can be written into a format of eight characters.
pub(super) const LONGEST: usize = 9_999_992;
/// The longest value that may end in a zero byte.
pub(super) const LONGEST_WITH_ZERO: usize = 999_999;

/// Why a value can't be written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// So many bytes are the most that it may have.
    TooLong(usize),
    /// It ends in a zero byte, and so many are the most for such a value.
    EndsInZero(usize),
}

/// Why a slot can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Bytes that are to be text and are not.
    NotText(Vec<u8>),
    /// Format and code fit no item.
    Damaged,
}

fn text(item: &ShareableItem) -> Option<&[u8]> {
    match item {
        ShareableItem::Str(text) => Some(text.as_bytes()),
        ShareableItem::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

/// How many bytes the slot of an item gets, which has room for one byte more than it, as in Python.
pub(super) fn slot(item: &ShareableItem) -> Result<usize, Unfit> {
    let slot = text(item).map_or(WORD, |text| WORD * (text.len() / WORD + 1));
    if slot > LONGEST { Err(Unfit::TooLong(LONGEST - 1)) } else { Ok(slot) }
}

/// What is written for an item into a slot of that many bytes.
pub(super) fn written(item: &ShareableItem, slot: usize) -> Result<(Vec<u8>, Kind), Unfit> {
    let word = |word: [u8; WORD], format: &[u8], code| (word.to_vec(), (padded(format), code));
    Ok(match item {
        ShareableItem::Int(value) => word(value.to_ne_bytes(), INT, NUMBER),
        ShareableItem::Float(value) => word(value.to_ne_bytes(), FLOAT, NUMBER),
        ShareableItem::Bool(value) => word([0, 0, 0, 0, 0, 0, 0, u8::from(*value)], BOOL, NUMBER),
        ShareableItem::None => word([0; WORD], NONE, NOTHING),
        ShareableItem::Str(text) => (filled(text.as_bytes(), slot)?, (format(text.as_bytes(), slot)?, STR)),
        ShareableItem::Bytes(bytes) => (filled(bytes, slot)?, (format(bytes, slot)?, BYTES)),
    })
}

fn filled(bytes: &[u8], slot: usize) -> Result<Vec<u8>, Unfit> {
    if bytes.len() > slot {
        return Err(Unfit::TooLong(slot));
    }
    let mut filled = bytes.to_vec();
    filled.resize(slot, 0);
    Ok(filled)
}

fn format(bytes: &[u8], slot: usize) -> Result<[u8; WORD], Unfit> {
    if planted!("zeroes-at-the-end-are-filling", bytes.last() != Some(&0), true) {
        return Ok(padded(format!("{slot}s").as_bytes()));
    }
    if bytes.len() > LONGEST_WITH_ZERO {
        return Err(Unfit::EndsInZero(LONGEST_WITH_ZERO));
    }
    Ok(padded(format!("{}sx", bytes.len()).as_bytes()))
}

fn padded(format: &[u8]) -> [u8; WORD] {
    let mut padded = [0; WORD];
    // Slots are checked for it.
    for (to, from) in padded.iter_mut().zip(format) {
        *to = *from;
    }
    padded
}

/// How many bytes of a slot make up its item, from its format.
pub(super) fn length((format, _): &Kind, slot: usize) -> Result<usize, Unreadable> {
    let length = match stripped(format) {
        INT | FLOAT | BOOL | NONE => WORD,
        other => bytes_of(other).ok_or(Unreadable::Damaged)?.0,
    };
    if length <= slot { Ok(length) } else { Err(Unreadable::Damaged) }
}

/// The item that stands there. `data` is as long as [`length`] says.
pub(super) fn read((format, code): &Kind, data: Vec<u8>) -> Result<ShareableItem, Unreadable> {
    let word = || <[u8; WORD]>::try_from(data.as_slice()).map_err(|_| Unreadable::Damaged);
    match (stripped(format), *code) {
        (INT, NUMBER) => Ok(ShareableItem::Int(i64::from_ne_bytes(word()?))),
        (FLOAT, NUMBER) => Ok(ShareableItem::Float(f64::from_ne_bytes(word()?))),
        (BOOL, NUMBER) => Ok(ShareableItem::Bool(word()?[WORD - 1] != 0)),
        (NONE, NOTHING) => Ok(ShareableItem::None),
        (other, code @ (STR | BYTES)) => {
            let (_, is_exact) = bytes_of(other).ok_or(Unreadable::Damaged)?;
            let mut data = data;
            if !is_exact {
                data.truncate(stripped(&data).len());
            }
            if code == BYTES {
                return Ok(ShareableItem::Bytes(data));
            }
            String::from_utf8(data)
                .map(ShareableItem::Str)
                .map_err(|error| Unreadable::NotText(error.into_bytes()))
        }
        _ => Err(Unreadable::Damaged),
    }
}

/// Without the zeroes at its end.
fn stripped(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    bytes.get(..end).unwrap_or_default()
}

/// The length that a format names, and whether it is the exact one of its value.
fn bytes_of(format: &[u8]) -> Option<(usize, bool)> {
    let (digits, is_exact) = match format.strip_suffix(b"sx") {
        Some(digits) => (digits, true),
        None => (format.strip_suffix(b"s")?, false),
    };
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(digits).ok().filter(|_| is_number)?;
    Some((number.parse().ok()?, is_exact))
}

#[cfg(test)]
mod tests {
    use super::{ShareableItem as Item, Unreadable, length, read, slot, written};

    fn there_and_back(item: Item) {
        let slot = slot(&item).unwrap();
        let (data, kind) = written(&item, slot).unwrap();
        let length = length(&kind, slot).unwrap();
        assert_eq!(read(&kind, data[..length].to_vec()).unwrap(), item);
    }

    #[test]
    fn whatever_is_written_is_read() {
        for item in
            [Item::None, true.into(), false.into(), i64::MIN.into(), (-0.5).into(), f64::INFINITY.into()]
        {
            there_and_back(item);
        }
        for length in 0..40 {
            for zeroes in 0..20 {
                let text = "ü".repeat(length) + &"\0".repeat(zeroes);
                there_and_back(text.as_bytes().into());
                there_and_back(text.into());
            }
        }
        there_and_back(vec![0; super::LONGEST_WITH_ZERO].into());
        there_and_back(vec![1; super::LONGEST - 1].into());
    }

    /// What CPython 3.11 writes.
    #[test]
    fn the_bytes_are_those_of_python() {
        let kind = |item: Item| written(&item, slot(&item).unwrap()).unwrap().1;
        assert_eq!(kind(7.into()), (*b"q\0\0\0\0\0\0\0", 0));
        assert_eq!(kind("".into()), (*b"8s\0\0\0\0\0\0", 1));
        assert_eq!(kind("12345678".into()), (*b"16s\0\0\0\0\0", 1));
        assert_eq!(kind(b"ab\0".into()), (*b"3sx\0\0\0\0\0", 2));
    }

    #[test]
    fn any_bytes_are_an_item_or_an_error() {
        for format in [
            &b"q"[..],
            b"d",
            b"?",
            b"s",
            b"sx",
            b"-1s",
            b"+8s",
            b" 8s",
            b"8",
            b"99999s",
            b"8s8s",
            b"xxxxxx?x",
            b"",
        ] {
            for code in 0..=255 {
                let kind = (super::padded(format), code);
                if let Ok(length) = length(&kind, 8) {
                    let _ = read(&kind, vec![0xff; length]);
                }
            }
        }
        let kind = (super::padded(b"8s"), 1);
        assert_eq!(read(&kind, vec![0xc3; 8]), Err(Unreadable::NotText(vec![0xc3; 8])));
    }
}
