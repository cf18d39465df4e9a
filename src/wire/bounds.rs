//! Bounds for reading: how deep a message may nest, and how many elements it may claim.
//!
//! A message comes from outside. A few bytes can say "a list in a list in a list", which needs stack for each level, or "a list of
//! 2⁶⁴ units", which needs no bytes and all time. What was written here never nests deeper than [`DEEPEST`].

use std::cell::Cell;
use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};

use super::strict::DEEPEST;

/// Elements without bytes of their own, in one message.
const MOST_EMPTY: usize = 1 << 20;

struct Limits {
    elements: Cell<usize>,
    refusal: Cell<Option<&'static str>>,
}

/// Reads a value from a format in which every element of a list takes a byte at least, but for those of empty types.
/// `Err` holds the words of a refusal, which some codecs lose.
pub(super) fn bounded<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
    bytes: usize,
) -> Result<T, String> {
    let limits = Limits { elements: Cell::new(bytes.saturating_add(MOST_EMPTY)), refusal: Cell::new(None) };
    T::deserialize(Bound { inner: from, depth: 0, is_list: false, limits: &limits })
        .map_err(|error| limits.refusal.get().map_or_else(|| error.to_string(), str::to_owned))
}

/// The same as a seed, for codecs that don't give their reader away: so many bytes there are.
#[cfg(feature = "bincode")]
pub(super) struct Within<T> {
    bytes: usize,
    value: std::marker::PhantomData<T>,
}

#[cfg(feature = "bincode")]
impl<T> Within<T> {
    pub(super) fn of(bytes: usize) -> Self {
        Self { bytes, value: std::marker::PhantomData }
    }
}

#[cfg(feature = "bincode")]
impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Within<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<T, D::Error> {
        bounded(from, self.bytes).map_err(D::Error::custom)
    }
}

/// A part of reading, under the limits.
struct Bound<'a, X> {
    inner: X,
    depth: u16,
    /// Of a visitor and what it visits: the message says how many elements there are, not the type.
    is_list: bool,
    limits: &'a Limits,
}

impl<'a, X> Bound<'a, X> {
    #[inline]
    fn on<Y>(&self, inner: Y, is_list: bool) -> Bound<'a, Y> {
        Bound { inner, depth: self.depth, is_list, limits: self.limits }
    }

    #[inline]
    fn deeper<Y>(&self, inner: Y) -> Bound<'a, Y> {
        Bound { inner, depth: self.depth.saturating_add(1), is_list: false, limits: self.limits }
    }

    fn refuse<E: Error>(&self, reason: &'static str) -> E {
        self.limits.refusal.set(Some(reason));
        E::custom(reason)
    }

    #[inline]
    fn check_depth<E: Error>(&self) -> Result<(), E> {
        if self.depth <= DEEPEST { Ok(()) } else { Err(self.refuse("it nests more than 128 levels deep")) }
    }

    #[inline]
    fn check_count<E: Error>(&self) -> Result<(), E> {
        if self.is_list {
            let left = self.limits.elements.get().checked_sub(1);
            let left = left.ok_or_else(|| self.refuse("it claims more elements than its bytes can hold"))?;
            self.limits.elements.set(left);
        }
        Ok(())
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Bound<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<S::Value, D::Error> {
        let from = self.on(from, false);
        self.inner.deserialize(from)
    }
}

macro_rules! leaves {
    ($($method:ident)*) => { $(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(visitor)
        }
    )* };
}

macro_rules! branches {
    ($($method:ident($($arg:ident: $type:ty),*) $is_list:literal;)*) => { $(
        #[inline]
        fn $method<V: Visitor<'de>>(self, $($arg: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            let visitor = self.on(visitor, $is_list);
            self.inner.$method($($arg,)* visitor)
        }
    )* };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Bound<'_, D> {
    type Error = D::Error;

    leaves! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char
        deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_unit deserialize_identifier
    }

    branches! {
        deserialize_any() true;
        deserialize_ignored_any() true;
        deserialize_option() false;
        deserialize_seq() true;
        deserialize_map() true;
        deserialize_unit_struct(name: &'static str) false;
        deserialize_newtype_struct(name: &'static str) false;
        deserialize_tuple(length: usize) false;
        deserialize_tuple_struct(name: &'static str, length: usize) false;
        deserialize_struct(name: &'static str, fields: &'static [&'static str]) false;
        deserialize_enum(name: &'static str, variants: &'static [&'static str]) false;
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! visits {
    ($($method:ident($type:ty);)*) => { $(
        #[inline]
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )* };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Bound<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    visits! {
        visit_bool(bool); visit_i8(i8); visit_i16(i16); visit_i32(i32); visit_i64(i64); visit_i128(i128);
        visit_u8(u8); visit_u16(u16); visit_u32(u32); visit_u64(u64); visit_u128(u128); visit_f32(f32);
        visit_f64(f64); visit_char(char); visit_str(&str); visit_borrowed_str(&'de str); visit_string(String);
        visit_bytes(&[u8]); visit_borrowed_bytes(&'de [u8]); visit_byte_buf(Vec<u8>);
    }

    #[inline]
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    #[inline]
    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<V::Value, D::Error> {
        self.check_depth()?;
        let from = self.deeper(from);
        self.inner.visit_some(from)
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<V::Value, D::Error> {
        self.check_depth()?;
        let from = self.deeper(from);
        self.inner.visit_newtype_struct(from)
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, parts: A) -> Result<V::Value, A::Error> {
        self.check_depth()?;
        let parts = self.on(parts, self.is_list);
        self.inner.visit_seq(parts)
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, parts: A) -> Result<V::Value, A::Error> {
        self.check_depth()?;
        let parts = self.on(parts, self.is_list);
        self.inner.visit_map(parts)
    }

    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, parts: A) -> Result<V::Value, A::Error> {
        self.check_depth()?;
        let parts = self.on(parts, false);
        self.inner.visit_enum(parts)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Bound<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.check_count()?;
        let seed = self.deeper(seed);
        self.inner.next_element_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Bound<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.check_count()?;
        let seed = self.deeper(seed);
        self.inner.next_key_seed(seed)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.deeper(seed);
        self.inner.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'a, 'de, A: EnumAccess<'de>> EnumAccess<'de> for Bound<'a, A> {
    type Error = A::Error;
    type Variant = Bound<'a, A::Variant>;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let (depth, limits) = (self.depth, self.limits);
        let (value, inner) = self.inner.variant_seed(seed)?;
        Ok((value, Bound { inner, depth, is_list: false, limits }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Bound<'_, A> {
    type Error = A::Error;

    #[inline]
    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.deeper(seed);
        self.inner.newtype_variant_seed(seed)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, A::Error> {
        let visitor = self.on(visitor, false);
        self.inner.tuple_variant(length, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = self.on(visitor, false);
        self.inner.struct_variant(fields, visitor)
    }
}
