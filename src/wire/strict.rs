//! Refusing, when a value is written, what could not be read back.
//!
//! Formats that don't describe themselves take it that reader and writer agree about every field. A field that
//! `skip_serializing_if` left out would be read from the next one's bytes, so leaving one out is an error here. So is a value
//! that nests too deeply: reading one needs stack for each level, and a reader that runs out of it dies.

use std::cell::Cell;
use std::fmt::Display;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// How deep values may nest.
pub(crate) const DEEPEST: u16 = 128;

thread_local! {
    /// Serde's errors lose their text in some codecs.
    static REFUSAL: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// What the last value on this thread was refused for.
pub(super) fn refusal() -> Option<&'static str> {
    REFUSAL.take()
}

fn refuse<E: serde::ser::Error>(reason: &'static str) -> E {
    REFUSAL.set(Some(reason));
    E::custom(reason)
}

/// A value that is written under these rules.
pub(super) struct Strict<'a, T: ?Sized> {
    value: &'a T,
    depth: u16,
    may_skip: bool,
}

impl<'a, T: ?Sized> Strict<'a, T> {
    /// `may_skip`: the format can do without fields that were left out.
    pub(super) fn new(value: &'a T, may_skip: bool) -> Self {
        Self { value, depth: 0, may_skip }
    }
}

impl<T: Serialize + ?Sized> Serialize for Strict<'_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.depth > DEEPEST {
            return Err(refuse("it nests more than 128 levels deep"));
        }
        self.value.serialize(Rules { inner: serializer, depth: self.depth, may_skip: self.may_skip })
    }
}

/// A serializer, or a compound of one, that passes the rules on to what is inside.
struct Rules<S> {
    inner: S,
    depth: u16,
    may_skip: bool,
}

impl<S> Rules<S> {
    #[inline]
    fn wrap<'a, T: ?Sized>(&self, value: &'a T) -> Strict<'a, T> {
        Strict { value, depth: self.depth + 1, may_skip: self.may_skip }
    }

    fn skipped<E: serde::ser::Error>(&self) -> Result<(), E> {
        let reason = "skip_serializing_if left a field out, and this codec can't tell the reader so: write every field";
        if self.may_skip { Ok(()) } else { Err(refuse(reason)) }
    }
}

macro_rules! pass {
    ($($method:ident($type:ty);)*) => { $(
        #[inline]
        fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.inner.$method(value)
        }
    )* };
}

impl<S: Serializer> Serializer for Rules<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Rules<S::SerializeSeq>;
    type SerializeTuple = Rules<S::SerializeTuple>;
    type SerializeTupleStruct = Rules<S::SerializeTupleStruct>;
    type SerializeTupleVariant = Rules<S::SerializeTupleVariant>;
    type SerializeMap = Rules<S::SerializeMap>;
    type SerializeStruct = Rules<S::SerializeStruct>;
    type SerializeStructVariant = Rules<S::SerializeStructVariant>;

    pass! {
        serialize_bool(bool); serialize_i8(i8); serialize_i16(i16); serialize_i32(i32); serialize_i64(i64);
        serialize_i128(i128); serialize_u8(u8); serialize_u16(u16); serialize_u32(u32); serialize_u64(u64);
        serialize_u128(u128); serialize_f32(f32); serialize_f64(f64); serialize_char(char); serialize_str(&str);
        serialize_bytes(&[u8]); serialize_unit_struct(&'static str);
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let value = self.wrap(value);
        self.inner.serialize_some(&value)
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit()
    }

    fn serialize_unit_variant(self, n: &'static str, i: u32, v: &'static str) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(n, i, v)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let value = self.wrap(value);
        self.inner.serialize_newtype_struct(name, &value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let value = self.wrap(value);
        self.inner.serialize_newtype_variant(name, index, variant, &value)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        let Self { inner, depth, may_skip } = self;
        Ok(Rules { inner: inner.serialize_seq(length)?, depth, may_skip })
    }

    fn serialize_tuple(self, length: usize) -> Result<Self::SerializeTuple, S::Error> {
        let Self { inner, depth, may_skip } = self;
        Ok(Rules { inner: inner.serialize_tuple(length)?, depth, may_skip })
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        let Self { inner, depth, may_skip } = self;
        Ok(Rules { inner: inner.serialize_tuple_struct(name, length)?, depth, may_skip })
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        let Self { inner, depth, may_skip } = self;
        Ok(Rules { inner: inner.serialize_tuple_variant(name, index, variant, length)?, depth, may_skip })
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        if length.is_none() && !self.may_skip {
            let reason = "its length is not known ahead (`#[serde(flatten)]` is written like that), and this codec needs it";
            return Err(refuse(reason));
        }
        let Self { inner, depth, may_skip } = self;
        Ok(Rules { inner: inner.serialize_map(length)?, depth, may_skip })
    }

    fn serialize_struct(self, name: &'static str, length: usize) -> Result<Self::SerializeStruct, S::Error> {
        let Self { inner, depth, may_skip } = self;
        Ok(Rules { inner: inner.serialize_struct(name, length)?, depth, may_skip })
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        let Self { inner, depth, may_skip } = self;
        Ok(Rules { inner: inner.serialize_struct_variant(name, index, variant, length)?, depth, may_skip })
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// The compounds without names.
macro_rules! elements {
    ($($compound:ident :: $method:ident;)*) => { $(
        impl<S: $compound> $compound for Rules<S> {
            type Ok = S::Ok;
            type Error = S::Error;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
                let value = self.wrap(value);
                self.inner.$method(&value)
            }

            fn end(self) -> Result<S::Ok, S::Error> {
                self.inner.end()
            }
        }
    )* };
}

elements! {
    SerializeSeq::serialize_element;
    SerializeTuple::serialize_element;
    SerializeTupleStruct::serialize_field;
    SerializeTupleVariant::serialize_field;
}

macro_rules! fields {
    ($($compound:ident)*) => { $(
        impl<S: $compound> $compound for Rules<S> {
            type Ok = S::Ok;
            type Error = S::Error;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), S::Error> {
                let value = self.wrap(value);
                self.inner.serialize_field(key, &value)
            }

            fn skip_field(&mut self, key: &'static str) -> Result<(), S::Error> {
                self.skipped()?;
                self.inner.skip_field(key)
            }

            fn end(self) -> Result<S::Ok, S::Error> {
                self.inner.end()
            }
        }
    )* };
}

fields!(SerializeStruct SerializeStructVariant);

impl<S: SerializeMap> SerializeMap for Rules<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), S::Error> {
        let key = self.wrap(key);
        self.inner.serialize_key(&key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        let value = self.wrap(value);
        self.inner.serialize_value(&value)
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.inner.end()
    }
}
