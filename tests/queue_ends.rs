//! Queues that close with their last sender or receiver: case 46.

mod kit;

use aioprocessing::{AioEvent, AioProcess, AioQueue, ProcessBuilder};
use kit::kill;
use kit::sides::{Side, each};

aioprocessing::test_support!();

/// Ends with this process, if a test fails in the middle.
fn daemon() -> ProcessBuilder {
    AioProcess::builder().daemon(true)
}

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
        let victim = daemon().spawn(put_and_sleep, (queue.clone(), done.clone())).unwrap();
        done.wait().unwrap();
        let leaver = daemon().spawn(put_and_leave, (queue.clone(), 5_u64)).unwrap();
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
        let victim = daemon().spawn(get_and_sleep, (queue.clone(), done.clone(), side)).unwrap();
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

fn wait_and_put(queue: AioQueue<u64>, go: AioEvent) {
    go.wait().unwrap();
    queue.put(2).unwrap();
}

#[test]
fn case_46_who_has_not_put_yet_may_still_put() {
    each("case_46_not_yet", |side, _, _| {
        let queue = AioQueue::builder().close_with_last_sender(true).build::<u64>().unwrap();
        assert!(queue.try_get().unwrap_err().is_empty());
        let go = AioEvent::new().unwrap();
        let late = daemon().spawn(wait_and_put, (queue.clone(), go.clone())).unwrap();
        kit::until("it holds the queue", || go_has_a_waiter(&go));
        daemon().spawn(put_and_leave, (queue.clone(), 1_u64)).unwrap().join().unwrap();
        assert_eq!(side.get(&queue).unwrap(), 0);
        assert!(queue.try_get().unwrap_err().is_empty(), "one has not put yet");
        go.set();
        assert_eq!(side.get(&queue).unwrap(), 2);
        late.join().unwrap();
        assert!(side.get(&queue).unwrap_err().is_closed());
    });
}

/// The last look of a getter that hears of an ending may have begun before the item came that was put just then.
#[test]
fn case_46_what_was_put_last_is_got() {
    fn put_to_who_waits(queue: AioQueue<u64>) {
        kit::until("the getter waits", || format!("{queue:?}").contains("waiting_getters: 1"));
        queue.put(7).unwrap();
    }
    each("case_46_put_last", |side, _, _| {
        let queue = AioQueue::builder().close_with_last_sender(true).build::<u64>().unwrap();
        assert!(queue.try_get().unwrap_err().is_empty());
        let sender = daemon().spawn(put_to_who_waits, (queue.clone(),)).unwrap();
        assert_eq!(side.get(&queue).unwrap(), 7);
        assert!(side.get(&queue).unwrap_err().is_closed());
        sender.join().unwrap();
    });
}

fn go_has_a_waiter(event: &AioEvent) -> bool {
    format!("{event:?}").contains("waiters: 1")
}

#[test]
fn case_46_a_handle_under_way_may_come_to_one_who_puts() {
    each("case_46_under_way", |side, _, _| {
        let queue = AioQueue::builder().close_with_last_sender(true).build::<u64>().unwrap();
        assert!(queue.try_get().unwrap_err().is_empty());
        let post = AioQueue::unbounded().unwrap();
        for _ in 0..2 {
            post.put(queue.clone()).unwrap();
        }
        daemon().spawn(put_and_leave, (queue.clone(), 1_u64)).unwrap().join().unwrap();
        assert_eq!(side.get(&queue).unwrap(), 0);
        assert!(queue.try_get().unwrap_err().is_empty(), "two handles are under way");
        let take_and_put = |post: AioQueue<AioQueue<u64>>| post.get().unwrap().put(3).unwrap();
        daemon().spawn(take_and_put, (post.clone(),)).unwrap().join().unwrap();
        assert_eq!(side.get(&queue).unwrap(), 3);
        assert!(queue.try_get().unwrap_err().is_empty(), "one handle is under way");
        // It goes with the queue that it waits in.
        drop(post);
        assert!(side.get(&queue).unwrap_err().is_closed());
    });
}

#[test]
fn case_46_killed_before_the_first_put() {
    each("case_46_killed", |side, _, _| {
        let queue = AioQueue::builder().close_with_last_sender(true).build::<u64>().unwrap();
        assert!(queue.try_get().unwrap_err().is_empty());
        let go = AioEvent::new().unwrap();
        let victim = daemon().spawn(wait_and_put, (queue.clone(), go.clone())).unwrap();
        kit::until("it holds the queue", || go_has_a_waiter(&go));
        let waiting = queue.clone();
        let getter = std::thread::spawn(move || side.get(&waiting).unwrap_err().is_closed());
        kit::until("it waits", || format!("{queue:?}").contains("waiting_getters: 1"));
        kill(victim.pid());
        victim.join().unwrap_err();
        assert!(getter.join().unwrap());
    });
}

#[test]
fn case_46_who_only_handed_it_on_keeps_it_open_until_it_lets_go() {
    fn hold(queue: AioQueue<u64>, held: AioEvent, go: AioEvent) {
        held.set();
        go.wait().unwrap();
        drop(queue);
        kit::sleep_for_ever();
    }
    each("case_46_holder", |side, _, _| {
        let queue = AioQueue::builder().close_with_last_sender(true).build::<u64>().unwrap();
        assert!(queue.try_get().unwrap_err().is_empty());
        let (held, go) = (AioEvent::new().unwrap(), AioEvent::new().unwrap());
        let arguments = (queue.clone(), held.clone(), go.clone());
        let holder = daemon().kill_on_drop(true).spawn(hold, arguments).unwrap();
        held.wait().unwrap();
        daemon().spawn(put_and_leave, (queue.clone(), 1_u64)).unwrap().join().unwrap();
        assert_eq!(side.get(&queue).unwrap(), 0);
        assert!(queue.try_get().unwrap_err().is_empty());
        go.set();
        assert!(side.get(&queue).unwrap_err().is_closed(), "it has dropped its handle and lives on");
        drop(holder);
    });
}

#[test]
fn case_46_a_wait_for_any_of_several_sees_it_too() {
    let queue = AioQueue::builder().close_with_last_sender(true).build::<u64>().unwrap();
    assert!(aioprocessing::wait_any(&[&queue], Some(std::time::Duration::ZERO)).unwrap().is_empty());
    daemon().spawn(put_and_leave, (queue.clone(), 1_u64)).unwrap().join().unwrap();
    assert_eq!(queue.get().unwrap(), 0);
    let _watchdog = kit::Watchdog::new("case_46_wait_any");
    assert_eq!(aioprocessing::wait_any(&[&queue], None).unwrap(), [0]);
    assert!(queue.is_closed());
}
