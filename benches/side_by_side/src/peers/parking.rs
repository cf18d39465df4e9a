//! parking_lot's mutex, between threads: what a lock that no other process can see costs.

use std::hint::black_box;

use super::{Measure, Peer, here};
use crate::measure::{Setting, rate};

pub const PARKING_LOT: Peer = Peer {
    name: "parking_lot mutex",
    check: here,
    measures: &[("lock_free", free as Measure)],
    except: &[],
    child: None,
};

fn free(setting: &Setting) -> f64 {
    let mutex = parking_lot::Mutex::new(());
    rate(setting.time, 10_000, || drop(black_box(&mutex).lock()))
}
