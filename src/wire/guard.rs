//! What every codec is asked through: a value that would be written down and read back as another is refused, and what a
//! value says against being written is kept, where the codec's own error would lose it.
//!
//! `skip_serializing_if` leaves a field out that a format without names then misses silently.

use std::cell::RefCell;
use std::fmt;

use serde::ser::{
    Error, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};
use serde::{Serialize, Serializer};

use super::codec::EncodeError;

/// The first objection.
type Said = RefCell<Option<String>>;

/// Encodes `value` with `write`, which must serialise what it is given.
pub(super) fn guarded<T: Serialize + ?Sized, R, E: fmt::Display>(
    value: &T,
    write: impl FnOnce(&Held<'_, T>) -> Result<R, E>,
) -> Result<R, EncodeError> {
    let said = Said::default();
    write(&Held { value, said: &said }).map_err(|error| {
        let message = said.take().unwrap_or_else(|| error.to_string());
        EncodeError::Value { message }
    })
}

/// A value that is serialised under guard.
pub(super) struct Held<'a, T: ?Sized> {
    value: &'a T,
    said: &'a Said,
}

impl<T: Serialize + ?Sized> Serialize for Held<'_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Guard { inner: to, said: self.said }).map_err(|refusal| match refusal {
            Refusal::Inner(error) => error,
            Refusal::Said(text) => {
                let error = S::Error::custom(&text);
                self.said.borrow_mut().get_or_insert(text);
                error
            }
        })
    }
}

/// The codec's error, or the words of a value.
#[derive(Debug)]
pub(super) enum Refusal<E> {
    Inner(E),
    Said(String),
}

impl<E: fmt::Display> fmt::Display for Refusal<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inner(error) => error.fmt(f),
            Self::Said(text) => f.write_str(text),
        }
    }
}

impl<E: std::error::Error> std::error::Error for Refusal<E> {}

impl<E: std::error::Error> Error for Refusal<E> {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::Said(text.to_string())
    }
}

/// A serializer, or what it gave for the parts of a compound.
pub(super) struct Guard<'a, S> {
    inner: S,
    said: &'a Said,
}

impl<'a, S> Guard<'a, S> {
    fn hold<'v, T: ?Sized>(&self, value: &'v T) -> Held<'v, T>
    where
        'a: 'v,
    {
        Held { value, said: self.said }
    }
}

macro_rules! plain {
    ($($name:ident($type:ty);)*) => {
        $(
            #[inline]
            fn $name(self, value: $type) -> Result<S::Ok, Self::Error> {
                self.inner.$name(value).map_err(Refusal::Inner)
            }
        )*
    };
}

macro_rules! compound {
    ($($name:ident($($arg:ident: $type:ty),*) -> $kind:ident;)*) => {
        $(
            #[inline]
            fn $name(self, $($arg: $type),*) -> Result<Self::$kind, Self::Error> {
                let inner = self.inner.$name($($arg),*).map_err(Refusal::Inner)?;
                Ok(Guard { inner, said: self.said })
            }
        )*
    };
}

impl<'a, S: Serializer> Serializer for Guard<'a, S> {
    type Ok = S::Ok;
    type Error = Refusal<S::Error>;
    type SerializeSeq = Guard<'a, S::SerializeSeq>;
    type SerializeTuple = Guard<'a, S::SerializeTuple>;
    type SerializeTupleStruct = Guard<'a, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Guard<'a, S::SerializeTupleVariant>;
    type SerializeMap = Guard<'a, S::SerializeMap>;
    type SerializeStruct = Guard<'a, S::SerializeStruct>;
    type SerializeStructVariant = Guard<'a, S::SerializeStructVariant>;

    plain! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_unit_struct(&'static str);
    }

    compound! {
        serialize_seq(length: Option<usize>) -> SerializeSeq;
        serialize_tuple(length: usize) -> SerializeTuple;
        serialize_tuple_struct(name: &'static str, length: usize) -> SerializeTupleStruct;
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, length: usize) -> SerializeTupleVariant;
        serialize_map(length: Option<usize>) -> SerializeMap;
        serialize_struct(name: &'static str, length: usize) -> SerializeStruct;
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, length: usize) -> SerializeStructVariant;
    }

    #[inline]
    fn serialize_none(self) -> Result<S::Ok, Self::Error> {
        self.inner.serialize_none().map_err(Refusal::Inner)
    }

    #[inline]
    fn serialize_unit(self) -> Result<S::Ok, Self::Error> {
        self.inner.serialize_unit().map_err(Refusal::Inner)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, Self::Error> {
        let held = self.hold(value);
        self.inner.serialize_some(&held).map_err(Refusal::Inner)
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, Self::Error> {
        self.inner.serialize_unit_variant(name, index, variant).map_err(Refusal::Inner)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, Self::Error> {
        let held = self.hold(value);
        self.inner.serialize_newtype_struct(name, &held).map_err(Refusal::Inner)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, Self::Error> {
        let held = self.hold(value);
        self.inner.serialize_newtype_variant(name, index, variant, &held).map_err(Refusal::Inner)
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, Self::Error> {
        self.inner.collect_str(value).map_err(Refusal::Inner)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! parts {
    ($($kind:ident: $name:ident;)*) => {
        $(
            impl<S: $kind> $kind for Guard<'_, S> {
                type Ok = S::Ok;
                type Error = Refusal<S::Error>;

                #[inline]
                fn $name<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Self::Error> {
                    let held = self.hold(value);
                    self.inner.$name(&held).map_err(Refusal::Inner)
                }

                #[inline]
                fn end(self) -> Result<S::Ok, Self::Error> {
                    self.inner.end().map_err(Refusal::Inner)
                }
            }
        )*
    };
}

parts! {
    SerializeSeq: serialize_element;
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
    SerializeTupleVariant: serialize_field;
}

impl<S: SerializeMap> SerializeMap for Guard<'_, S> {
    type Ok = S::Ok;
    type Error = Refusal<S::Error>;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Self::Error> {
        let held = self.hold(key);
        self.inner.serialize_key(&held).map_err(Refusal::Inner)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Self::Error> {
        let held = self.hold(value);
        self.inner.serialize_value(&held).map_err(Refusal::Inner)
    }

    #[inline]
    fn end(self) -> Result<S::Ok, Self::Error> {
        self.inner.end().map_err(Refusal::Inner)
    }
}

macro_rules! named_parts {
    ($($kind:ident)*) => {
        $(
            impl<S: $kind> $kind for Guard<'_, S> {
                type Ok = S::Ok;
                type Error = Refusal<S::Error>;

                #[inline]
                fn serialize_field<T: Serialize + ?Sized>(
                    &mut self,
                    name: &'static str,
                    value: &T,
                ) -> Result<(), Self::Error> {
                    let held = self.hold(value);
                    self.inner.serialize_field(name, &held).map_err(Refusal::Inner)
                }

                fn skip_field(&mut self, name: &'static str) -> Result<(), Self::Error> {
                    Err(Refusal::Said(format!(
                        "the field {name} is left out (serde's skip_serializing_if), and could not be read back: write it always"
                    )))
                }

                #[inline]
                fn end(self) -> Result<S::Ok, Self::Error> {
                    self.inner.end().map_err(Refusal::Inner)
                }
            }
        )*
    };
}

named_parts!(SerializeStruct SerializeStructVariant);
