//! The targets, and whether a run meets them.
//!
//! Each is a ratio of one of this crate's figures to the best of some peers' in the same run, or a figure by itself. Of rates it is
//! to be at least so much, of latencies at most.

use crate::cases;
use crate::line::{Cell, Outcome};

const OURS: &str = "aioprocessing";
const ASYNC: &str = "aioprocessing async";
const PYTHON: &str = "Python multiprocessing";
const AIO: &str = "Python aioprocessing";
const FUTEX: &str = "bare futex";
const EVENTFD: &str = "eventfd with tokio";
const TOKIO: &str = "tokio UnixStream, LengthDelimitedCodec";
const RING: &str = "spinning ring (the limit)";
const BATCHES: &str = "spinning ring, batches of 32";
const VYUKOV: &str = "Vyukov MPMC, spinning";
const RAYON: &str = "rayon (threads)";

/// Those whose receivers sleep.
const BLOCKING_PEERS: &[&str] = &[
    "std UnixStream",
    "seqpacket socket",
    "std pipe",
    "interprocess",
    "ipc-channel",
    "ipc-channel bytes",
    "Python multiprocessing",
    "Python multiprocessing Pipe",
    "faster-fifo",
];
const ASYNC_PEERS: &[&str] = &[TOKIO, "interprocess tokio", "ipc-channel async", AIO];

