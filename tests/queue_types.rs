//! Which types an item may be of: what could not be read back is refused when it is put; codecs.

mod kit;

use std::collections::{BTreeMap, HashMap};

use aioprocessing::{AioQueue, Codec, DecodeError, EncodeError, GetError, PutError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

aioprocessing::test_support!();

fn passes<T: Serialize + DeserializeOwned + Send + PartialEq + std::fmt::Debug + Clone + 'static>(item: T) {
    let queue = AioQueue::unbounded().unwrap();
    queue.put(item.clone()).unwrap();
    assert_eq!(queue.get().unwrap(), item);
}

fn refusal<T: Serialize + DeserializeOwned + Send + 'static>(item: T) -> String {
    let queue = AioQueue::unbounded().unwrap();
    let error = queue.put(item).unwrap_err();
    assert!(matches!(error, PutError::Encode { .. }) && queue.is_empty());
    error.to_string()
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Named { name: String, weight: f64 },
    Pair(Box<Tree>, Box<Tree>),
    Many(Vec<Tree>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Ordinary {
    numbers: (u8, i16, u32, i64, u128, f32, char, bool),
    text: String,
    maybe: Option<Box<Ordinary>>,
    map: BTreeMap<String, Vec<u8>>,
    hash: HashMap<u32, ()>,
    tree: Tree,
    unit: (),
    address: std::net::IpAddr,
    time: std::time::Duration,
    positive: std::num::NonZeroU32,
}

fn ordinary() -> Ordinary {
    Ordinary {
        numbers: (1, -2, 3, -4, 5, 6.5, 'ä', true),
        text: "text".to_owned(),
        maybe: None,
        map: BTreeMap::from([("a".to_owned(), vec![1, 2])]),
        hash: HashMap::from([(7, ())]),
        tree: Tree::Many(vec![
            Tree::Leaf,
            Tree::Named { name: "n".to_owned(), weight: 0.5 },
            Tree::Pair(Box::new(Tree::Leaf), Box::new(Tree::Leaf)),
        ]),
        unit: (),
        address: std::net::IpAddr::from([127, 0, 0, 1]),
        time: std::time::Duration::from_millis(5),
        positive: std::num::NonZeroU32::MIN,
    }
}

#[test]
fn ordinary_types_pass() {
    passes(());
    passes(Some(Some(5_u8)));
    passes(vec![String::new(), "a".to_owned()]);
    passes([1_u64; 30]);
    passes(Ordinary { maybe: Some(Box::new(ordinary())), ..ordinary() });
    passes(Vec::<Tree>::new());
    passes(b"bytes".to_vec());
    passes("text".to_owned());
    passes(Box::<[u8]>::from([1, 2]));
}

#[test]
fn numbers_and_rows_of_them_pass_without_the_codec() {
    passes(u64::MAX);
    passes(-1_i128);
    passes(f64::MIN_POSITIVE);
    passes(7_u8);
    passes(vec![f32::MAX, -0.0, f32::INFINITY]);
    passes(Vec::<u16>::new());
    passes(vec![i8::MIN, -1, i8::MAX]);
    passes((0..100_000_u64).map(|n| n << 40).collect::<Vec<_>>());
    // Not by their own bytes: programs may differ in these.
    passes(vec![usize::MAX]);
    let queue = AioQueue::unbounded().unwrap();
    queue.put(f64::NAN).unwrap();
    assert_eq!(queue.get().unwrap().to_bits(), f64::NAN.to_bits());
    queue.put_many([0.5, 1.5]).unwrap();
    assert_eq!(queue.get_many(9).unwrap(), [0.5, 1.5]);
    let lent = AioQueue::builder().lease(2).build::<Vec<f64>>().unwrap();
    lent.put(vec![0.5]).unwrap();
    drop(lent.get().unwrap());
    assert_eq!(lent.get().unwrap().into_inner(), [0.5]);
}

aioprocessing::plain! {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Point {
        x: f64,
        // Plain data is sent whole.
        #[serde(skip)]
        weights: [f32; 3],
        id: u32,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Twin {
        x: f64,
        weights: [f32; 3],
        id: u32,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Swapped {
        x: f64,
        id: u32,
        weights: [f32; 3],
    }
}

fn point(id: u32) -> Point {
    Point { x: 0.5, weights: [1.0, 2.0, f32::MAX], id }
}

#[test]
fn plain_structs_and_arrays_pass_without_the_codec() {
    passes(point(7));
    passes(vec![point(1), point(2)]);
    passes(Vec::<Point>::new());
    passes((0..100_000).map(point).collect::<Vec<_>>());
    passes([u64::MAX; 32]);
    passes([0.5_f64; 3]);
    let queue = AioQueue::unbounded().unwrap();
    queue.put_many((0..200).map(point)).unwrap();
    assert_eq!(queue.get_many(200).unwrap()[199], point(199));
    assert_eq!(queue.put_timeout(point(1), std::time::Duration::ZERO).unwrap(), ());
    assert_eq!(queue.clone().get().unwrap(), point(1), "a clone knows it as well");
    queue.close();
    assert_eq!(queue.put(point(3)).unwrap_err().into_inner(), point(3));
    // Lent, given up, and got from where dead letters go.
    let dead = AioQueue::unbounded().unwrap();
    let lent = AioQueue::builder().lease(1).build_with_dead_letters::<Point>(&dead).unwrap();
    lent.put(point(4)).unwrap();
    drop(lent.get().unwrap());
    assert!(lent.try_get().unwrap_err().is_empty());
    assert_eq!(dead.get().unwrap(), point(4));
}

#[test]
fn plain_structs_pass_between_processes() {
    let (jobs, results) =
        (AioQueue::<Point>::unbounded().unwrap(), AioQueue::<Vec<Point>>::unbounded().unwrap());
    let work = |jobs: AioQueue<Point>, results: AioQueue<Vec<Point>>| {
        let all: Vec<Point> = jobs.iter().map(Result::unwrap).collect();
        results.put(all).unwrap();
    };
    let child = aioprocessing::AioProcess::spawn(work, (jobs.clone(), results.clone())).unwrap();
    for id in 0..100 {
        jobs.put(point(id)).unwrap();
    }
    jobs.close();
    child.join().unwrap();
    assert_eq!(results.get().unwrap(), (0..100).map(point).collect::<Vec<_>>());
}

#[cfg(feature = "bytes")]
#[test]
fn bytes_behind_their_feature() {
    use bytes::Bytes;

    let whole = Bytes::from(vec![7_u8; 100_000]);
    passes(Bytes::new());
    passes(whole.slice(1..5));
    passes(whole.clone());
    let queue = AioQueue::bounded(1).unwrap();
    queue.put(whole.clone()).unwrap();
    let error = queue.try_put(whole.clone()).unwrap_err();
    assert!(error.is_full() && error.into_inner() == whole);
    let into_vec = Turned::<Bytes, Vec<u8>>::turn(&queue);
    assert_eq!(into_vec.get().unwrap(), whole, "bytes are bytes");
}

/// A queue of `A` that arrives as one of `B`, as it does in a program that is mistaken about the type.
struct Turned<A, B, C = aioprocessing::Postcard>(Option<AioQueue<A, C>>, Option<AioQueue<B, C>>);

impl<A, B, C: Codec> Serialize for Turned<A, B, C> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}

impl<'de, A, B, C: Codec> Deserialize<'de> for Turned<A, B, C> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Deserialize::deserialize(from).map(|arrived| Self(None, arrived))
    }
}

