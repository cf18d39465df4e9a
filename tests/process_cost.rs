//! What a spawn costs does not depend on how much memory its parent has: nothing is forked.
//!
//! Alone in its program, and in turns, so that both parents meet the same machine.

mod kit;

use std::time::{Duration, Instant};

use aioprocessing::{AioProcess, Stdio};
use kit::Watchdog;

aioprocessing::test_support!();

fn median_of_spawns() -> Duration {
    let mut times: Vec<_> = (0..15)
        .map(|_| {
            let begun = Instant::now();
            AioProcess::spawn(|| (), ()).unwrap().join().unwrap();
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

/// Measures when it is asked to.
fn parent(resident: usize) -> Vec<Duration> {
    let memory = std::hint::black_box(vec![1_u8; resident]);
    let mut medians = Vec::new();
    for line in std::io::stdin().lines() {
        line.unwrap();
        medians.push(median_of_spawns());
        println!();
    }
    drop(memory);
    medians
}

#[test]
fn a_spawn_from_a_parent_of_a_gibibyte_costs_at_most_three_times_as_much() {
    use std::io::{BufRead, BufReader, Write};
    let _watchdog = Watchdog::new("the cost of a spawn");
    let parents = [0, 1 << 30].map(|resident| {
        let builder = AioProcess::builder().stdin(Stdio::piped()).stdout(Stdio::piped());
        builder.spawn(parent, (resident,)).unwrap()
    });
    let mut turns: Vec<_> = parents
        .iter()
        .map(|parent| (parent.take_stdin().unwrap(), BufReader::new(parent.take_stdout().unwrap())))
        .collect();
    for _ in 0..10 {
        for (ask, answer) in &mut turns {
            writeln!(ask).unwrap();
            answer.read_line(&mut String::new()).unwrap();
        }
    }
    drop(turns);
    let [small, large] = parents.map(|parent| parent.join().unwrap());
    // The quietest turn of each: a ratio of noise says nothing.
    let (small, large) = (small.iter().min().unwrap(), large.iter().min().unwrap());
    println!("a spawn and join: {small:?} from a small parent, {large:?} from one of 1 GiB");
    assert!(*large <= *small * 3, "{small:?} from a small parent, {large:?} from one of 1 GiB");
}
