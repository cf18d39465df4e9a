//! All cells of all cases, interleaved.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cases::{self, Case};
use crate::line::{Line, Outcome};
use crate::measure::{Setting, median};
use crate::peers::{self, Peer};
use crate::place::{Mode, has_two_cpus};

/// How long a figure is taken for, and how often.
#[derive(Clone, Copy)]
pub struct Extent {
    time: Duration,
    runs: usize,
}

impl Extent {
    pub const FULL: Self = Self { time: Duration::from_millis(250), runs: 5 };
    /// For a look: too short and too few to be quoted.
    pub const QUICK: Self = Self { time: Duration::from_millis(60), runs: 3 };
}

/// No figure takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// What starting, warming up and ending adds to a figure, for a guess.
const AROUND: Duration = Duration::from_millis(150);

/// One system in one cell.
struct Row {
    case: &'static Case,
    peer: &'static Peer,
    payload: usize,
    mode: Mode,
    figures: Vec<f64>,
    /// Why there are none.
    failed: Option<String>,
}

impl Row {
    fn line(&self) -> Line {
        Line {
            case: self.case.name.to_owned(),
            system: self.peer.name.to_owned(),
            payload: self.payload,
            mode: self.mode.name().to_owned(),
            metric: self.case.metric.to_owned(),
            unit: self.case.unit.to_owned(),
            median: median(&mut self.figures.clone()),
            min: self.figures.iter().copied().fold(f64::INFINITY, f64::min),
            max: self.figures.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            runs: self.figures.len(),
        }
    }

    fn cell(&self) -> String {
        format!("{}, {} bytes, {}", self.case.name, self.payload, self.mode.name())
    }
}

/// Numbers that are random enough for an order.
struct Dice(u64);

impl Dice {
    fn shuffle(&mut self, order: &mut [usize]) {
        for end in (1..order.len()).rev() {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            order.swap(end, (self.0 % (end as u64 + 1)) as usize);
        }
    }
}

/// All rows of these cases, and who is skipped.
fn rows(chosen: &[&'static Case]) -> (Vec<Row>, Vec<(String, String)>) {
    let (mut rows, mut skipped) = (Vec::new(), Vec::new());
    for peer in peers::ALL {
        let cases: Vec<_> = chosen.iter().filter(|case| peer.measure(case.name).is_some()).collect();
        // What measures nothing at all is there to be named.
        if cases.is_empty() && !peer.measures.is_empty() {
            continue;
        }
        if let Err(reason) = (peer.check)() {
            skipped.push((peer.name.to_owned(), reason));
            continue;
        }
        for case in cases {
            for (&payload, &mode) in
                case.payloads.iter().flat_map(|payload| case.modes.iter().map(move |mode| (payload, mode)))
            {
                if peer.except.contains(&mode) {
                    continue;
                }
                rows.push(Row { case, peer, payload, mode, figures: Vec::new(), failed: None });
            }
        }
    }
    if !has_two_cpus() {
        rows.retain(|row| row.mode != Mode::Cross);
        skipped.push(("everything in mode cross".to_owned(), "this machine has one CPU".to_owned()));
    }
    (rows, skipped)
}

pub fn all(chosen: &[&'static Case], extent: Extent) -> Outcome {
    let (mut rows, skipped) = rows(chosen);
    let guess: Duration = rows.iter().map(|row| row.case.time(extent.time) + AROUND).sum();
    let figures = rows.len() * extent.runs;
    eprintln!("{figures} figures, about {:.0?}", guess * extent.runs as u32);
    let mut dice = Dice(u64::from(std::process::id()) << 20 | 0x9E37);
    let begun = Instant::now();
    for run in 0..extent.runs {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        dice.shuffle(&mut order);
        for index in order {
            let row = &mut rows[index];
            if row.failed.is_none() {
                match figure(row, row.case.time(extent.time)) {
                    Ok(figure) => row.figures.push(figure),
                    Err(reason) => row.failed = Some(reason),
                }
            }
        }
        eprintln!("run {} of {} after {:.0?}", run + 1, extent.runs, begun.elapsed());
    }
    // One that failed once is not to be believed.
    let (failed, fine): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| row.failed.is_some());
    let failure = |row: Row| (row.peer.name.to_owned(), row.cell(), row.failed.unwrap_or_default());
    Outcome {
        lines: fine.iter().map(Row::line).collect(),
        skipped,
        failed: failed.into_iter().map(failure).collect(),
    }
}

/// Takes one figure, in a process of its own.
fn figure(row: &Row, time: Duration) -> Result<f64, String> {
    let mut command = Command::new(std::env::current_exe().map_err(|error| error.to_string())?);
    command.args(["--one", row.case.name, row.peer.name, &row.payload.to_string(), row.mode.name()]);
    command
        .arg(time.as_millis().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // So that nothing it started outlives it.
        .process_group(0);
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let begun = Instant::now();
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        if begun.elapsed() > PATIENCE {
            end_group(child.id());
            let _ = child.wait();
            return Err(format!("no figure after {PATIENCE:?}"));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    end_group(child.id());
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match text.lines().find_map(|line| line.strip_prefix("figure ")?.parse().ok()) {
        Some(figure) if output.status.success() => Ok(figure),
        _ => {
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            let line = told
                .lines()
                .find(|line| !line.trim().is_empty() && !line.starts_with("thread '"))
                .unwrap_or("");
            Err(format!("{}: {line}", output.status))
        }
    }
}

/// What is left of the processes around a figure.
fn end_group(leader: u32) {
    // SAFETY: takes plain numbers; the group is that of a process which was started here.
    unsafe { libc::kill(-leader.cast_signed(), libc::SIGKILL) };
}

/// The process that takes one figure.
pub fn one(args: &[String]) {
    let [case, system, payload, mode, millis] = args else {
        panic!("--one CASE SYSTEM PAYLOAD MODE MILLISECONDS")
    };
    let case = cases::find(case).expect("a case");
    let peer = peers::ALL.iter().find(|known| known.name == *system).expect("a system");
    let setting = Setting {
        case: case.name,
        payload: payload.parse().expect("a payload"),
        mode: Mode::of(mode),
        time: Duration::from_millis(millis.parse().expect("a time")),
        role: 0,
    };
    setting.mode.take_place(true);
    let measure = peer.measure(case.name).expect("a system that knows the case");
    println!("figure {}", measure(&setting));
    // Children that produce for ever are daemons, or end with their sockets.
    std::process::exit(0);
}