/// What a figure is held against.
enum Than {
    /// The best of these in the same cell.
    Best(&'static str, &'static [&'static str]),
    /// One in another cell.
    Elsewhere(&'static str, &'static str, Cell<'static>),
    /// Nothing: it is a figure in its own right.
    Itself,
}

use Than::{Best, Elsewhere, Itself};

struct Target {
    what: &'static str,
    system: &'static str,
    cell: Cell<'static>,
    than: Than,
    must: Option<f64>,
    aim: Option<f64>,
}

const fn cell(case: &'static str, payload: usize, mode: &'static str) -> Cell<'static> {
    Cell { case, payload, mode }
}

const fn target(
    what: &'static str,
    system: &'static str,
    cell: Cell<'static>,
    than: Than,
    must: f64,
    aim: f64,
) -> Target {
    // Zero: there is none.
    let (must, aim) = (if must > 0.0 { Some(must) } else { None }, if aim > 0.0 { Some(aim) } else { None });
    Target { what, system, cell, than, must, aim }
}

const fn small(mode: &'static str) -> Cell<'static> {
    cell("throughput", 64, mode)
}

const fn trip(mode: &'static str) -> Cell<'static> {
    cell("round_trip", 64, mode)
}

const KIB: usize = 1 << 10;
const CROSS: &str = "cross";
const SAME: &str = "same";
const FREE: &str = "free";

/// The rows of the table, each taken apart into its ratios.
const ALL: &[Target] = &[
    target("64 B, blocking", OURS, small(CROSS), Best("mp.Queue", &[PYTHON]), 25.0, 0.0),
    target("64 B, blocking", OURS, small(CROSS), Best("ipc-channel", &["ipc-channel"]), 7.0, 0.0),
    target("64 B, blocking", OURS, small(CROSS), Best("fastest blocking peer", BLOCKING_PEERS), 5.0, 0.0),
    target("64 B, blocking", OURS, small(CROSS), Best("Vyukov spinning", &[VYUKOV]), 0.0, 1.0),
    target("64 B, async", ASYNC, small(CROSS), Best("mp.Queue", &[PYTHON]), 12.0, 0.0),
    target("64 B, async", ASYNC, small(CROSS), Best("AioQueue", &[AIO]), 150.0, 0.0),
    target("64 B, async", ASYNC, small(CROSS), Best("ipc-channel async", &["ipc-channel async"]), 3.5, 0.0),
    target("64 B, async", ASYNC, small(CROSS), Best("fastest async peer", ASYNC_PEERS), 2.5, 0.0),
    target("64 B, async", ASYNC, small(CROSS), Best("the blocking figure", &[OURS]), 0.0, 1.0),
    target("64 B, blocking", OURS, small(SAME), Best("mp.Queue", &[PYTHON]), 90.0, 0.0),
    target("64 B, blocking", OURS, small(SAME), Best("fastest blocking peer", BLOCKING_PEERS), 13.0, 0.0),
    target("64 B, async", ASYNC, small(SAME), Best("mp.Queue", &[PYTHON]), 50.0, 0.0),
    target("64 B, async", ASYNC, small(SAME), Best("fastest async peer", ASYNC_PEERS), 8.0, 0.0),
    target("64 B, async", ASYNC, small(SAME), Best("AioQueue", &[AIO]), 800.0, 0.0),
    target(
        "64 B, put_many and get_many of 32",
        OURS,
        cell("batches", 64, CROSS),
        Elsewhere("one by one", OURS, small(CROSS)),
        1.3,
        0.0,
    ),
    target(
        "64 B, put_many and get_many of 32",
        OURS,
        cell("batches", 64, CROSS),
        Best("SPSC in batches", &[BATCHES]),
        0.0,
        0.5,
    ),
    target("1 KiB, blocking", OURS, kib(1), Best("fastest blocking peer", BLOCKING_PEERS), 2.5, 0.0),
    target("1 KiB, blocking", OURS, kib(1), Best("SPSC", &[RING]), 0.0, 0.7),
    target("1 KiB, async", ASYNC, kib(1), Best("fastest async peer", ASYNC_PEERS), 2.0, 0.0),
    target("1 KiB, async", ASYNC, kib(1), Best("SPSC", &[RING]), 0.0, 0.7),
    target("64 KiB, blocking", OURS, kib(64), Best("fastest blocking peer", BLOCKING_PEERS), 2.2, 0.0),
    target("64 KiB, blocking", OURS, kib(64), Best("SPSC", &[RING]), 0.7, 1.0),
    target("64 KiB, async", ASYNC, kib(64), Best("fastest async peer", ASYNC_PEERS), 2.5, 0.0),
    target("64 KiB, async", ASYNC, kib(64), Best("SPSC", &[RING]), 0.7, 1.0),
    target("1 MiB, blocking", OURS, kib(KIB), Best("fastest blocking peer", BLOCKING_PEERS), 3.5, 0.0),
    target("1 MiB, blocking", OURS, kib(KIB), Best("SPSC", &[RING]), 0.8, 1.0),
    target("1 MiB, async", ASYNC, kib(KIB), Best("fastest async peer", ASYNC_PEERS), 3.0, 0.0),
    target("1 MiB, async", ASYNC, kib(KIB), Best("SPSC", &[RING]), 0.8, 1.0),
    target("two to two, 64 B", OURS, cell("two_to_two", 64, CROSS), Best("mp.Queue", &[PYTHON]), 25.0, 0.0),
    target("two to two, 64 B", OURS, cell("two_to_two", 64, CROSS), Best("pipe", &["std pipe"]), 2.3, 0.0),
    target("two to two, 64 B", OURS, cell("two_to_two", 64, CROSS), Best("Vyukov", &[VYUKOV]), 0.0, 1.0),
    target("round trip, blocking", OURS, trip(SAME), Best("futex", &[FUTEX]), 1.1, 1.0),
    target("round trip, async", ASYNC, trip(SAME), Best("eventfd with tokio", &[EVENTFD]), 0.9, 0.0),
    target("round trip, async", ASYNC, trip(SAME), Best("fastest async peer", ASYNC_PEERS), 0.45, 0.0),
    target("round trip, async", ASYNC, trip(SAME), Best("futex", &[FUTEX]), 0.0, 1.1),
    target("round trip, blocking", OURS, trip(CROSS), Best("futex", &[FUTEX]), 1.0 / 40.0, 0.0),
    target("round trip, blocking", OURS, trip(CROSS), Best("the spinning ring", &[RING]), 0.0, 1.5),
    target("round trip, async", ASYNC, trip(CROSS), Best("eventfd with tokio", &[EVENTFD]), 1.0 / 30.0, 0.0),
    target("round trip, async", ASYNC, trip(CROSS), Best("the spinning ring", &[RING]), 0.0, 1.5),
    target("pipe round trip, blocking", OURS, pipe(), Best("bare socket", &["seqpacket socket"]), 1.1, 0.0),
    target("pipe round trip, async", ASYNC, pipe(), Best("tokio codec", &[TOKIO]), 0.6, 0.0),
    target("lock, free", OURS, free_lock(), Best("parking_lot", &["parking_lot mutex"]), 0.85, 1.0),
    target("lock, free", OURS, free_lock(), Best("robust pthread", &["pthread mutex, robust"]), 1.2, 0.0),
    target("lock, free", OURS, free_lock(), Best("mp.Lock", &[PYTHON]), 15.0, 0.0),
    target("lock, free, async", ASYNC, free_lock(), Best("the blocking figure", &[OURS]), 0.6, 0.0),
    target("lock, two processes", OURS, contended(), Best("pthread", &["pthread mutex"]), 0.8, 1.0),
    target("lock, two processes", OURS, contended(), Best("mp.Lock", &[PYTHON]), 12.0, 0.0),
    target("lock, two processes", OURS, contended(), Best("AioLock", &[AIO]), 500.0, 0.0),
    target("event, set to wake, blocking", OURS, event(), Best("futex", &[FUTEX]), 1.15, 1.0),
    target("event, set to wake, async", ASYNC, event(), Best("eventfd with tokio", &[EVENTFD]), 1.15, 1.0),
    target("spawn, result and join", OURS, free("spawn"), Best("Command", &[COMMAND]), 1.1, 0.1),
    target("spawn, result and join", OURS, free("spawn"), Best("procspawn", &["procspawn"]), 0.85, 0.0),
    target(
        "pool, one by one",
        OURS,
        free("pool_one_by_one"),
        Best("Pool.map chunksize 1", &[PYTHON]),
        25.0,
        0.0,
    ),
    target("pool, map", OURS, free("pool_tiny"), Best("Pool.map default", &[PYTHON]), 1.5, 0.0),
    target("pool, tasks of 10 us, map", OURS, free("pool_10us"), Best("rayon", &[RAYON]), 0.0, 0.5),
    target("pool, tasks of 1 ms, two workers", OURS, free("pool_1ms"), Itself, 0.95, 0.98),
    target("holder killed to next owner, p50, ms", OURS, free("holder_killed_p50"), Itself, 1.0, 0.2),
    target("holder killed to next owner, p99, ms", OURS, free("holder_killed_p99"), Itself, 10.0, 0.0),
    target("idle waiter, blocking, wake-ups a second", OURS, free("idle_waiter"), Itself, 2.0, 1.0),
    target("idle waiter, async, wake-ups a second", ASYNC, free("idle_waiter"), Itself, 2.0, 1.0),
];

const COMMAND: &str = "std Command of the same program";

const fn kib(count: usize) -> Cell<'static> {
    cell("throughput", count * KIB, CROSS)
}

const fn pipe() -> Cell<'static> {
    cell("pipe_round_trip", 64, SAME)
}

const fn free_lock() -> Cell<'static> {
    cell("lock_free", 0, SAME)
}

const fn contended() -> Cell<'static> {
    cell("lock_contended", 0, CROSS)
}

