//! Starting processes.

use std::io::{Read, Write};

use aioprocessing::{AioProcess, Stdio};
use tokio::runtime::Runtime;

use crate::measure::{Setting, Trips};

fn square(x: u64) -> u64 {
    x * x
}

pub fn spawn(setting: &Setting) -> f64 {
    let mut trips = Trips::of_long(setting.time);
    loop {
        assert_eq!(AioProcess::spawn(square, (12,)).unwrap().join().unwrap(), 144);
        if let Some(median) = trips.end() {
            return median;
        }
    }
}

pub fn coro_spawn(setting: &Setting, runtime: &Runtime) -> f64 {
    let mut trips = Trips::of_long(setting.time);
    runtime.block_on(async {
        loop {
            assert_eq!(AioProcess::spawn(square, (12,)).unwrap().coro_join().await.unwrap(), 144);
            if let Some(median) = trips.end() {
                return median;
            }
        }
    })
}

/// What a reserve of children could give at best: one that came to its function before and waits there is told to go on.
pub fn wake(setting: &Setting) -> f64 {
    let mut trips = Trips::of_long(setting.time);
    loop {
        let builder = AioProcess::builder().stdin(Stdio::piped()).stdout(Stdio::piped());
        let child = builder.spawn(square_when_told, (12,)).unwrap();
        let (mut word, mut ready) = (child.take_stdin().unwrap(), child.take_stdout().unwrap());
        ready.read_exact(&mut [0]).unwrap();
        trips.set_out();
        word.write_all(b".").unwrap();
        assert_eq!(child.join().unwrap(), 144);
        if let Some(median) = trips.end() {
            return median;
        }
    }
}

fn square_when_told(x: u64) -> u64 {
    std::io::stdout().write_all(b".").unwrap();
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_exact(&mut [0]).unwrap();
    square(x)
}
