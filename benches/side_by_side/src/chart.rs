//! The table, for people and for programs.

use crate::run::{Row, Table};

/// Ratios are to this system.
const OURS: &str = "aioprocessing";

fn cells(table: &Table) -> Vec<(&'static str, usize, &'static str)> {
    let mut cells: Vec<_> =
        table.rows.iter().map(|row| (row.case.name, row.payload, row.mode.name())).collect();
    cells.sort_by_key(|cell| crate::cases::ALL.iter().position(|case| case.name == cell.0));
    cells.dedup();
    let mut seen = Vec::new();
    cells.retain(|cell| {
        !seen.contains(cell) && {
            seen.push(*cell);
            true
        }
    });
    cells
}

fn rounded(figure: f64) -> String {
    match figure {
        figure if figure >= 1e6 => format!("{:.2} M", figure / 1e6),
        figure if figure >= 1e4 => format!("{:.1} k", figure / 1e3),
        figure if figure >= 100.0 => format!("{figure:.0}"),
        figure => format!("{figure:.3}"),
    }
}

pub fn text(table: &Table) {
    for (case, payload, mode) in cells(table) {
        let mut rows: Vec<&Row> = table
            .rows
            .iter()
            .filter(|row| (row.case.name, row.payload, row.mode.name()) == (case, payload, mode))
            .collect();
        let facts = rows[0].case;
        let size = if payload == 0 { String::new() } else { format!(", {payload} bytes") };
        println!("\n{case}{size}, {mode}: {} in {}", facts.metric, facts.unit);
        let ours =
            rows.iter().find(|row| row.peer.name == OURS && !row.figures.is_empty()).map(|row| row.median());
        rows.sort_by(|a, b| {
            let of = |row: &Row| if row.figures.is_empty() { f64::NEG_INFINITY } else { row.median() };
            let order = of(b).total_cmp(&of(a));
            if facts.is_more_better { order } else { order.reverse() }
        });
        for row in rows {
            if let Some(reason) = &row.failed {
                println!("  {:36} failed: {reason}", row.peer.name);
                continue;
            }
            // How many times as good as this one ours is.
            let ratio = ours.map_or(String::new(), |ours| {
                let ratio = if facts.is_more_better { ours / row.median() } else { row.median() / ours };
                format!("{ratio:8.2}")
            });
            let (median, min, max) = (rounded(row.median()), rounded(row.min()), rounded(row.max()));
            println!("  {:36} {median:>10} ({min} to {max}) {ratio}", row.peer.name);
        }
    }
    println!("\nThe last column: how many times as good {OURS} (blocking) is.");
    for (system, reason) in &table.skipped {
        println!("skipped {system}: {reason}");
    }
}

pub fn json(table: &Table) {
    for row in table.rows.iter().filter(|row| !row.figures.is_empty()) {
        println!(
            "{{\"case\":\"{}\",\"system\":\"{}\",\"payload\":{},\"mode\":\"{}\",\"metric\":\"{}\",\"unit\":\"{}\",\
             \"median\":{},\"min\":{},\"max\":{},\"runs\":{}}}",
            row.case.name,
            row.peer.name,
            row.payload,
            row.mode.name(),
            row.case.metric,
            row.case.unit,
            row.median(),
            row.min(),
            row.max(),
            row.figures.len(),
        );
    }
    for (system, reason) in &table.skipped {
        eprintln!("skipped {system}: {reason}");
    }
    for row in table.rows.iter().filter(|row| row.failed.is_some()) {
        eprintln!(
            "failed {} in {}: {}",
            row.peer.name,
            row.case.name,
            row.failed.as_deref().unwrap_or_default()
        );
    }
}
