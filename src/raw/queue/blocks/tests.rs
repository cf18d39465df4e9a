use super::super::{Options, Queue, Settings};
use super::*;

/// A queue that keeps up went on to 3 MiB within a minute, where its own 200 KiB would have done.
#[test]
fn what_was_freed_below_the_hint_is_claimed_before_new_memory() {
    let settings = Settings { max_items: 0, limit: 1 << 20, options: Options::default(), max_attempts: 0 };
    let queue = Queue::create(&settings).unwrap();
    let (memory, me) = (&queue.words().memory, queue.region().me());
    let claim = || queue.blocks.claim_for_ring(memory, me).unwrap().unwrap();
    let claimed: Vec<u32> = (0..4).map(|_| claim()).collect();
    assert_eq!(claimed, [1, 2, 3, 4]);
    queue.blocks.free(memory, me, &claimed[..2]);
    // As who was interrupted between its look and its note leaves it.
    memory.ring_hint.store(5, Ordering::Relaxed);
    assert_eq!([claim(), claim()], [1, 2]);
    assert_eq!(claim(), 5);
}

#[test]
fn blocks_that_follow_one_another_make_a_run() {
    let found: Vec<_> = runs(&[3, 4, 5, 9, 10, 2]).collect();
    assert_eq!(found, [(3, 3), (9, 2), (2, 1)]);
    assert_eq!(runs(&[]).count(), 0);
}
