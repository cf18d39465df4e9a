//! Handles that travel, without the handles: a value that holds a descriptor, and one that shares a resource.

use std::cell::Cell;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::luggage::{self, LuggageError};
use super::{Codec, DecodeError, EncodeError, Packed, Postcard, frame, pack, pack_away, unpack};
use crate::sys::socket;

/// Moves a file.
struct Moved(Cell<Option<OwnedFd>>);

impl std::fmt::Debug for Moved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Moved")
    }
}

impl Serialize for Moved {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let descriptor = self.0.take().ok_or_else(|| S::Error::custom("it is gone"))?;
        luggage::stow(descriptor).map_err(S::Error::custom)?.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Moved {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let descriptor = luggage::claim(u32::deserialize(from)?).map_err(D::Error::custom)?;
        Ok(Self(Cell::new(Some(descriptor))))
    }
}

/// Shares a resource of two files.
#[derive(Debug)]
struct Shared(Arc<Vec<OwnedFd>>, u64);

impl Serialize for Shared {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let copies = || self.0.iter().map(OwnedFd::try_clone).collect();
        luggage::stow_shared((0, self.1), copies).map_err(S::Error::custom)?.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Shared {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let open = |descriptors| Ok::<_, LuggageError>(Arc::new(descriptors));
        Ok(Self(luggage::claim_shared(u32::deserialize(from)?, open).map_err(D::Error::custom)?, 0))
    }
}

fn file(text: &str) -> OwnedFd {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.into()
}

fn text(descriptor: OwnedFd) -> String {
    let (mut file, mut text) = (File::from(descriptor), String::new());
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}

fn moved(text: &str) -> Moved {
    Moved(Cell::new(Some(file(text))))
}

#[test]
fn descriptors_travel_beside_their_value() {
    let packed = pack::<Postcard, _>(&(moved("one"), 7_u8, vec![moved("two")])).unwrap();
    assert_eq!(packed.descriptors.len(), 2);
    let (one, seven, mut more): (Moved, u8, Vec<Moved>) =
        unpack::<Postcard, _>(&packed.bytes, packed.descriptors).unwrap();
    assert_eq!((text(one.0.take().unwrap()), seven), ("one".to_owned(), 7));
    assert_eq!(text(more.remove(0).0.take().unwrap()), "two");
}

#[test]
fn a_shared_resource_travels_once() {
    let resource = || Arc::new(vec![file("a"), file("b")]);
    let (first, second) = (resource(), resource());
    let all = [Shared(first.clone(), 1), Shared(second, 2), Shared(first, 1)];
    let packed = pack::<Postcard, _>(&all).unwrap();
    assert_eq!(packed.descriptors.len(), 4);
    let [one, two, again]: [Shared; 3] = unpack::<Postcard, _>(&packed.bytes, packed.descriptors).unwrap();
    assert!(Arc::ptr_eq(&one.0, &again.0));
    assert!(!Arc::ptr_eq(&one.0, &two.0));
    assert_eq!(text(one.0[1].try_clone().unwrap()), "b");
}

#[test]
fn outside_of_a_message_is_an_error_with_a_sentence() {
    assert_eq!(luggage::stow(file("")), Err(LuggageError::NotInMessage));
    assert_eq!(luggage::stow_shared((0, 0), || Ok(vec![])), Err(LuggageError::NotInMessage));
    assert_eq!(luggage::claim(0).unwrap_err(), LuggageError::NotInMessage);
    assert!(LuggageError::NotInMessage.to_string().contains("as an argument of spawn"));
    assert!(matches!(Postcard::encode(&moved(""), &mut Vec::new()), Err(EncodeError::Value { .. })));
}

#[test]
fn a_handle_that_refuses_is_quoted() {
    let gone = Moved(Cell::new(None));
    assert!(matches!(pack::<Postcard, _>(&gone), Err(EncodeError::Value { .. })));

    struct Broken;
    impl Serialize for Broken {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            let broken = || Err(std::io::Error::other("its disk is full"));
            luggage::stow_shared((1, 1), broken).map_err(S::Error::custom)?.serialize(to)
        }
    }
    let error = pack::<Postcard, _>(&Broken).unwrap_err();
    assert!(matches!(&error, EncodeError::Handle { message } if message == "its disk is full"), "{error:?}");
}

