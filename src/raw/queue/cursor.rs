//! The two ends of a queue, each in one word, so that a put and a get take effect in one store.

/// Records begin at multiples of this.
pub(super) const UNIT: u64 = 64;

/// Where an end of the queue stands.
///
/// | bits | meaning |
/// | --- | --- |
/// | 0–27 | where the next record begins, in units of 64 bytes |
/// | 28–62 | its number: how many came before it, wrapping at 2^35 |
/// | 63 | `CLOSED`, in the tail only: no record will come. In the same word, so that who finds the queue empty and closed is the last |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor(pub(super) u64);

const POSITION: u64 = (1 << 28) - 1;
const NUMBER_SHIFT: u32 = 28;
pub(super) const NUMBER: u64 = (1 << 35) - 1;
pub(super) const CLOSED: u64 = 1 << 63;

/// How far positions reach, in bytes.
pub(super) const REACH: u64 = (POSITION + 1) * UNIT;

impl Cursor {
    /// In bytes.
    #[inline]
    pub(super) fn position(self) -> u64 {
        (self.0 & POSITION) * UNIT
    }

    #[inline]
    pub(crate) fn number(self) -> u64 {
        self.0 >> NUMBER_SHIFT & NUMBER
    }

    #[inline]
    pub(crate) fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    /// Behind one more record, that ends at `position`. It is open.
    #[inline]
    #[must_use]
    pub(super) fn after_one(self, position: u64) -> Self {
        debug_assert!(position.is_multiple_of(UNIT) && position < REACH);
        Self((((self.number() + 1) & NUMBER) << NUMBER_SHIFT) | (position / UNIT))
    }

    /// How many records lie between this, the head, and `tail`.
    #[inline]
    pub(crate) fn distance_to(self, tail: Self) -> u64 {
        tail.number().wrapping_sub(self.number()) & NUMBER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wrap_and_positions_stay() {
        let last = Cursor(NUMBER << NUMBER_SHIFT | 5);
        let next = last.after_one(REACH - UNIT);
        assert_eq!((next.number(), next.position()), (0, REACH - UNIT));
        assert_eq!(last.distance_to(next), 1);
        assert_eq!(next.distance_to(next), 0);
    }

    #[test]
    fn closing_changes_neither_number_nor_position() {
        let open = Cursor(0).after_one(128);
        let closed = Cursor(open.0 | CLOSED);
        assert!(closed.is_closed() && !open.is_closed());
        assert_eq!((closed.number(), closed.position()), (1, 128));
        assert!(!closed.after_one(192).is_closed());
    }
}
