//! Asking a type whether it can be read from a format that does not describe itself.
//!
//! Some types ask the format what comes next (`#[serde(untagged)]`, internally tagged enums): they can be written in any
//! format and read back from few. Serde tells nobody of that, so the type is read from a source that makes values up, one
//! variant of each enum after the other, and notes whether it was asked.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer as _,
    MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

/// The error of [`serde::de::value`], which holds no more than a text.
type Error = serde::de::value::Error;

/// So deep, lists are empty and options `None`, so that types which hold themselves end.
const DEEP: u16 = 6;
const DEEPEST: u16 = 40;
/// So often the type is read, to see the variants of its enums.
const PASSES: usize = 64;

#[derive(Default)]
struct Notes {
    asked: Cell<bool>,
    /// For each enum how many of its variants were shown, and how many there are.
    shown: RefCell<BTreeMap<&'static str, (usize, usize)>>,
}

/// Whether reading a `T` asks the format what comes next.
pub(crate) fn needs_description<T: DeserializeOwned>() -> bool {
    let notes = Notes::default();
    for _ in 0..PASSES {
        // What it says of made-up values is no matter.
        let _ = T::deserialize(Probe { notes: &notes, depth: 0 });
        if notes.asked.get() {
            return true;
        }
        if notes.shown.borrow().values().all(|&(shown, of)| shown >= of) {
            break;
        }
    }
    false
}

#[derive(Clone, Copy)]
struct Probe<'a> {
    notes: &'a Notes,
    depth: u16,
}

impl Probe<'_> {
    fn deeper(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }

    fn elements(self) -> usize {
        usize::from(self.depth < DEEP)
    }
}

struct Elements<'a> {
    probe: Probe<'a>,
    left: usize,
}

macro_rules! made_up {
    ($($method:ident => $visit:ident($($value:expr)?);)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit($($value)?)
        }
    )* };
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        self.notes.asked.set(true);
        Err(Error::custom("asked what comes next"))
    }

    made_up! {
        deserialize_bool => visit_bool(true);
        deserialize_i8 => visit_i8(1);
        deserialize_i16 => visit_i16(1);
        deserialize_i32 => visit_i32(1);
        deserialize_i64 => visit_i64(1);
        deserialize_i128 => visit_i128(1);
        deserialize_u8 => visit_u8(1);
        deserialize_u16 => visit_u16(1);
        deserialize_u32 => visit_u32(1);
        deserialize_u64 => visit_u64(1);
        deserialize_u128 => visit_u128(1);
        deserialize_f32 => visit_f32(1.0);
        deserialize_f64 => visit_f64(1.0);
        deserialize_char => visit_char('1');
        deserialize_str => visit_str("1");
        deserialize_string => visit_str("1");
        deserialize_bytes => visit_bytes(b"1");
        deserialize_byte_buf => visit_bytes(b"1");
        deserialize_unit => visit_unit();
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.depth < DEEP { visitor.visit_some(self.deeper()) } else { visitor.visit_none() }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.depth > DEEPEST {
            return Err(Error::custom("too deep"));
        }
        visitor.visit_newtype_struct(self.deeper())
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Elements { probe: self, left: self.elements() })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Elements { probe: self, left: length })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Elements { probe: self, left: self.elements() })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.depth > DEEPEST {
            return Err(Error::custom("too deep"));
        }
        let turn = {
            let mut shown = self.notes.shown.borrow_mut();
            let (shown, _) = shown.entry(name).or_insert((0, variants.len()));
            *shown += 1;
            *shown - 1
        };
        match variants.get(turn % variants.len().max(1)) {
            Some(variant) => visitor.visit_enum(Variant { probe: self.deeper(), variant }),
            None => Err(Error::custom("an enum without variants")),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str("1")
    }

    forward_to_deserialize_any! { ignored_any }

    fn is_human_readable(&self) -> bool {
        false
    }
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        if self.probe.depth > DEEPEST {
            return Err(Error::custom("too deep"));
        }
        self.left -= 1;
        seed.deserialize(self.probe.deeper()).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> MapAccess<'de> for Elements<'_> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self.probe.deeper())
    }
}

struct Variant<'a> {
    probe: Probe<'a>,
    variant: &'static str,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Error;
    type Variant = Probe<'a>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Probe<'a>), Error> {
        let name: StrDeserializer<'_, Error> = self.variant.into_deserializer();
        Ok((seed.deserialize(name)?, self.probe))
    }
}

impl<'de> VariantAccess<'de> for Probe<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(fields.len(), visitor)
    }
}
