//! procspawn: functions in processes, over ipc-channel.

use super::{Measure, Peer, here};
use crate::measure::{Setting, Trips, rate};

pub const PROCSPAWN: Peer = Peer {
    name: "procspawn",
    check: here,
    measures: &[("spawn", spawn as Measure), ("pool_one_by_one", one_by_one as Measure)],
    except: &[],
    child: None,
};

fn spawn(setting: &Setting) -> f64 {
    ::procspawn::init();
    let mut trips = Trips::of_long(setting.time);
    loop {
        let child = ::procspawn::spawn(12_u64, |x| x * x);
        assert_eq!(child.join().unwrap(), 144);
        if let Some(median) = trips.end() {
            return median;
        }
    }
}

/// It has no map: each task is a call, and there are as many at once as it likes.
fn one_by_one(setting: &Setting) -> f64 {
    ::procspawn::init();
    let pool = ::procspawn::Pool::new(2).unwrap();
    // Each call holds descriptors until it is done.
    let count = 100;
    let round = || {
        let calls: Vec<_> = (0..count).map(|x| pool.spawn(x, |x: u64| x)).collect();
        let values: u64 = calls.into_iter().map(|call| call.join().unwrap()).sum();
        assert_eq!(values, count * (count - 1) / 2);
    };
    let figure = rate(setting.time, 1, round) * count as f64;
    pool.kill();
    figure
}
