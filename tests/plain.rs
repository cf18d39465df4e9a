//! Plain data, in a crate that forbids unsafe code.
#![forbid(unsafe_code)]

use aioprocessing::{AioArray, AioMutex, AioProcess, AioValue};

aioprocessing::test_support!();

aioprocessing::plain! {
    /// With documentation, derives of its own and the two that are given anyway.
    #[derive(Clone, Copy, Debug, PartialEq, Default)]
    pub struct Point {
        /// First.
        pub x: f64,
        /// Second.
        pub y: f64,
    }

    #[derive(Debug, Copy, PartialEq, Clone)]
    pub(crate) struct Path {
        points: [Point; 3],
        length: u32,
        closed: u8,
        reserved: [u8; 3],
    }

    struct Bare { number: i16 }
}

#[test]
fn plain_structs_stand_in_every_shared_object() {
    let path = Path { points: [Point { x: 1.0, y: 2.0 }; 3], length: 3, closed: 1, reserved: [0; 3] };
    let value = AioValue::new(path).unwrap();
    assert_eq!(value.get(), path);
    let mutex = AioMutex::new(path).unwrap();
    mutex.lock().unwrap().points[1].x = 5.0;
    assert_eq!(mutex.lock().unwrap().points[1], Point { x: 5.0, y: 2.0 });
    let array = AioArray::from_slice(&[path, path]).unwrap();
    array.lock().unwrap()[1].length = 9;
    assert_eq!(array.get(1).unwrap().length, 9);
    let bare = AioArray::<Bare>::zeroed(2).unwrap();
    bare.set(1, Bare { number: -7 }).unwrap();
    assert_eq!(bare.get(1).map(|bare| bare.number), Some(-7));
}

#[test]
fn plain_structs_travel_with_their_objects() {
    let array = AioArray::from_slice(&[Point { x: 1.0, y: 2.0 }, Point::default()]).unwrap();
    let child: AioProcess<()> = AioProcess::spawn(
        |array: AioArray<Point>| {
            let first = array.get(0).unwrap();
            array.set(1, Point { x: first.y, y: first.x }).unwrap();
        },
        (array.clone(),),
    )
    .unwrap();
    child.join().unwrap();
    assert_eq!(array.get(1), Some(Point { x: 2.0, y: 1.0 }));
}