const fn event() -> Cell<'static> {
    cell("event", 0, SAME)
}

const fn free(case: &'static str) -> Cell<'static> {
    cell(case, 0, FREE)
}

impl Target {
    fn is_more_better(&self) -> bool {
        cases::find(self.cell.case).is_some_and(|case| case.is_more_better)
    }

    /// The ratio, or the figure, and which of several peers it is to.
    fn measured(&self, outcome: &Outcome) -> Option<(f64, Option<&'static str>)> {
        let ours = outcome.median(self.system, self.cell)?;
        match &self.than {
            Itself => Some((ours, None)),
            Elsewhere(_, system, cell) => Some((ours / outcome.median(system, *cell)?, None)),
            Best(_, systems) => {
                let better = |a: &f64, b: &f64| {
                    let order = a.total_cmp(b);
                    if self.is_more_better() { order } else { order.reverse() }
                };
                let there = systems.iter().filter_map(|name| Some((*name, outcome.median(name, self.cell)?)));
                let (name, best) = there.max_by(|a, b| better(&a.1, &b.1))?;
                Some((ours / best, (systems.len() > 1).then_some(name)))
            }
        }
    }

    fn meets(&self, measured: f64, bound: f64) -> bool {
        if self.is_more_better() { measured >= bound } else { measured <= bound }
    }

    fn bound(&self, bound: Option<f64>) -> String {
        let sign = if self.is_more_better() { "≥" } else { "≤" };
        bound.map_or("–".to_owned(), |bound| format!("{sign} {}", shown(bound)))
    }

    fn row(&self, outcomes: &[Outcome]) -> [String; 5] {
        let than = match &self.than {
            Best(name, _) | Elsewhere(name, _, _) => format!(", to {name}"),
            Itself => String::new(),
        };
        let mode = if self.cell.mode == FREE { String::new() } else { format!(", {}", self.cell.mode) };
        let what = format!("{}{mode}{than}", self.what);
        let (must, aim) = (self.bound(self.must), self.bound(self.aim));
        // The worst of several runs.
        let worse = |a: &f64, b: &f64| if self.is_more_better() { a.total_cmp(b) } else { b.total_cmp(a) };
        let all: Option<Vec<_>> = outcomes.iter().map(|outcome| self.measured(outcome)).collect();
        let Some((measured, peer)) = all.and_then(|all| all.into_iter().min_by(|a, b| worse(&a.0, &b.0)))
        else {
            return [what, must, aim, "not measured".to_owned(), "–".to_owned()];
        };
        let meets = |bound: Option<f64>| bound.is_some_and(|bound| self.meets(measured, bound));
        let met = match (self.must.is_some(), self.aim.is_some()) {
            (true, _) if !meets(self.must) => "no",
            (true, true) if meets(self.aim) => "yes, and the aim",
            (true, true) => "yes, not the aim",
            (true, false) => "yes",
            (false, _) if meets(self.aim) => "the aim",
            (false, _) => "not the aim",
        };
        let peer = peer.map_or(String::new(), |peer| format!(" ({peer})"));
        [what, must, aim, format!("{}{peer}", shown(measured)), met.to_owned()]
    }
}

fn shown(ratio: f64) -> String {
    if ratio >= 100.0 {
        format!("{ratio:.0}")
    } else if ratio >= 10.0 {
        format!("{ratio:.1}")
    } else if ratio >= 0.1 {
        let text = format!("{ratio:.2}");
        text.strip_suffix('0').unwrap_or(&text).to_owned()
    } else {
        format!("1/{:.0}", 1.0 / ratio)
    }
}

/// The whole table: of several runs, the worst.
pub fn table(outcomes: &[Outcome]) -> String {
    let head = ["target", "must", "aim", "measured", "met"].map(str::to_owned);
    let rows: Vec<[String; 5]> =
        std::iter::once(head).chain(ALL.iter().map(|target| target.row(outcomes))).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())))
            .collect();
        text += &format!("| {} |\n", cells.join(" | "));
        if index == 0 {
            text += &format!("| {} |\n", widths.map(|width| "-".repeat(width)).join(" | "));
        }
    }
    let verdict = |met: &str| rows.iter().filter(|row| row[4].starts_with(met)).count();
    let (missed, met, open) = (verdict("no") - verdict("not"), verdict("yes"), verdict("–"));
    text + &format!("\n{met} musts met, {missed} missed; {open} rows not measured.\n")
}
