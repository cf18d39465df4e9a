//! Refusing, when a value is written, what could not be read back; and keeping what a value says against being written,
//! where the codec's own error would lose it.
//!
//! Formats that don't describe themselves take it that reader and writer agree about every field. A field that
//! `skip_serializing_if` left out would be read from the next one's bytes, so leaving one out is an error here. So is a value
//! that nests too deeply: reading one needs stack for each level, and a reader that runs out of it dies.

use std::cell::RefCell;
use std::fmt::{self, Display};

use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::codec::EncodeError;

/// How deep values may nest.
pub(crate) const DEEPEST: u16 = 128;

/// What holds for one value.
struct Rules {
    /// The format can do without fields that were left out.
    may_skip: bool,
    /// The first objection.
    said: RefCell<Option<String>>,
}

/// Encodes `value` with `write`, which must serialise what it is given. `may_skip`: the format can do without fields that
/// were left out.
pub(super) fn strictly<T: Serialize + ?Sized, R>(
    value: &T,
    may_skip: bool,
    write: impl FnOnce(&Strict<'_, T>) -> Result<R, EncodeError>,
) -> Result<R, EncodeError> {
    let rules = Rules { may_skip, said: RefCell::new(None) };
    write(&Strict { value, depth: 0, rules: &rules }).map_err(|error| match rules.said.take() {
        Some(message) => EncodeError::Value { message },
        None => error,
    })
}

/// A value that is written under these rules.
pub(super) struct Strict<'a, T: ?Sized> {
    value: &'a T,
    depth: u16,
    rules: &'a Rules,
}

impl<T: Serialize + ?Sized> Serialize for Strict<'_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let done = if self.depth > DEEPEST {
            Err(Refusal::Said("it nests more than 128 levels deep".to_owned()))
        } else {
            self.value.serialize(Under { inner: serializer, depth: self.depth, rules: self.rules })
        };
        done.map_err(|refusal| match refusal {
            Refusal::Inner(error) => error,
            Refusal::Said(text) => self.rules.object(text),
        })
    }
}

impl Rules {
    #[cold]
    fn object<E: Error>(&self, text: String) -> E {
        let error = E::custom(&text);
        self.said.borrow_mut().get_or_insert(text);
        error
    }
}

/// The codec's error, or the words of a value.
#[derive(Debug)]
pub(super) enum Refusal<E> {
    Inner(E),
    Said(String),
}

impl<E: Display> Display for Refusal<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inner(error) => error.fmt(f),
            Self::Said(text) => f.write_str(text),
        }
    }
}

impl<E: std::error::Error> std::error::Error for Refusal<E> {}

impl<E: std::error::Error> Error for Refusal<E> {
    fn custom<T: Display>(text: T) -> Self {
        Self::Said(text.to_string())
    }
}

/// A serializer, or a compound of one, that passes the rules on to what is inside.
struct Under<'a, S> {
    inner: S,
    depth: u16,
    rules: &'a Rules,
}

impl<'a, S> Under<'a, S> {
    #[inline]
    fn wrap<'v, T: ?Sized>(&self, value: &'v T) -> Strict<'v, T>
    where
        'a: 'v,
    {
        Strict { value, depth: self.depth + 1, rules: self.rules }
    }
}

macro_rules! pass {
    ($($method:ident($($arg:ident: $type:ty),*);)*) => { $(
        #[inline]
        fn $method(self, $($arg: $type),*) -> Result<S::Ok, Self::Error> {
            self.inner.$method($($arg),*).map_err(Refusal::Inner)
        }
    )* };
}

macro_rules! inside {
    ($($method:ident($($arg:ident: $type:ty),*);)*) => { $(
        #[inline]
        fn $method<T: Serialize + ?Sized>(self, $($arg: $type,)* value: &T) -> Result<S::Ok, Self::Error> {
            let value = self.wrap(value);
            self.inner.$method($($arg,)* &value).map_err(Refusal::Inner)
        }
    )* };
}

macro_rules! compounds {
    ($($method:ident($($arg:ident: $type:ty),*) -> $kind:ident;)*) => { $(
        #[inline]
        fn $method(self, $($arg: $type),*) -> Result<Self::$kind, Self::Error> {
            let inner = self.inner.$method($($arg),*).map_err(Refusal::Inner)?;
            Ok(Under { inner, depth: self.depth, rules: self.rules })
        }
    )* };
}

