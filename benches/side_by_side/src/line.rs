//! What a run comes to: one line for each system in each cell, as programs read it.

use serde::{Deserialize, Serialize};

/// The object that `--json` prints one of a line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    pub case: String,
    pub system: String,
    pub payload: usize,
    pub mode: String,
    pub metric: String,
    pub unit: String,
    pub median: f64,
    pub min: f64,
    pub max: f64,
    pub runs: usize,
}

/// Where a figure was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell<'a> {
    pub case: &'a str,
    pub payload: usize,
    pub mode: &'a str,
}

impl Line {
    pub fn cell(&self) -> Cell<'_> {
        Cell { case: &self.case, payload: self.payload, mode: &self.mode }
    }
}

/// What was measured, and what was not.
#[derive(Debug, Default)]
pub struct Outcome {
    pub lines: Vec<Line>,
    /// (system, reason)
    pub skipped: Vec<(String, String)>,
    /// (system, cell, reason)
    pub failed: Vec<(String, String, String)>,
}

impl Outcome {
    /// What an earlier run printed with `--json`.
    pub fn read(path: &str) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        let parsed = text.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str);
        let lines = parsed.collect::<Result<_, _>>().map_err(|error| format!("{path}: {error}"))?;
        Ok(Self { lines, ..Self::default() })
    }

    /// All cells, in the order of the cases.
    pub fn cells(&self) -> Vec<Cell<'_>> {
        let mut cells: Vec<Cell<'_>> = Vec::new();
        for line in &self.lines {
            if !cells.contains(&line.cell()) {
                cells.push(line.cell());
            }
        }
        let place = |name: &str| crate::cases::ALL.iter().position(|case| case.name == name);
        let mode = |name: &str| ["cross", "same", "free"].iter().position(|known| *known == name);
        cells.sort_by_key(|cell| (place(cell.case), mode(cell.mode), cell.payload));
        cells
    }

    pub fn median(&self, system: &str, cell: Cell<'_>) -> Option<f64> {
        self.lines.iter().find(|line| line.system == system && line.cell() == cell).map(|line| line.median)
    }
}
