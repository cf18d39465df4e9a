//! One loop over a queue, an event, the end of a child and a timer. A branch that loses loses nothing.

use std::time::Duration;

use aioprocessing::{AioEvent, AioProcess, AioQueue};

fn produce(numbers: AioQueue<u32>, half: AioEvent) -> String {
    for number in 1..=1000 {
        numbers.put(number).unwrap();
        if number == 500 {
            half.set();
        }
    }
    numbers.close();
    "done".into()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    aioprocessing::init();
    let (numbers, half) = (AioQueue::bounded(10).unwrap(), AioEvent::new().unwrap());
    let child = AioProcess::spawn(produce, (numbers.clone(), half.clone())).unwrap();
    let mut timer = tokio::time::interval(Duration::from_micros(50));
    let (mut sum, mut count, mut is_half, mut is_drained, mut result) = (0, 0, false, false, None);
    while !(is_half && is_drained && result.is_some()) {
        tokio::select! {
            number = numbers.coro_get(), if !is_drained => match number {
                Ok(number) => (sum, count) = (sum + number, count + 1),
                Err(error) => is_drained = error.is_closed(),
            },
            set = half.coro_wait(), if !is_half => is_half = set.is_ok(),
            ended = child.coro_join(), if result.is_none() => result = Some(ended.unwrap()),
            _ = timer.tick() => {}
        }
    }
    println!("{count} numbers that add up to {sum}; the child is {}", result.unwrap());
}