impl<'a, S: Serializer> Serializer for Under<'a, S> {
    type Ok = S::Ok;
    type Error = Refusal<S::Error>;
    type SerializeSeq = Under<'a, S::SerializeSeq>;
    type SerializeTuple = Under<'a, S::SerializeTuple>;
    type SerializeTupleStruct = Under<'a, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Under<'a, S::SerializeTupleVariant>;
    type SerializeMap = Under<'a, S::SerializeMap>;
    type SerializeStruct = Under<'a, S::SerializeStruct>;
    type SerializeStructVariant = Under<'a, S::SerializeStructVariant>;

    pass! {
        serialize_bool(v: bool); serialize_i8(v: i8); serialize_i16(v: i16); serialize_i32(v: i32); serialize_i64(v: i64);
        serialize_i128(v: i128); serialize_u8(v: u8); serialize_u16(v: u16); serialize_u32(v: u32); serialize_u64(v: u64);
        serialize_u128(v: u128); serialize_f32(v: f32); serialize_f64(v: f64); serialize_char(v: char); serialize_str(v: &str);
        serialize_bytes(v: &[u8]); serialize_none(); serialize_unit(); serialize_unit_struct(name: &'static str);
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str);
    }

    inside! {
        serialize_some();
        serialize_newtype_struct(name: &'static str);
        serialize_newtype_variant(name: &'static str, index: u32, variant: &'static str);
    }

    compounds! {
        serialize_seq(length: Option<usize>) -> SerializeSeq;
        serialize_tuple(length: usize) -> SerializeTuple;
        serialize_tuple_struct(name: &'static str, length: usize) -> SerializeTupleStruct;
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, length: usize) -> SerializeTupleVariant;
        serialize_struct(name: &'static str, length: usize) -> SerializeStruct;
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, length: usize) -> SerializeStructVariant;
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self::SerializeMap, Self::Error> {
        if length.is_none() && !self.rules.may_skip {
            return Err(Refusal::Said(
                "its length is not known ahead (`#[serde(flatten)]` is written like that), and this codec needs it".to_owned(),
            ));
        }
        let inner = self.inner.serialize_map(length).map_err(Refusal::Inner)?;
        Ok(Under { inner, depth: self.depth, rules: self.rules })
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, Self::Error> {
        self.inner.collect_str(value).map_err(Refusal::Inner)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// The compounds without names.
macro_rules! elements {
    ($($compound:ident: $($method:ident)*;)*) => { $(
        impl<S: $compound> $compound for Under<'_, S> {
            type Ok = S::Ok;
            type Error = Refusal<S::Error>;

            $(
                #[inline]
                fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Self::Error> {
                    let value = self.wrap(value);
                    self.inner.$method(&value).map_err(Refusal::Inner)
                }
            )*

            #[inline]
            fn end(self) -> Result<S::Ok, Self::Error> {
                self.inner.end().map_err(Refusal::Inner)
            }
        }
    )* };
}

elements! {
    SerializeSeq: serialize_element;
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
    SerializeTupleVariant: serialize_field;
    SerializeMap: serialize_key serialize_value;
}

macro_rules! fields {
    ($($compound:ident)*) => { $(
        impl<S: $compound> $compound for Under<'_, S> {
            type Ok = S::Ok;
            type Error = Refusal<S::Error>;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Self::Error> {
                let value = self.wrap(value);
                self.inner.serialize_field(name, &value).map_err(Refusal::Inner)
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), Self::Error> {
                if self.rules.may_skip {
                    return self.inner.skip_field(name).map_err(Refusal::Inner);
                }
                Err(Refusal::Said(format!(
                    "the field {name} is left out (serde's skip_serializing_if), and this codec can't tell the reader so: \
                     write every field"
                )))
            }

            #[inline]
            fn end(self) -> Result<S::Ok, Self::Error> {
                self.inner.end().map_err(Refusal::Inner)
            }
        }
    )* };
}

fields!(SerializeStruct SerializeStructVariant);