#[test]
fn numbers_that_fit_nothing_are_errors() {
    fn refused<T: serde::de::DeserializeOwned + std::fmt::Debug>(names: &[u32], count: usize) -> String {
        let mut bytes = Vec::new();
        names.iter().for_each(|name| Postcard::encode(name, &mut bytes).unwrap());
        let descriptors = (0..count).map(|_| file("")).collect();
        match unpack::<Postcard, T>(&bytes, descriptors) {
            Err(DecodeError::Handle { message }) => message,
            other => panic!("{other:?}"),
        }
    }
    let [first, second, pair, none] = [0x001, 0x101, 0x002, 0x000];
    assert!(refused::<Moved>(&[second], 1).contains("does not carry"));
    assert!(refused::<Moved>(&[u32::MAX - 254], 1).contains("does not carry"));
    assert!(refused::<(Moved, Moved)>(&[first, first], 1).contains("twice"));
    assert!(refused::<(Moved, Shared)>(&[first, pair], 2).contains("twice"));
    assert!(refused::<Moved>(&[pair], 2).contains("another kind"));
    assert!(refused::<Moved>(&[none], 2).contains("another kind"));
    assert!(refused::<(Shared, Moved)>(&[first, first], 1).contains("twice"));

    #[derive(Debug)]
    struct Other;
    impl<'de> Deserialize<'de> for Other {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            let open = |_| Ok::<_, LuggageError>(Arc::new(5_u8));
            luggage::claim_shared(u32::deserialize(from)?, open).map_err(D::Error::custom)?;
            Ok(Self)
        }
    }
    assert!(refused::<(Shared, Other)>(&[pair, pair], 2).contains("another kind"));
}

#[test]
fn descriptors_that_nobody_claims_are_closed() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    unpack::<Postcard, ()>(&[], vec![theirs.into()]).unwrap();
    assert_eq!((&ours).read(&mut [0]).unwrap(), 0, "the other end is closed");
}

#[test]
fn a_message_in_a_message_keeps_its_own() {
    struct Nested;
    impl Serialize for Nested {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            let inner = pack::<Postcard, _>(&moved("inner")).map_err(S::Error::custom)?;
            assert_eq!(inner.descriptors.len(), 1);
            let mut descriptors = inner.descriptors;
            let name = luggage::stow(descriptors.remove(0)).map_err(S::Error::custom)?;
            (inner.bytes, name).serialize(to)
        }
    }
    let packed = pack::<Postcard, _>(&(moved("outer"), Nested)).unwrap();
    assert_eq!(packed.descriptors.len(), 2);
    assert_eq!(luggage::stow(file("")), Err(LuggageError::NotInMessage), "both scopes have ended");
}

#[test]
fn a_panic_ends_its_scope() {
    struct Panics;
    impl Serialize for Panics {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            luggage::stow(file("")).unwrap();
            panic!("in the middle");
        }
    }
    let panicked = std::panic::catch_unwind(|| pack::<Postcard, _>(&Panics));
    assert!(panicked.is_err());
    assert_eq!(luggage::stow(file("")), Err(LuggageError::NotInMessage));
}

#[test]
fn a_message_carries_253_descriptors_and_no_more() {
    let many = |count| (0..count).map(|_| moved("")).collect::<Vec<_>>();
    assert_eq!(pack::<Postcard, _>(&many(253)).unwrap().descriptors.len(), 253);
    let error = pack::<Postcard, _>(&many(254)).unwrap_err();
    assert_eq!(error, EncodeError::TooManyDescriptors { count: 254, limit: 253 });
}

fn through_a_frame(packed: &Packed) -> frame::Frame {
    let (ours, theirs) = socket::pair().unwrap();
    frame::send(&ours, 9, &packed.bytes, &packed.descriptors).unwrap();
    drop(ours);
    let frame = frame::receive(&theirs).unwrap().unwrap();
    assert!(frame::receive(&theirs).unwrap().is_none());
    assert_eq!(frame.kind, 9);
    frame
}

