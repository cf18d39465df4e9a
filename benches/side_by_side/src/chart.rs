//! The tables, for people, for programs, and for a page of documentation.

use crate::cases::{self, Case};
use crate::line::{Cell, Line, Outcome};

/// Ratios are to this system.
const OURS: &str = "aioprocessing";

pub fn rounded(figure: f64) -> String {
    match figure {
        figure if figure >= 1e6 => format!("{:.2} M", figure / 1e6),
        figure if figure >= 1e4 => format!("{:.1} k", figure / 1e3),
        figure if figure >= 100.0 => format!("{figure:.0}"),
        figure if figure >= 10.0 => format!("{figure:.1}"),
        figure => format!("{figure:.3}"),
    }
}

/// Those of one cell, the best first.
fn ranking<'a>(outcome: &'a Outcome, cell: Cell<'_>, facts: &Case) -> Vec<&'a Line> {
    let mut lines: Vec<&Line> = outcome.lines.iter().filter(|line| line.cell() == cell).collect();
    lines.sort_by(|a, b| {
        let order = b.median.total_cmp(&a.median);
        if facts.is_more_better { order } else { order.reverse() }
    });
    lines
}

/// How many times as good as this one ours is.
fn ratio(outcome: &Outcome, line: &Line, facts: &Case) -> Option<f64> {
    let ours = outcome.median(OURS, line.cell())?;
    Some(if facts.is_more_better { ours / line.median } else { line.median / ours })
}

fn title(cell: Cell<'_>, facts: &Case) -> String {
    let Cell { case, payload, mode } = cell;
    let size = if payload == 0 { String::new() } else { format!(", {payload} bytes") };
    format!("{case}{size}, {mode}: {} in {}", facts.metric, facts.unit)
}

pub fn text(outcome: &Outcome) {
    for cell in outcome.cells() {
        let Some(facts) = cases::find(cell.case) else { continue };
        println!("\n{}", title(cell, facts));
        for line in ranking(outcome, cell, facts) {
            let ratio = ratio(outcome, line, facts).map_or(String::new(), |ratio| format!("{ratio:9.2}"));
            let (median, min, max) = (rounded(line.median), rounded(line.min), rounded(line.max));
            println!("  {:36} {median:>10} ({min} to {max}) {ratio}", line.system);
        }
    }
    println!("\nThe last column: how many times as good {OURS} (blocking) is.");
}

pub fn json(outcome: &Outcome) {
    for line in &outcome.lines {
        println!("{}", serde_json::to_string(line).expect("text and numbers"));
    }
}

/// For `docs/performance.md`.
pub fn markdown(outcome: &Outcome) {
    let mut last = "";
    for cell in outcome.cells() {
        let Some(facts) = cases::find(cell.case) else { continue };
        if last != facts.name {
            println!("\n### {}: {}", facts.name, facts.about);
            last = facts.name;
        }
        let size = match cell.payload {
            0 => String::new(),
            bytes if bytes >= 1 << 20 => format!("{} MiB, ", bytes >> 20),
            bytes if bytes >= 1 << 10 => format!("{} KiB, ", bytes >> 10),
            bytes => format!("{bytes} B, "),
        };
        println!("\n| {size}{} | {} | min | max | ratio |", cell.mode, facts.unit);
        println!("| --- | --: | --: | --: | --: |");
        for line in ranking(outcome, cell, facts) {
            let ratio = ratio(outcome, line, facts).map_or(String::new(), |ratio| format!("{ratio:.2}"));
            let (median, min, max) = (rounded(line.median), rounded(line.min), rounded(line.max));
            println!("| {} | {median} | {min} | {max} | {ratio} |", line.system);
        }
    }
}

/// What is not in the tables, and why: not for programs.
pub fn gaps(outcome: &Outcome) {
    for (system, reason) in &outcome.skipped {
        eprintln!("skipped {system}: {reason}");
    }
    for (system, cell, reason) in &outcome.failed {
        eprintln!("failed {system} in {cell}: {reason}");
    }
}
