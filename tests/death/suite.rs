//! Runs scenarios: records each once, then ends a fresh victim at every point of the recording.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::crowd::{Crowd, Fault, Kind, Mode, PROMPT};
use crate::trace::{self, Point, Reached, Stimulus, Victim};

/// One victim and what goes on around it.
pub(crate) trait Play {
    /// The victim sleeps for the n-th time.
    fn stimulus(&mut self, _: usize) -> Stimulus {
        Stimulus::Nothing
    }
    /// The victim stands at the point, alive.
    fn look(&mut self, _: &Victim, _: Reached) {}
    /// It is gone, or stopped: the survivors' part, until all have settled, and the verdict.
    fn after(&mut self, crowd: &mut Crowd);
}

/// An operation in a state.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Sets everything up anew, the victim at its beginning.
    pub(crate) stage: fn(&mut Crowd) -> (Victim, Box<dyn Play>),
}

/// How many points of each scenario.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Extent {
    Sample { kills: usize, stops: usize },
    All,
}

#[derive(Default)]
pub(crate) struct Tally {
    /// (operation and state, asleep there, address)
    points: HashSet<(&'static str, bool, u64)>,
    stops: usize,
    hung: usize,
    torn: usize,
    lost: usize,
    duplicated: usize,
    rescued: usize,
    slowest: Duration,
    waits: Vec<Duration>,
    pub(crate) first: Option<String>,
}

impl Tally {
    fn add(&mut self, crowd: &Crowd, at: impl Fn() -> String) {
        for (kind, _) in &crowd.faults {
            match kind {
                Kind::Hung => self.hung += 1,
                Kind::Torn => self.torn += 1,
                Kind::Lost => self.lost += 1,
                Kind::Duplicated => self.duplicated += 1,
            }
        }
        if let (Some((kind, what)), None) = (crowd.faults.first(), &self.first) {
            self.first = Some(format!("{}: {kind:?}: {what}", at()));
        }
        for (name, wait) in &crowd.waits {
            if *wait > PROMPT {
                self.rescued += 1;
                if std::env::var_os("AIOPROCESSING_DEATH_RESCUES").is_some() {
                    println!("death: rescued after {wait:.1?}: {name}, {}", at());
                }
            }
            self.slowest = self.slowest.max(*wait);
        }
        self.waits.extend(crowd.waits.iter().map(|(_, wait)| *wait));
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.points.extend(other.points);
        self.stops += other.stops;
        self.hung += other.hung;
        self.torn += other.torn;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.rescued += other.rescued;
        self.slowest = self.slowest.max(other.slowest);
        self.waits.extend(other.waits);
        self.first = self.first.take().or(other.first);
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.hung + self.torn + self.lost + self.duplicated == 0
    }

    /// `P kill points, S stop points, H hung, …`
    pub(crate) fn line(&self) -> String {
        format!(
            "{} kill points, {} stop points, {} hung, {} torn, {} lost, {} duplicated, {} rescued by a bounded sleep \
             (slowest {:.1} ms)",
            self.points.len(),
            self.stops,
            self.hung,
            self.torn,
            self.lost,
            self.duplicated,
            self.rescued,
            self.slowest.as_secs_f64() * 1e3,
        )
    }

