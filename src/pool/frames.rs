//! Arguments and results of items, one behind the other: a head of one byte before what is short, as tiny tasks have it, and one
//! of nine before everything else.

/// What a frame holds, beside plain values.
pub(super) const VALUE: u8 = 0;
pub(super) const PANICKED: u8 = 1;
pub(super) const ARGUMENTS: u8 = 2;
pub(super) const OUTPUT: u8 = 3;
pub(super) const VALUE_WITH_LUGGAGE: u8 = 4;

/// A head below this is the length of a value; from it on a kind, and the length follows.
const LONG: u8 = 248;
const LONG_HEAD: usize = 9;

/// Leaves room for the head of a frame, and says where it is.
pub(super) fn begin(bytes: &mut Vec<u8>) -> usize {
    bytes.push(0);
    bytes.len() - 1
}

/// Makes a frame of all that stands behind the head at `at`.
pub(super) fn end(bytes: &mut Vec<u8>, at: usize, kind: u8) {
    let length = bytes.len() - at - 1;
    if kind == VALUE && length < LONG as usize {
        bytes[at] = length as u8;
        return;
    }
    bytes.extend_from_slice(&[0; LONG_HEAD - 1]);
    bytes.copy_within(at + 1..at + 1 + length, at + LONG_HEAD);
    bytes[at] = LONG + kind;
    bytes[at + 1..at + LONG_HEAD].copy_from_slice(&(length as u64).to_le_bytes());
}

/// The first frame: its kind, what it holds, and what is behind it. `None`: there is none, or none that is whole.
pub(super) fn first(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&head, rest) = bytes.split_first()?;
    let (kind, length, rest) = if head < LONG {
        (VALUE, usize::from(head), rest)
    } else {
        let (length, rest) = rest.split_first_chunk()?;
        (head - LONG, usize::try_from(u64::from_le_bytes(*length)).ok()?, rest)
    };
    let (body, rest) = rest.split_at_checked(length)?;
    Some((kind, body, rest))
}

/// What the frames hold.
pub(super) fn bodies(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (_, body, rest) = first(bytes)?;
        bytes = rest;
        Some(body)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_and_broken_ones_end_it() {
        let lengths = [0, 1, 247, 248, 249, 70_000];
        let mut bytes = Vec::new();
        for length in lengths {
            for kind in [VALUE, PANICKED, VALUE_WITH_LUGGAGE] {
                let at = begin(&mut bytes);
                bytes.extend((0..length).map(|byte| byte as u8));
                end(&mut bytes, at, kind);
            }
        }
        let mut rest = &bytes[..];
        for length in lengths {
            for kind in [VALUE, PANICKED, VALUE_WITH_LUGGAGE] {
                let (found, body, behind) = first(rest).unwrap();
                assert_eq!((found, body.len()), (kind, length));
                assert!((0..length).zip(body).all(|(byte, found)| byte as u8 == *found));
                rest = behind;
            }
        }
        assert_eq!(first(rest), None);
        assert_eq!(bodies(&bytes).count(), lengths.len() * 3);
        assert_eq!(bodies(&bytes[..bytes.len() - 1]).count(), lengths.len() * 3 - 1);
        assert_eq!(first(&[LONG, 255, 255, 255, 255, 255, 255, 255, 255, 0]), None);
        assert_eq!(first(&[2, 0]), None);
    }
}
