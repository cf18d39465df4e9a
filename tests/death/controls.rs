//! Bugs on purpose: each must be caught by a scenario, which passes without it.
//!
//! A bounded sleep and the notice of a death find what a lost wake-up has left behind, so that most of these bugs cost time
//! and nothing else. Where that is so, the control takes these nets away first, and shows that the scenario still
//! passes.

use std::process::Command;

use crate::suite::{Extent, run_scenario};

struct Control {
    plant: &'static str,
    without: &'static str,
    scenario: &'static str,
}

const CONTROLS: &[Control] = &[
    Control { plant: "an-unbounded-sleep", without: "", scenario: "event, set, a thread just asleep" },
    Control { plant: "no-check-for-a-dead-owner", without: "", scenario: "lock, acquire and release, free" },
    Control {
        plant: "a-doorbell-that-is-read",
        without: "long-naps-never-end,no-death-notice",
        scenario: "bell, heard by two processes",
    },
    Control {
        plant: "a-count-that-drops-before-the-second-look",
        without: "long-naps-never-end",
        scenario: "lock, acquire, contended for long",
    },
    Control { plant: "no-second-look-after-listing", without: "", scenario: "lock, acquire, contended" },
    Control {
        plant: "no-death-notice",
        without: "long-naps-never-end",
        scenario: "lock, release, thread, task and process asleep for long",
    },
];

const ONE: &str = "AIOPROCESSING_DEATH_CONTROL";

/// What a scenario says with these bugs planted: `None` if nothing.
fn caught(scenario: &str, plants: &str) -> Option<String> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "one_control", "--ignored", "--nocapture"])
        .env("AIOPROCESSING_PLANT", plants)
        .env(ONE, scenario)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let first = text.lines().find_map(|line| line.strip_prefix("death: first: ")).map(str::to_owned);
    assert!(
        first.is_some() || output.status.success(),
        "a control ended without a word: {text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    first
}

/// (caught, all)
pub(crate) fn run() -> (usize, usize) {
    let mut count = 0;
    for control in CONTROLS {
        let bare = if control.without.is_empty() { None } else { caught(control.scenario, control.without) };
        let plants = [control.without, control.plant].join(",");
        let verdict = match (bare, caught(control.scenario, &plants)) {
            (Some(first), _) => format!("NO VERDICT, fails without it: {first}"),
            (None, None) => "NOT CAUGHT".to_owned(),
            (None, Some(first)) => {
                count += 1;
                format!("caught at {first}")
            }
        };
        println!("death: control {}: {verdict}", control.plant);
    }
    (count, CONTROLS.len())
}

/// The child of a control: one scenario, until something is wrong.
pub(crate) fn one() {
    let wanted = std::env::var(ONE).unwrap_or_default();
    let Some(scenario) = crate::scenarios().into_iter().find(|scenario| scenario.name == wanted) else {
        return;
    };
    let body = || {
        crate::trace::prepare(0);
        run_scenario(scenario, Extent::Sample { kills: 44, stops: 8 }, true)
    };
    let tally = std::thread::spawn(body).join().unwrap();
    // What hangs would keep this process.
    std::process::exit(i32::from(!tally.is_clean()));
}
