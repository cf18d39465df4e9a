//! Lists in shared memory (case 128).

use aioprocessing::{
    AioProcess, CreateListError, GetItemError, OpenListError, SetItemError, ShareableItem, ShareableList,
    SharedMemory,
};

aioprocessing::test_support!();

fn items() -> Vec<ShareableItem> {
    vec![
        "howdy".into(),
        b"HoWdY".into(),
        (-273.154).into(),
        100.into(),
        ShareableItem::None,
        true.into(),
        42.into(),
    ]
}

fn all(list: &ShareableList) -> Vec<ShareableItem> {
    list.iter().collect::<Result<_, _>>().unwrap()
}

/// As `test_shared_memory_ShareableList_basics` of CPython has it.
#[test]
fn case_128_basics() {
    let list = ShareableList::new(items()).unwrap();
    assert_eq!((list.len(), list.is_empty()), (7, false));
    assert_eq!(all(&list), items());
    assert_eq!(list.format(), "8s8sdqxxxxxx?xxxxxxxx?q");
    assert_eq!(list.index(100), Ok(Some(3)));
    assert_eq!(list.index(101), Ok(None));
    assert_eq!((list.count(42), list.count("adios")), (Ok(1), Ok(0)));

    // The same type, and another.
    list.set(3, 42).unwrap();
    assert_eq!(list.get(3).unwrap(), 42.into());
    assert_eq!((list.count(42), list.format().as_str()), (Ok(2), "8s8sdqxxxxxx?xxxxxxxx?q"));
    list.set(3, "some").unwrap();
    assert_eq!((list.get(3).unwrap(), list.format().as_str()), ("some".into(), "8s8sd8sxxxxxx?xxxxxxxx?q"));
    list.set(4, 1.5).unwrap();
    list.set(0, ShareableItem::None).unwrap();
    list.set(5, -1_i64).unwrap();
    assert_eq!(
        all(&list),
        [
            ShareableItem::None,
            b"HoWdY".into(),
            (-273.154).into(),
            "some".into(),
            1.5.into(),
            (-1).into(),
            42.into()
        ]
    );
    list.set(0, "again").unwrap();
    assert_eq!(list.get(0).unwrap().as_str(), Some("again"));

    let outside = list.get(7).unwrap_err();
    assert!(matches!(outside, GetItemError::OutOfRange { index: 7, length: 7, .. }));
    assert!(list.get(usize::MAX).unwrap_err().is_out_of_range());
    assert!(list.set(7, 1).unwrap_err().is_out_of_range());
    list.unlink().unwrap();
}

#[test]
fn case_128_what_has_no_room_is_refused_and_spills_nowhere() {
    let list = ShareableList::new(["aaaaaaa", "bbbbbbbb", "c"]).unwrap();
    for (index, room) in [(0, 8), (1, 16), (2, 8)] {
        let before = all(&list);
        let fits = "x".repeat(room);
        let refused = list.set(index, format!("{fits}y")).unwrap_err();
        let SetItemError::TooLong { room: said, length, .. } = refused else { panic!("{refused}") };
        assert_eq!((said, length), (room, room + 1));
        assert_eq!(all(&list), before);
        list.set(index, fits.as_str()).unwrap();
        let mut expected = before;
        expected[index] = fits.as_str().into();
        assert_eq!(all(&list), expected);
        // Measured in bytes.
        assert!(list.set(index, "ü".repeat(room)).unwrap_err().is_too_long());
        assert_eq!(all(&list), expected);
    }
    let numbers = ShareableList::new([1, 2, 3]).unwrap();
    numbers.set(1, "12345678").unwrap();
    assert!(numbers.set(1, "123456789").unwrap_err().is_too_long());
    assert_eq!(all(&numbers), [1.into(), "12345678".into(), 3.into()]);
    list.unlink().unwrap();
    numbers.unlink().unwrap();
}

/// gh-145261: Python measures in characters and cuts such text off.
#[test]
fn case_128_text_of_many_bytes_is_kept() {
    let texts = ["größer", "日本語のテキスト", "🦀🦀🦀", "e\u{301}", ""];
    let list = ShareableList::new(texts).unwrap();
    assert_eq!(all(&list), texts.map(ShareableItem::from));
    list.set(0, "ß").unwrap();
    assert_eq!(list.get(0).unwrap(), "ß".into());
    list.unlink().unwrap();
}

