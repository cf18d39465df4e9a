//! Handles travel to children and back.

mod kit;

use aioprocessing::{AioEvent, AioLock, AioProcess};
use kit::each_face;

aioprocessing::test_support!();

fn use_and_return(lock: AioLock, event: AioEvent) -> (AioLock, AioEvent, AioEvent) {
    drop(lock.acquire().unwrap());
    event.set();
    let new = AioEvent::new().unwrap();
    new.set();
    (lock, event, new)
}

#[test]
fn handles_go_and_come_back_with_each_join() {
    each_face("handles", |face| {
        let (lock, event) = (AioLock::new().unwrap(), AioEvent::new().unwrap());
        let child = AioProcess::spawn(use_and_return, (lock.clone(), event.clone())).unwrap();
        for _ in 0..3 {
            let (same_lock, same_event, new) = face.join(&child).unwrap();
            assert!(event.is_set() && same_event.is_set() && new.is_set());
            event.clear();
            assert!(!same_event.is_set(), "it is the same one");
            event.set();
            let guard = lock.acquire().unwrap();
            assert!(same_lock.try_acquire().is_err(), "it is the same one");
            drop(guard);
        }
    });
}

#[test]
fn a_thousand_handles_are_an_argument() {
    fn set_all(events: Vec<AioEvent>) -> usize {
        events.iter().for_each(AioEvent::set);
        events.len()
    }
    each_face("a thousand", |face| {
        let events: Vec<_> = (0..100).map(|_| AioEvent::new().unwrap()).collect();
        let many = events.iter().cycle().take(1000).cloned().collect::<Vec<_>>();
        let child = AioProcess::spawn(set_all, (many,)).unwrap();
        assert_eq!(face.join(&child).unwrap(), 1000);
        assert!(events.iter().all(AioEvent::is_set));
    });
}

#[test]
fn a_grandchild_uses_what_its_grandparent_made() {
    fn pass_on(event: AioEvent, depth: u32) {
        if depth == 0 {
            event.set();
        } else {
            AioProcess::spawn(pass_on, (event, depth - 1)).unwrap().join().unwrap();
        }
    }
    each_face("grandchildren", |face| {
        let event = AioEvent::new().unwrap();
        let child = AioProcess::spawn(pass_on, (event.clone(), 2)).unwrap();
        face.join(&child).unwrap();
        assert!(event.is_set());
    });
}
