//! Queues that close with their last sender or receiver: case 46.

mod kit;

use aioprocessing::{AioEvent, AioProcess, AioQueue};
use kit::kill;
use kit::sides::{Side, each};

aioprocessing::test_support!();

fn put_and_leave(queue: AioQueue<u64>, count: u64) {
    (0..count).for_each(|item| queue.put(item).unwrap());
}

fn put_and_sleep(queue: AioQueue<u64>, done: AioEvent) {
    queue.put(1).unwrap();
    done.set();
    kit::sleep_for_ever();
}

#[test]
fn case_46_getters_wake_when_all_senders_are_gone() {
    each("case_46_senders", |side, _, _| {
        let queue = AioQueue::builder().close_with_last_sender(true).build::<u64>().unwrap();
        assert!(queue.try_get().unwrap_err().is_empty(), "no sender yet is not the last gone");
        let done = AioEvent::new().unwrap();
        let victim = AioProcess::spawn(put_and_sleep, (queue.clone(), done.clone())).unwrap();
        done.wait().unwrap();
        let leaver = AioProcess::spawn(put_and_leave, (queue.clone(), 5_u64)).unwrap();
        leaver.join().unwrap();
        assert_eq!((0..6).map(|_| side.get(&queue).unwrap()).sum::<u64>(), 11);
        assert!(queue.try_get().unwrap_err().is_empty(), "one is left");
        let waiting = queue.clone();
        let getter = std::thread::spawn(move || side.get(&waiting).unwrap_err().is_closed());
        kill(victim.pid());
        victim.join().unwrap_err();
        assert!(getter.join().unwrap());
        assert!(queue.is_closed() && queue.put(1).unwrap_err().is_closed());
    });
}

fn get_and_sleep(queue: AioQueue<u64>, done: AioEvent, side: Side) {
    side.get(&queue).unwrap();
    done.set();
    kit::sleep_for_ever();
}

#[test]
fn case_46_putters_wake_when_all_receivers_are_gone() {
    each("case_46_receivers", |side, _, _| {
        let queue = AioQueue::builder().max_items(1).close_with_last_receiver(true).build::<u64>().unwrap();
        let done = AioEvent::new().unwrap();
        queue.put(1).unwrap();
        let victim = AioProcess::spawn(get_and_sleep, (queue.clone(), done.clone(), side)).unwrap();
        done.wait().unwrap();
        queue.put(2).unwrap();
        let waiting = queue.clone();
        let putter = std::thread::spawn(move || side.put(&waiting, 3).unwrap_err().is_closed());
        kit::until("it waits", || format!("{queue:?}").contains("waiting_putters: 1"));
        kill(victim.pid());
        victim.join().unwrap_err();
        assert!(putter.join().unwrap());
        assert_eq!(queue.get().unwrap(), 2, "what was put is still delivered");
    });
}
