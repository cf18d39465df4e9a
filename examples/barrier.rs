//! Processes and a task work in steps: nobody begins the next before all have ended the last, and one of them reports.

use aioprocessing::{AioBarrier, AioProcess, AioValue};

const STEPS: u64 = 3;

fn work(barrier: AioBarrier, sum: AioValue<u64>, number: u64) -> usize {
    let mut led = 0;
    for step in 1..=STEPS {
        sum.fetch_add(step * number);
        led += usize::from(barrier.wait().unwrap().is_leader());
    }
    led
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let sum = AioValue::new(0)?;
    let seen = sum.clone();
    // Runs once a step, when all have arrived and none has gone on.
    let report = move || println!("step done, the sum is {}", seen.get());
    let barrier = AioBarrier::builder(4).action(report).build()?;

    let children: Vec<AioProcess<usize>> = (1..=3)
        .map(|number| AioProcess::spawn(work, (barrier.clone(), sum.clone(), number)))
        .collect::<Result<_, _>>()?;
    let mut led = 0;
    for _ in 0..STEPS {
        led += usize::from(barrier.coro_wait().await?.is_leader());
    }
    for child in &children {
        led += child.coro_join().await?;
    }
    println!("{led} steps had a leader; broken: {}", barrier.is_broken());
    Ok(())
}
