//! Bytes that no codec of this crate wrote: errors, and never a crash, a hang, or another value than is written again.
//!
//! `AIOPROCESSING_FUZZ_SECONDS=600 cargo test --lib fuzz` goes on for as long as one likes; each round prints the seed that
//! repeats it, by `AIOPROCESSING_FUZZ_SEED`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::dice::{Dice, rounds};
use super::{Codec, Postcard};

/// Everything that the formats tell apart, and itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Tree {
    End,
    Numbers(u8, i16, u32, i64, u128, bool, char),
    Down(Option<Box<Tree>>),
    Many(Vec<Tree>),
    Named { text: String, bytes: Vec<u8>, map: BTreeMap<u16, Tree>, units: Vec<()> },
}

fn grow(dice: &mut Dice, depth: u16) -> Tree {
    match if depth > 5 { dice.below(2) } else { dice.below(5) } {
        0 => Tree::End,
        1 => {
            let word = dice.word();
            let letter = char::from_u32((word >> 11) as u32 & 0xFFFF).unwrap_or('ä');
            let (small, wide) = ((word >> 40) as i16, u128::from(word) << dice.below(64));
            Tree::Numbers(
                word as u8,
                small,
                word as u32,
                word.cast_signed(),
                wide,
                word.is_multiple_of(2),
                letter,
            )
        }
        2 => Tree::Down((dice.below(4) > 0).then(|| Box::new(grow(dice, depth + 1)))),
        3 => Tree::Many((0..dice.below(4)).map(|_| grow(dice, depth + 1)).collect()),
        _ => Tree::Named {
            text: String::from_utf8_lossy(&dice.bytes(20)).into_owned(),
            bytes: dice.bytes(300),
            map: (0..dice.below(3)).map(|key| (key as u16 * 700, grow(dice, depth + 1))).collect(),
            units: vec![(); dice.below(5)],
        },
    }
}

fn damage(dice: &mut Dice, bytes: &mut Vec<u8>) {
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() + 1);
        match dice.below(4) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, dice.word() as u8),
            // What many formats take for a very long length.
            2 => drop(bytes.splice(at..at, [0xFF; 9])),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = dice.word() as u8;
                }
            }
        }
    }
}

fn codec<C: Codec>() {
    let encode = |tree: &Tree| {
        let mut bytes = Vec::new();
        C::encode(tree, &mut bytes).unwrap();
        bytes
    };
    rounds(|dice| {
        let tree = grow(dice, 0);
        let mut bytes = encode(&tree);
        assert_eq!(C::decode::<Tree>(&bytes).unwrap(), tree);
        damage(dice, &mut bytes);
        if dice.below(8) == 0 {
            bytes = dice.bytes(200);
        }
        if let Ok(other) = C::decode::<Tree>(&bytes) {
            assert_eq!(C::decode::<Tree>(&encode(&other)).unwrap(), other);
        }
        let _ = C::decode::<Vec<Vec<()>>>(&bytes);
        let _ = C::decode::<(String, Vec<String>, Option<BTreeMap<String, f64>>)>(&bytes);
        let _ = C::decode::<[u64; 4]>(&bytes);
    });
}

#[test]
fn messages_of_postcard() {
    codec::<Postcard>();
}

#[cfg(feature = "bincode")]
#[test]
fn messages_of_bincode() {
    codec::<super::Bincode>();
}
