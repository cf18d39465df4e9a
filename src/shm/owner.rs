//! Who owns something in a region: a slot and its generation, small enough for one word together with two flags.

/// How many processes can hold one region at a time.
pub(crate) const SLOTS: u16 = 1023;

pub(super) const GENERATION_BITS: u32 = 20;
/// Generations wrap here; zero is skipped.
pub(super) const GENERATION_MASK: u32 = (1 << GENERATION_BITS) - 1;

/// One process's hold on a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    /// Slot + 1 above, generation below: 30 bits, never zero.
    bits: u32,
}

impl Owner {
    /// `slot` below [`SLOTS`]; of the generation, the low 20 bits count.
    pub(crate) fn new(slot: u16, generation: u32) -> Self {
        debug_assert!(slot < SLOTS, "a slot number out of range");
        Self { bits: (u32::from(slot) + 1) << GENERATION_BITS | generation & GENERATION_MASK }
    }

    #[inline]
    pub(crate) fn slot(self) -> u16 {
        // Never out of range: the bits of a slot + 1 are ten, and not all zero.
        (self.bits >> GENERATION_BITS) as u16 - 1
    }

    #[inline]
    pub(crate) fn generation(self) -> u32 {
        self.bits & GENERATION_MASK
    }

    /// 30 bits, never zero: slot + 1 above, generation below.
    #[inline]
    pub(crate) fn to_bits(self) -> u32 {
        self.bits
    }

    /// Reads what [`to_bits`](Self::to_bits) wrote; two bits above the 30 are ignored, and zero is nobody.
    #[inline]
    pub(crate) fn from_bits(bits: u32) -> Option<Self> {
        let bits = bits & ((1 << 30) - 1);
        (bits >> GENERATION_BITS != 0).then_some(Self { bits })
    }

    /// The generation that follows in the same slot.
    pub(crate) fn generation_after(generation: u32) -> u32 {
        match generation.wrapping_add(1) & GENERATION_MASK {
            0 => 1,
            next => next,
        }
    }
}

/// Asks who lives. Implemented by the region for real, by a table in models.
pub(crate) trait Alive: Sync {
    fn is_alive(&self, owner: Owner) -> bool;

    /// Tells the user's log, if there is one, that what `from` held when it died was taken over. Not to be called with the inside
    /// of an object held.
    fn tell_of_a_takeover(&self, _from: Owner, _object: &str) {}
}

#[cfg(all(test, not(aioprocessing_loom)))]
mod tests {
    use super::*;

    #[test]
    fn bits_come_back() {
        for (slot, generation) in [(0, 1), (SLOTS - 1, GENERATION_MASK), (511, 77)] {
            let owner = Owner::new(slot, generation);
            assert_eq!(Owner::from_bits(owner.to_bits()), Some(owner));
            assert_eq!(Owner::from_bits(owner.to_bits() | 3 << 30), Some(owner));
            assert_ne!(owner.to_bits(), 0);
        }
        assert_eq!(Owner::from_bits(0), None);
        assert_eq!(Owner::generation_after(GENERATION_MASK), 1);
    }
}
