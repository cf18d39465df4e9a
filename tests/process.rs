//! Processes that do what they are asked: cases 1 to 28 of a child's life that ends well.

mod kit;

use std::time::Duration;

use aioprocessing::{AioProcess, JoinError, active_children, current_process, parent_process};
use kit::{Face, Watchdog, each_face, sleep_for_ever, until};

aioprocessing::test_support!();

fn nothing() {}

fn add(a: u64, b: u64) -> u64 {
    a + b
}

#[test]
fn case_01_spawn_join_exit0() {
    each_face("case 1", |face| {
        let child = AioProcess::spawn(add, (20, 22)).unwrap();
        assert_eq!(face.join(&child).unwrap(), 42);
        assert_eq!(child.exit_code(), Some(0));
        assert!(!child.is_alive());
        assert!(active_children().iter().all(|other| other.pid() != child.pid()));
    });
}

#[test]
fn case_04_args_reach_the_child_unchanged() {
    type Nested = Vec<(Option<String>, [i16; 3], std::collections::BTreeMap<char, f64>)>;
    fn echo(text: String, list: Vec<u8>, nested: Nested) -> (String, Vec<u8>, Nested) {
        (text, list, nested)
    }
    each_face("case 4", |face| {
        let args = (
            "grüße\0".to_owned(),
            vec![0, 255, 7],
            vec![(None, [-1, 0, 1], [('ä', 0.5), ('b', f64::MAX)].into()), (Some(String::new()), [0; 3], [].into())],
        );
        let child = AioProcess::spawn(echo, args.clone()).unwrap();
        assert_eq!(face.join(&child).unwrap(), args);
    });
}

#[test]
fn functions_of_0_to_12_arguments_and_closures_that_capture_nothing() {
    fn twelve(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8, k: u8, l: u8) -> Vec<u8> {
        vec![a, b, c, d, e, f, g, h, i, j, k, l]
    }
    fn generic<T: std::ops::Mul<Output = T> + Copy>(x: T) -> T {
        x * x
    }
    let _watchdog = Watchdog::new("functions");
    AioProcess::spawn(nothing, ()).unwrap().join().unwrap();
    assert_eq!(AioProcess::spawn(|| "text".to_owned(), ()).unwrap().join().unwrap(), "text");
    assert_eq!(AioProcess::spawn(|x: i32| -x, (5,)).unwrap().join().unwrap(), -5);
    assert_eq!(AioProcess::spawn(|x: i32| x - 1, (5,)).unwrap().join().unwrap(), 4, "another closure of the same shape");
    assert_eq!(AioProcess::spawn(generic::<u32>, (5,)).unwrap().join().unwrap(), 25);
    assert_eq!(AioProcess::spawn(generic::<f64>, (0.5,)).unwrap().join().unwrap(), 0.25);
    let child = AioProcess::spawn(twelve, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)).unwrap();
    assert_eq!(child.join().unwrap(), (1..=12).collect::<Vec<u8>>());
}