impl<A: 'static, B: 'static> Turned<A, B> {
    fn turn(queue: &AioQueue<A>) -> AioQueue<B> {
        let through = AioQueue::unbounded().unwrap();
        through.put(Self(Some(queue.clone()), None)).unwrap();
        through.get().unwrap().1.unwrap()
    }
}

#[test]
fn in_a_batch_what_cannot_be_read_does_not_take_others_with_it() {
    let numbers = AioQueue::<u32>::unbounded().unwrap();
    let texts = Turned::<u32, String>::turn(&numbers);
    numbers.put_many([1, 2]).unwrap();
    texts.put("text".to_owned()).unwrap();
    numbers.put(3).unwrap();
    let error = numbers.get_many(9).unwrap_err();
    assert!(matches!(error.reasons(), [GetError::Decode { bytes, .. }] if bytes == b"text"));
    assert_eq!(error.into_inner(), [1, 2, 3]);
    // Those go through the codec.
    let pairs = Turned::<u32, (u8, String)>::turn(&numbers);
    let pair = |number| (number, "pair".to_owned());
    pairs.put(pair(1)).unwrap();
    texts.put("text".to_owned()).unwrap();
    pairs.put_many([pair(2), pair(3)]).unwrap();
    let error = pairs.get_many(9).unwrap_err();
    assert!(matches!(error.reasons(), [GetError::Decode { bytes, .. }] if bytes == b"text"));
    assert_eq!(error.into_inner(), [pair(1), pair(2), pair(3)]);
}

