//! What an item costs by its type, put and got in one process: the ways around the codec beside the codec itself.
//!
//! `cargo bench --bench items` gives times of interleaved runs and ratios to the codec. On a busy machine count instructions:
//! `ITEMS="numbers of 4 KiB" TURNS=1000 valgrind --tool=callgrind <the program>`, once more with `TURNS=2000`, and subtract.

#![allow(missing_docs)]

use std::hint::black_box;
use std::time::Instant;

use aioprocessing::{AioPipe, AioQueue};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const RUNS: usize = 9;

/// The same value on the ordinary way.
#[derive(Clone, Serialize, Deserialize)]
struct Coded<T>(T);

aioprocessing::plain! {
    /// What `plain!` makes such structs for.
    #[derive(Serialize, Deserialize)]
    struct Point {
        x: f64,
        y: f64,
        id: u64,
    }
}

type Case = (&'static str, Box<dyn Fn(u32)>);

fn turns<T: Serialize + DeserializeOwned + Send + Clone + 'static>(item: T) -> Box<dyn Fn(u32)> {
    let queue = AioQueue::unbounded().unwrap();
    Box::new(move |turns| {
        for _ in 0..turns {
            queue.put(black_box(&item).clone()).unwrap();
            black_box(queue.get().unwrap());
        }
    })
}

/// The same over a pipe.
fn sent<T: Serialize + DeserializeOwned + Send + Clone + 'static>(item: T) -> Box<dyn Fn(u32)> {
    let (receiver, sender) = AioPipe::<T>::simplex().unwrap();
    Box::new(move |turns| {
        for _ in 0..turns {
            sender.send(black_box(&item)).unwrap();
            black_box(receiver.recv().unwrap());
        }
    })
}

fn cases() -> Vec<(Case, Case, u32)> {
    fn pair<T>(names: [&'static str; 2], item: T, count: u32) -> (Case, Case, u32)
    where
        T: Serialize + DeserializeOwned + Send + Clone + 'static,
    {
        ((names[0], turns(Coded(item.clone()))), (names[1], turns(item)), count)
    }
    fn pipe<T>(names: [&'static str; 2], item: T, count: u32) -> (Case, Case, u32)
    where
        T: Serialize + DeserializeOwned + Send + Clone + 'static,
    {
        ((names[0], sent(Coded(item.clone()))), (names[1], sent(item)), count)
    }
    vec![
        pair(["coded number", "number"], 7_u64 << 50, 200_000),
        pair(["coded float", "float"], 0.5_f64, 200_000),
        pair(["coded point", "point"], Point { x: 1.0, y: 2.0, id: 1 << 40 }, 200_000),
        pair(["coded bytes of 64 B", "bytes of 64 B"], vec![1_u8; 64], 200_000),
        pair(["coded bytes of 4 KiB", "bytes of 4 KiB"], vec![1_u8; 4096], 20_000),
        pair(["coded text of 4 KiB", "text of 4 KiB"], "x".repeat(4096), 20_000),
        pair(
            ["coded points of 4 KiB", "points of 4 KiB"],
            vec![Point { x: 1.0, y: 2.0, id: 1 << 40 }; 170],
            20_000,
        ),
        pair(["coded array of 24 B", "array of 24 B"], [0.5_f64; 3], 200_000),
        pair(["coded numbers of 64 B", "numbers of 64 B"], vec![7_u64 << 50; 8], 200_000),
        pair(["coded numbers of 4 KiB", "numbers of 4 KiB"], vec![7_u64 << 50; 512], 20_000),
        pair(["coded floats of 1 MiB", "floats of 1 MiB"], vec![0.5_f64; 1 << 17], 200),
        #[cfg(feature = "bytes")]
        pair(["coded Bytes of 4 KiB", "Bytes of 4 KiB"], bytes::Bytes::from(vec![1_u8; 4096]), 20_000),
        pipe(["coded point sent", "point sent"], Point { x: 1.0, y: 2.0, id: 1 << 40 }, 50_000),
        pipe(["coded bytes of 64 B sent", "bytes of 64 B sent"], vec![1_u8; 64], 50_000),
        pipe(["coded bytes of 4 KiB sent", "bytes of 4 KiB sent"], vec![1_u8; 4096], 10_000),
        pipe(["coded floats of 4 KiB sent", "floats of 4 KiB sent"], vec![0.5_f64; 512], 10_000),
    ]
}

fn main() {
    // Cargo's own arguments are not ours.
    let cases = cases();
    if let Ok(wanted) = std::env::var("ITEMS") {
        let count = std::env::var("TURNS").map_or(1000, |text| text.parse().expect("TURNS is a number"));
        let all = cases.iter().flat_map(|(coded, other, _)| [coded, other]);
        let (_, run) = all.into_iter().find(|(name, _)| *name == wanted).expect("ITEMS names a case");
        run(count);
        return;
    }
    for ((coded_name, coded), (name, other), count) in cases {
        let (mut coded_times, mut times) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            for (run, times) in [(&coded, &mut coded_times), (&other, &mut times)] {
                let begun = Instant::now();
                run(count);
                times.push(begun.elapsed().as_secs_f64() * 1e9 / f64::from(count));
            }
        }
        coded_times.sort_by(f64::total_cmp);
        times.sort_by(f64::total_cmp);
        let (base, median) = (coded_times[RUNS / 2], times[RUNS / 2]);
        println!("{coded_name:24} {base:10.0} ns");
        println!(
            "{name:24} {median:10.0} ns ({:.0} to {:.0}), {:5.2}",
            times[0],
            times[RUNS - 1],
            median / base
        );
    }
}