    fn quantiles(&mut self) -> String {
        self.waits.sort_unstable();
        let at = |share: f64| self.waits.get((self.waits.len() as f64 * share) as usize);
        match (at(0.5), at(0.99)) {
            (Some(half), Some(most)) => format!("p50 {half:.1?}, p99 {most:.1?}"),
            _ => "nobody waited".to_owned(),
        }
    }
}

/// All indices below `length`, each new one far from those before.
fn scattered(length: usize) -> impl Iterator<Item = usize> {
    let bits = length.next_power_of_two().trailing_zeros();
    let reversed =
        move |index: usize| if bits == 0 { index } else { index.reverse_bits() >> (usize::BITS - bits) };
    (0..length.next_power_of_two()).map(reversed).filter(move |index| *index < length)
}

/// Each address when it is first passed, twice more, and for the last time: a loop does not get another state by
/// turning once more.
fn worth_a_kill(recording: &[Point]) -> Vec<Point> {
    let mut last = std::collections::HashMap::new();
    for point in recording {
        last.insert((point.pc, point.asleep), point.nth);
    }
    // A point behind many turns of a loop costs as many stops.
    let far =
        |point: &&Point| point.nth < 3 || (last[&(point.pc, point.asleep)] == point.nth && point.nth < 100);
    recording.iter().filter(far).copied().collect()
}

/// Ends one victim at one point. `None`: at the end of the operation.
fn end_one(scenario: &Scenario, mode: Mode, point: Option<Point>) -> (Crowd, Vec<Point>, Reached) {
    let mut crowd = Crowd::new(mode);
    let (mut victim, mut play) = (scenario.stage)(&mut crowd);
    let mut recording = Vec::new();
    let mut stimulus = |sleep| play.stimulus(sleep);
    let reached = match point {
        Some(point) => victim.run_to(point, &mut stimulus),
        None => {
            let (points, reached) = victim.record(&mut stimulus);
            recording = points;
            reached
        }
    };
    if reached == Reached::Stuck {
        crowd.fault(Kind::Hung, "the victim itself, before anything was done to it");
    }
    play.look(&victim, reached);
    crowd.ends_now();
    match mode {
        Mode::Kill => victim.kill(),
        Mode::Stop => victim.stop(),
    }
    play.after(&mut crowd);
    crowd.settle();
    (crowd, recording, reached)
}

/// Ends a victim at `point`; once more, twice at the most, if a survivor was slow: what a busy machine did does not come back.
fn end_one_calmly(scenario: &Scenario, mode: Mode, point: Option<Point>) -> (Crowd, Vec<Point>, Reached) {
    let mut best = end_one(scenario, mode, point);
    for _ in 0..2 {
        if best.2 != Reached::There || !best.0.faults.is_empty() || best.0.slowest() <= PROMPT {
            break;
        }
        let again = end_one(scenario, mode, point);
        if again.2 == Reached::There && (!again.0.faults.is_empty() || again.0.slowest() < best.0.slowest()) {
            best = again;
        }
    }
    best
}

/// All points of one scenario. With `stop_at_first`, only until something is wrong.
pub(crate) fn run_scenario(scenario: &Scenario, extent: Extent, stop_at_first: bool) -> Tally {
    let mut tally = Tally::default();
    let (crowd, recording, _) = end_one(scenario, Mode::Kill, None);
    tally.add(&crowd, || format!("{}, at its end", scenario.name));
    let worthy = worth_a_kill(&recording);
    for mode in [Mode::Kill, Mode::Stop] {
        let wanted = match (extent, mode) {
            // More than that have only the operations that go through all of tokio.
            (Extent::All, Mode::Kill) => worthy.len().min(3_000),
            // Each costs the timeouts of those who wait.
            (Extent::All, Mode::Stop) => worthy.len().min(400),
            (Extent::Sample { kills, .. }, Mode::Kill) => kills,
            (Extent::Sample { stops, .. }, Mode::Stop) => stops,
        };
        let mut ended = 0;
        // A victim that runs at full speed may go another way than one that is stepped.
        for index in scattered(worthy.len()).take(wanted.saturating_mul(12).max(100)) {
            if ended == wanted || stop_at_first && tally.first.is_some() {
                break;
            }
            let point = worthy[index];
            let (crowd, _, reached) = end_one_calmly(scenario, mode, Some(point));
            if reached == Reached::There {
                ended += 1;
                match mode {
                    Mode::Kill => drop(tally.points.insert((scenario.name, point.asleep, point.pc))),
                    Mode::Stop => tally.stops += 1,
                }
            }
            tally.add(&crowd, || {
                let what = if mode == Mode::Kill { "killed" } else { "stopped" };
                let asleep = if point.asleep { ", asleep there" } else { "" };
                format!(
                    "{}, {what} at point {index} of {} ({:#x}, passed {} times before{asleep})",
                    scenario.name,
                    worthy.len(),
                    point.pc,
                    point.nth
                )
            });
        }
    }
    let quantiles = tally.quantiles();
    println!("death: {}: {} steps, {}, {quantiles}", scenario.name, recording.len(), tally.line());
    if let Some(first) = &tally.first {
        println!("death: first: {first}");
    }
    tally
}

/// Scenarios side by side, one CPU each.
pub(crate) fn run_all(scenarios: &[&Scenario], extent: Extent) -> Tally {
    let next = AtomicUsize::new(0);
    let total = Mutex::new(Tally::default());
    let cpus = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    std::thread::scope(|scope| {
        for cpu in 0..cpus {
            let (next, total) = (&next, &total);
            scope.spawn(move || {
                trace::prepare(cpu);
                while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let tally = run_scenario(scenario, extent, false);
                    total.lock().unwrap().merge(tally);
                }
            });
        }
    });
    total.into_inner().unwrap()
}

/// A fault of the given kind.
pub(crate) fn wrong<T>(kind: Kind, what: impl Into<String>) -> Result<T, Fault> {
    Err((kind, what.into()))
}