/// gh-106939: Python loses them.
#[test]
fn case_128_zeroes_at_the_end_are_kept() {
    let list = ShareableList::new([
        b"\x03\x02\x01\0\0\0".to_vec(),
        vec![0; 8],
        vec![0; 9],
        vec![],
        b"a\0b".to_vec(),
    ])
    .unwrap();
    let expected: [ShareableItem; 5] =
        [b"\x03\x02\x01\0\0\0".into(), vec![0; 8].into(), vec![0; 9].into(), vec![].into(), b"a\0b".into()];
    assert_eq!(all(&list), expected);
    list.set(0, "text\0\0").unwrap();
    assert_eq!(list.get(0).unwrap(), "text\0\0".into());
    list.set(0, b"12345678").unwrap();
    assert_eq!(list.get(0).unwrap(), b"12345678".into(), "the whole room is there again");
    list.set(0, b"1234567\0").unwrap();
    assert_eq!(list.get(0).unwrap(), b"1234567\0".into());
    assert_eq!(all(&list)[1..], expected[1..]);
    list.unlink().unwrap();
}

#[test]
fn case_128_a_list_travels_and_is_found_by_name() {
    fn change(list: ShareableList, name: String) -> ShareableList {
        let same = ShareableList::open(&name).unwrap();
        for index in 0..list.len() {
            let number = list.get(index).unwrap().as_int().unwrap();
            same.set(index, number * 2).unwrap();
        }
        list
    }
    let list = ShareableList::new(0..500).unwrap();
    let back = AioProcess::spawn(change, (list.clone(), list.name().to_owned())).unwrap().join().unwrap();
    let expected: Vec<ShareableItem> = (0..500).map(|number| (number * 2).into()).collect();
    assert_eq!((all(&back), all(&list)), (expected.clone(), expected));
    list.unlink().unwrap();
}

#[test]
fn case_128_an_empty_list_and_items_too_long() {
    let empty = ShareableList::new(Vec::<i64>::new()).unwrap();
    assert!(
        empty.is_empty() && empty.get(0).is_err() && ShareableList::open(empty.name()).unwrap().is_empty()
    );
    assert_eq!(empty.memory().size(), 16);
    empty.unlink().unwrap();
    let large = ShareableList::new([vec![1_u8; 9_999_991]]).unwrap();
    assert_eq!(large.get(0).unwrap().as_bytes().unwrap().len(), 9_999_991);
    large.unlink().unwrap();
    assert!(matches!(
        ShareableList::new([vec![1_u8; 9_999_992]]),
        Err(CreateListError::TooLong { index: 0, .. })
    ));
    assert!(matches!(
        ShareableList::new([vec![0_u8; 1_000_000]]),
        Err(CreateListError::EndsInZero { index: 0, .. })
    ));
}

/// A block may hold anything, and anybody may write to it at any time.
#[test]
fn case_128_any_bytes_are_a_list_or_an_error() {
    let list = ShareableList::new(items()).unwrap();
    let size = list.memory().size();
    let mut sound = vec![0; size];
    list.memory().copy_out(0, &mut sound).unwrap();
    let memory = SharedMemory::create_anonymous(size).unwrap();
    let look = || match ShareableList::of(memory.clone()) {
        Ok(list) => {
            let read = list.iter().filter(Result::is_ok).count();
            for index in 0..list.len() {
                let _ = list.set(index, "x");
            }
            read
        }
        Err(OpenListError::NotAList { .. }) => 0,
        Err(other) => panic!("{other}"),
    };
    for at in 0..size {
        for value in [0, 1, 7, 0x7f, 0x80, 0xff, b's', b'x'] {
            memory.copy_in(0, &sound).unwrap();
            memory.set(at, value).unwrap();
            look();
        }
        for value in [-1, i64::MIN, i64::MAX, 1 << 32, size as i64] {
            memory.copy_in(0, &sound).unwrap();
            if memory.set(at, value).is_ok() {
                look();
            }
        }
    }
    memory.copy_in(0, &sound).unwrap();
    assert_eq!(look(), 7);
    for size in 1..=16 {
        let short = SharedMemory::create_anonymous(size).unwrap();
        let opened = ShareableList::of(short.clone());
        assert_eq!(opened.is_ok(), size == 16, "all zero, and long enough for no items");
        short.unlink().unwrap();
    }
    memory.unlink().unwrap();
    list.unlink().unwrap();
}
