//! Kill at every instruction.
//!
//! Each scenario is one operation in one state. A child is single-stepped through it once, and then a fresh child is
//! ended at each instruction of that recording, while survivors use the same object: threads and tasks of this
//! process, and other processes. Killed, each survivor must go on with the right answer within three seconds. Stopped,
//! each timeout of a survivor must fire, and nobody may take what the stopped one holds.
//!
//! ```text
//! cargo test                                                             a few points of each scenario
//! cargo test --release --test death                                      a sample of each, and the controls
//! cargo test --release --test death -- --ignored --nocapture             every point
//! AIOPROCESSING_DEATH=lock,release cargo test …                          scenarios with this in their name
//! ```
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![allow(unsafe_code, missing_docs)]

#[path = "death/bell.rs"]
mod bell;
#[cfg(aioprocessing_planted)]
#[path = "death/controls.rs"]
mod controls;
#[path = "death/crowd.rs"]
mod crowd;
#[path = "death/events.rs"]
mod events;
#[path = "death/held.rs"]
mod held;
#[path = "death/leases.rs"]
mod leases;
#[path = "death/lifecycle.rs"]
mod lifecycle;
#[path = "death/locks.rs"]
mod locks;
#[path = "death/meeting.rs"]
mod meeting;
#[path = "death/pipes.rs"]
mod pipes;
#[path = "death/pools.rs"]
mod pools;
#[path = "death/queues.rs"]
mod queues;
#[path = "death/readers.rs"]
mod readers;
#[path = "death/semaphores.rs"]
mod semaphores;
#[path = "death/suite.rs"]
mod suite;
#[path = "death/trace.rs"]
mod trace;

use suite::Scenario;
#[cfg(not(aioprocessing_planted))]
use suite::{Extent, run_all};

aioprocessing::test_support!();

fn scenarios() -> Vec<&'static Scenario> {
    let wanted = std::env::var("AIOPROCESSING_DEATH").unwrap_or_default();
    let all = [
        locks::SCENARIOS,
        events::SCENARIOS,
        bell::SCENARIOS,
        lifecycle::SCENARIOS,
        held::SCENARIOS,
        readers::SCENARIOS,
        leases::SCENARIOS,
        semaphores::SCENARIOS,
        meeting::SCENARIOS,
        queues::SCENARIOS,
        pools::SCENARIOS,
        pipes::SCENARIOS,
    ];
    all.into_iter().flatten().filter(|scenario| scenario.name.contains(&wanted)).collect()
}

/// `C of C`: in a build of its own, which has the bugs.
#[cfg(not(aioprocessing_planted))]
fn controls() -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/ci/controls.sh");
    let output = std::process::Command::new(script).args(["--test", "death", "controls"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = text.lines().filter_map(|line| line.split_once("death: ").map(|(_, line)| line));
    let mut last = None;
    lines.by_ref().for_each(|line| match line.strip_suffix(" controls caught") {
        Some(count) => last = Some(count.to_owned()),
        None if line.starts_with("control ") => println!("death: {line}"),
        None => {}
    });
    last.unwrap_or_else(|| panic!("the controls did not run: {}", String::from_utf8_lossy(&output.stderr)))
}

#[cfg(not(aioprocessing_planted))]
fn suite(extent: Extent) {
    let tally = run_all(&scenarios(), extent);
    if std::env::var_os("AIOPROCESSING_DEATH").is_some() {
        println!("death: {} (some scenarios only, no controls)", tally.line());
        return assert!(tally.is_clean(), "{}", tally.first.unwrap_or_default());
    }
    if cfg!(debug_assertions) {
        println!("death: {} (a few points; the sample and the controls run with --release)", tally.line());
        return assert!(tally.is_clean(), "{}", tally.first.unwrap_or_default());
    }
    let controls = controls();
    println!("death: {}, {controls} controls caught", tally.line());
    assert!(tally.is_clean(), "{}", tally.first.unwrap_or_default());
    let (caught, all) = controls.split_once(" of ").unwrap();
    assert_eq!(caught, all, "a planted bug went unseen");
}

#[cfg(not(aioprocessing_planted))]
#[test]
fn sampled_points() {
    // Without optimisation an operation has ten times the instructions, and stepping to them takes as much longer.
    suite(if cfg!(debug_assertions) {
        Extent::Sample { kills: 6, stops: 2 }
    } else {
        Extent::Sample { kills: 44, stops: 8 }
    });
}

#[cfg(not(aioprocessing_planted))]
#[test]
#[ignore = "minutes"]
fn every_point() {
    suite(Extent::All);
}

#[cfg(aioprocessing_planted)]
#[test]
fn controls() {
    let (caught, all) = controls::run();
    println!("death: {caught} of {all} controls caught");
    assert_eq!(caught, all);
}

#[cfg(aioprocessing_planted)]
#[test]
#[ignore = "the child of a control"]
fn one_control() {
    controls::one();
}
