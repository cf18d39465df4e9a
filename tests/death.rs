//! Kill at every instruction.
//!
//! Each scenario is one operation in one state. A child is single-stepped through it once, and then a fresh child is
//! ended at each instruction of that recording, while survivors use the same object: threads and tasks of this
//! process, and other processes. Killed, each survivor must go on with the right answer within three seconds. Stopped,
//! each timeout of a survivor must fire, and nobody may take what the stopped one holds.
//!
//! ```text
//! cargo test --release --test death                                      a sample of each scenario
//! cargo test --release --test death -- --ignored --nocapture             every point
//! AIOPROCESSING_DEATH=lock,release cargo test …                          scenarios with this in their name
//! ```
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![allow(unsafe_code, missing_docs)]

#[path = "death/crowd.rs"]
mod crowd;
#[path = "death/events.rs"]
mod events;
#[path = "death/locks.rs"]
mod locks;
#[path = "death/suite.rs"]
mod suite;
#[path = "death/trace.rs"]
mod trace;

use suite::{Extent, Scenario, run_all};

aioprocessing::test_support!();

fn scenarios() -> Vec<&'static Scenario> {
    let wanted = std::env::var("AIOPROCESSING_DEATH").unwrap_or_default();
    let all = [locks::SCENARIOS, events::SCENARIOS];
    all.into_iter().flatten().filter(|scenario| scenario.name.contains(&wanted)).collect()
}

fn suite(extent: Extent) {
    let tally = run_all(&scenarios(), extent);
    println!("death: {}", tally.line());
    assert!(tally.is_clean(), "{}", tally.first.unwrap_or_default());
}

#[test]
fn sampled_points() {
    suite(Extent::Sample { kills: 44, stops: 8 });
}

#[test]
#[ignore = "minutes"]
fn every_point() {
    suite(Extent::All);
}
