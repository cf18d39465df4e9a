//! The figures on a page of documentation: nothing there is copied by hand.

use crate::chart;
use crate::line::Outcome;
use crate::targets;

/// What a run printed takes the place of what stands between the marks `<!-- begin NAME -->` and `<!-- end NAME -->`.
pub fn fill(path: &str, outcomes: &[Outcome]) -> Result<(), String> {
    let page = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let page = between(&page, "machine", &machine())?;
    let page = between(&page, "targets", &targets::table(outcomes))?;
    let last = outcomes.last().ok_or("there is no run")?;
    let page = between(&page, "tables", &chart::markdown(last))?;
    std::fs::write(path, page).map_err(|error| format!("{path}: {error}"))
}

fn between(page: &str, name: &str, text: &str) -> Result<String, String> {
    let (begin, end) = (format!("<!-- begin {name} -->"), format!("<!-- end {name} -->"));
    let cut = |mark: &str| page.split_once(mark).ok_or(format!("the page has no {mark}"));
    let ((before, _), (_, after)) = (cut(&begin)?, cut(&end)?);
    Ok(format!("{before}{begin}\n\n{}\n\n{end}{after}", text.trim()))
}

/// This one, which is not always the one of the run.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let told = |program: &str| {
        let output = std::process::Command::new(program).arg("--version").output();
        output.map_or_else(
            |_| format!("no {program}"),
            |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        )
    };
    format!(
        "{count} CPUs ({}), Linux {}, {}, {}.",
        model.trim_start_matches(['\t', ' ', ':']),
        read("/proc/sys/kernel/osrelease").trim(),
        told("rustc"),
        told("python3"),
    )
}