#[test]
fn numbers_of_another_type_are_errors_and_no_other_numbers() {
    fn mistaken<A, B>(item: A, bytes: usize)
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        B: Serialize + DeserializeOwned + Send + std::fmt::Debug + 'static,
    {
        let queue = AioQueue::unbounded().unwrap();
        queue.put(item).unwrap();
        match Turned::<A, B>::turn(&queue).get() {
            Err(GetError::Decode { bytes: found, .. }) => assert_eq!(found.len(), bytes),
            other => panic!("{other:?}"),
        }
        assert!(queue.is_empty());
    }
    mistaken::<u64, f64>(1, 8);
    mistaken::<u64, i64>(1, 8);
    mistaken::<u64, Vec<u64>>(1, 8);
    mistaken::<Vec<u64>, u64>(vec![1], 8);
    mistaken::<Vec<f64>, Vec<u8>>(vec![1.0, 2.0], 16);
    mistaken::<Vec<u8>, Vec<i8>>(vec![1, 2], 2);
    mistaken::<u64, (u64,)>(300, 8);
    mistaken::<(u64,), u64>((300,), 2);
    mistaken::<Vec<u8>, String>(vec![0xFF], 1);
    mistaken::<Point, Swapped>(point(1), 24);
    mistaken::<Point, Vec<Point>>(point(1), 24);
    mistaken::<Vec<Point>, Vec<Swapped>>(vec![point(1)], 24);
    mistaken::<Point, Ordinary>(point(1), 24);
    mistaken::<(f64, u32), Point>((0.5, 1), 9);
    mistaken::<[f64; 3], [u64; 3]>([0.5; 3], 24);
    mistaken::<[f64; 3], Vec<f64>>([0.5; 3], 24);
    // The name of the struct is the program's own affair.
    let queue = AioQueue::unbounded().unwrap();
    queue.put(point(1)).unwrap();
    let Point { x, weights, id } = point(1);
    assert_eq!(Turned::<Point, Twin>::turn(&queue).get().unwrap(), Twin { x, weights, id });
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u64),
    Text(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    A { x: u8 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Skips {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<u64>,
    second: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Flattens {
    name: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Deep {
    End,
    Down(Box<Deep>),
}

#[test]
fn what_cannot_be_read_back_is_an_error_of_put() {
    assert!(refusal(Untagged::Number(5)).contains("untagged"));
    // Also where this value would not show it.
    assert!(refusal(None::<Untagged>).contains("untagged"));
    assert!(refusal((1, Vec::<Untagged>::new(), 2)).contains("untagged"));
    assert!(refusal(Tagged::A { x: 1 }).contains("tag"));
    assert!(refusal(Skips { first: None, second: Some(1) }).contains("skip_serializing_if"));
    passes(Skips { first: Some(2), second: None });
    assert!(refusal(Flattens { name: 1, rest: BTreeMap::new() }).contains("flatten"));
    let deep = |levels: usize| (0..levels).fold(Deep::End, |inner, _| Deep::Down(Box::new(inner)));
    passes(deep(100));
    assert!(refusal(deep(200)).contains("128 levels"));
}

/// A codec of the user's own, that describes itself a little.
struct Lines;

impl Codec for Lines {
    const NAME: &'static str = "lines";
    const SELF_DESCRIBING: bool = true;

    fn encode<T: Serialize + ?Sized>(value: &T, into: &mut Vec<u8>) -> Result<(), EncodeError> {
        into.extend_from_slice(b"line ");
        aioprocessing::Postcard::encode(value, into)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
        match bytes.strip_prefix(b"line ") {
            Some(rest) => aioprocessing::Postcard::decode(rest),
            None => Err(DecodeError::LeftOver { bytes: 0 }),
        }
    }
}

#[test]
fn another_codec_through_the_builder() {
    let queue = AioQueue::builder().max_items(4).codec::<Lines>().build::<(u8, String)>().unwrap();
    queue.put((1, "a".to_owned())).unwrap();
    let echo = |queue: AioQueue<(u8, String), Lines>| queue.get().unwrap();
    let child = aioprocessing::AioProcess::spawn(echo, (queue.clone(),)).unwrap();
    assert_eq!(child.join().unwrap(), (1, "a".to_owned()));
}

/// A codec that wants to see everything.
struct Seal;

impl Codec for Seal {
    const NAME: &'static str = "seal";
    const FOR_ALL: bool = true;

    fn encode<T: Serialize + ?Sized>(value: &T, into: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = into.len();
        aioprocessing::Postcard::encode(value, into)?;
        into[start..].iter_mut().for_each(|byte| *byte = !*byte);
        Ok(())
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
        let opened: Vec<u8> = bytes.iter().map(|byte| !byte).collect();
        aioprocessing::Postcard::decode(&opened)
    }
}

#[test]
fn a_codec_for_all_is_never_spared() {
    let queue = AioQueue::builder().codec::<Seal>().build::<String>().unwrap();
    queue.put("secret".to_owned()).unwrap();
    assert_eq!(queue.get().unwrap(), "secret");
    let queue = AioQueue::builder().codec::<Seal>().build::<u64>().unwrap();
    queue.put(7).unwrap();
    let through = AioQueue::unbounded().unwrap();
    through.put(Turned(Some(queue), None)).unwrap();
    let turned: AioQueue<Vec<u8>, Seal> = through.get().unwrap().1.unwrap();
    // What an error shows is what was written.
    match turned.get() {
        Err(GetError::Decode { bytes, .. }) => assert_eq!(bytes, [!7]),
        other => panic!("{other:?}"),
    }
}

#[cfg(feature = "bincode")]
#[test]
fn bincode_behind_its_feature() {
    use aioprocessing::Bincode;

    let queue = AioQueue::builder().codec::<Bincode>().build::<Ordinary>().unwrap();
    queue.put(ordinary()).unwrap();
    assert_eq!(queue.get().unwrap(), ordinary());
    // By itself it refuses what could not be read back, and keeps the words of what refuses.
    let error = Bincode::encode(&Skips { first: None, second: None }, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("skip_serializing_if"), "{error}");
    // A message of nine bytes that asks for a vector of 2^60 numbers.
    let bytes = [253, 0, 0, 0, 0, 0, 0, 0, 16];
    assert!(Bincode::decode::<Vec<u64>>(&bytes).is_err());
    assert!(Bincode::decode::<u8>(&[1, 2]).is_err());
}