#[test]
fn frames_of_any_size_and_count() {
    for size in [0, 1, 65_535, 65_536, 65_537, 3 << 20] {
        for count in [0, 1, 252, 253, 254, 600] {
            let bytes: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            let value: Vec<_> = (0..count).map(|_| moved("")).collect();
            let mut packed = pack_away::<Postcard, _>(&value, 600).unwrap();
            packed.bytes = bytes;
            let frame = through_a_frame(&packed);
            assert!(frame.bytes == packed.bytes, "{size} bytes, {count} descriptors");
            assert_eq!(frame.descriptors.len(), count);
        }
    }
}

/// A machine may be set to buffers as small as that. What is too long for them takes the longer way.
#[test]
fn a_short_and_a_long_frame_lie_ready_in_the_smallest_buffer() {
    let (ours, theirs) = socket::pair().unwrap();
    rustix::net::sockopt::set_socket_send_buffer_size(&ours, 1).unwrap();
    frame::send(&ours, 1, &[], &[]).unwrap();
    frame::send(&ours, 2, &[7; 60_000], &[]).unwrap();
    drop(ours);
    assert_eq!(frame::receive(&theirs).unwrap().unwrap().kind, 1);
    assert_eq!(frame::receive(&theirs).unwrap().unwrap().bytes, [7; 60_000]);
    assert!(frame::receive(&theirs).unwrap().is_none());
}

/// Who goes with something unread resets the connection, which is told of before what it had sent.
#[test]
fn what_was_sent_before_a_reset_is_there() {
    let (ours, theirs) = socket::pair().unwrap();
    frame::send(&ours, 1, &[7; 100], &[]).unwrap();
    frame::send(&ours, 2, &[8; 60_000], &[]).unwrap();
    frame::send(&theirs, 3, &[], &[]).unwrap();
    drop(ours);
    assert_eq!(frame::receive(&theirs).unwrap().unwrap().bytes, [7; 100]);
    assert_eq!(frame::receive(&theirs).unwrap().unwrap().bytes, [8; 60_000]);
    assert!(frame::receive(&theirs).unwrap().is_none());
}

#[test]
fn damaged_frames_are_errors() {
    let good = {
        let (ours, theirs) = socket::pair().unwrap();
        frame::send(&ours, 1, b"text", &[]).unwrap();
        let mut buffer = vec![0; 100];
        let packet = socket::receive(&theirs, &mut buffer).unwrap();
        buffer.truncate(packet.length);
        buffer
    };
    let sent = |bytes: &[u8], descriptors: &[OwnedFd]| {
        use std::os::fd::AsFd;
        let (ours, theirs) = socket::pair().unwrap();
        let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        socket::send(&ours, &[std::io::IoSlice::new(bytes)], &borrowed).unwrap();
        drop(ours);
        frame::receive(&theirs).map(|frame| frame.map(|frame| frame.bytes))
    };
    assert_eq!(sent(&good, &[]).unwrap().unwrap(), b"text");
    for cut in 1..good.len() {
        assert!(sent(&good[..cut], &[]).is_err(), "cut at {cut}");
    }
    for (at, value) in [(0, 0), (5, 1), (8, 9), (15, 255), (16, 1), (19, 255)] {
        let mut bad = good.clone();
        bad[at] = value;
        assert!(sent(&bad, &[]).is_err(), "byte {at}");
    }
    let mut spilled = good.clone();
    (spilled[5], spilled[16]) = (1, 1);
    let sealed = |text: &str| crate::sys::spill::store(&[text.as_bytes()]).unwrap();
    assert!(sent(&spilled, &[sealed("longer")]).is_err());
    assert_eq!(sent(&spilled, &[sealed("four")]).unwrap().unwrap(), b"four");
    assert!(sent(&spilled, &[file("four")]).is_err(), "a file that its sender can still change");
    let (read, _write) = std::io::pipe().unwrap();
    assert!(sent(&spilled, &[read.into()]).is_err(), "no file");
}
