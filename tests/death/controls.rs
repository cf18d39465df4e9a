//! Bugs on purpose: each must be caught by a scenario, which passes without it.
//!
//! A bounded sleep and the notice of a death find what a lost wake-up has left behind, so that most of these bugs cost time
//! and nothing else. Where that is so, the control takes these nets away first, and shows that the scenario still
//! passes.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::suite::{Extent, run_scenario};

struct Control {
    plant: &'static str,
    without: &'static str,
    scenario: &'static str,
}

const CONTROLS: &[Control] = &[
    Control { plant: "an-unbounded-sleep", without: "", scenario: "event, set, a thread just asleep" },
    Control { plant: "publish-before-payload", without: "", scenario: "queue, put, filled" },
    Control { plant: "a-batch-is-put-in-parts", without: "", scenario: "queue, put_many, empty" },
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
    Control { plant: "a-taker-leaves-no-name", without: "", scenario: "pool, one task after the other" },
    Control { plant: "the-item-that-died-runs-again", without: "", scenario: "pool, items of a chunk" },
    Control {
        plant: "what-was-handed-over-stays",
        without: "",
        scenario: "pool, items of a chunk, more than fit",
    },
    Control { plant: "nobody-counts-for-the-dead", without: "", scenario: "lease, ack, behind a held one" },
    Control { plant: "who-dies-counting-keeps-the-head", without: "", scenario: "lease, ack" },
    Control { plant: "pipe-sends-in-two-parts", without: "", scenario: "pipe-send, bytes" },
];

/// No control takes so long.
const WATCHDOG: Duration = Duration::from_secs(90);
const ONE: &str = "AIOPROCESSING_DEATH_CONTROL";

/// What a scenario says with these bugs planted: `None` if nothing.
fn caught(scenario: &str, plants: &str) -> Option<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "one_control", "--ignored", "--nocapture"])
        .env("AIOPROCESSING_PLANT", plants)
        .env(ONE, scenario)
        .env_remove("AIOPROCESSING_DEATH")
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let group = i32::try_from(child.id()).unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let outcome = lines.find_map(|line| {
            let line = line.ok()?;
            let first = line.strip_prefix("death: first: ").map(|first| Some(first.to_owned()));
            first.or_else(|| line.starts_with("death: clean").then_some(None))
        });
        let _ = tell.send(outcome);
    });
    let outcome = told.recv_timeout(WATCHDOG);
    // What hangs of it would stay.
    // SAFETY: the group is the child's, which has not been reaped.
    unsafe { libc::kill(-group, libc::SIGKILL) };
    let _ = child.wait();
    match outcome {
        Ok(Some(verdict)) => verdict,
        Ok(None) => Some(format!("{scenario}: ended without a word")),
        Err(_) => Some(format!("{scenario}: hung as a whole")),
    }
}

/// (caught, all)
pub(crate) fn run() -> (usize, usize) {
    let mut count = 0;
    for control in CONTROLS {
        let bare = if control.without.is_empty() { None } else { caught(control.scenario, control.without) };
        let plants = [control.without, control.plant].join(",");
        // A sample may miss the few instructions at which it shows: no two recordings are of the same length.
        let found = (0..3).find_map(|_| caught(control.scenario, &plants));
        let verdict = match (bare, found) {
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
    // Ends with whoever asked, whose thread waits for it.
    // SAFETY: takes plain numbers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    let wanted = std::env::var(ONE).unwrap_or_default();
    let Some(scenario) = crate::scenarios().into_iter().find(|scenario| scenario.name == wanted) else {
        return;
    };
    let body = || {
        crate::trace::prepare(0);
        run_scenario(scenario, Extent::Sample { kills: 44, stops: 8 }, true)
    };
    match std::thread::spawn(body).join() {
        Ok(tally) if tally.is_clean() => println!("death: clean"),
        Ok(_) => {}
        Err(panic) => {
            let what = panic.downcast_ref::<String>().map_or("with a panic", String::as_str);
            println!("death: first: {wanted}, ended: {what}");
        }
    }
    // What hangs would keep this process.
    std::process::exit(0);
}
