//! This crate beside its peers.
//!
//! ```text
//! cargo run --release --manifest-path benches/side_by_side/Cargo.toml -- [--quick] [--case NAME]… [--targets] [--json | --markdown]
//! cargo run --release --manifest-path benches/side_by_side/Cargo.toml -- --from FILE… [--targets] [--json | --markdown]
//! ```
//!
//! Every figure is taken by a fresh process, which starts its own children, and all systems are interleaved: each repetition
//! measures every one of them once, in random order. A case says what is measured (`cases/`), a peer how it does that
//! (`peers/`). What arrives is checked by the one who measures. Figures of one run compare; figures of two do not.
//!
//! `--from` takes what `--json` printed instead of measuring; of several runs the table of targets shows the worst.

mod board;
mod cases;
mod chart;
mod counted;
mod line;
mod measure;
mod peers;
mod place;
mod run;
mod targets;

use cases::Case;
use line::Outcome;
use run::Extent;

const USAGE: &str = "\
--quick          shorter and fewer runs, for a look
--case NAME      this case alone; may be given several times
--targets        the table of targets at the end (with --json: to standard error)
--json           one object a line
--markdown       tables for docs/performance.md
--from FILE      what --json printed, instead of a run; of several the targets show the worst
--list           the cases";

#[derive(Default)]
struct Wish {
    is_quick: bool,
    cases: Vec<String>,
    targets: bool,
    json: bool,
    markdown: bool,
    from: Vec<String>,
}

fn main() {
    // Children of this crate's never come back from here.
    aioprocessing::init();
    // Nor do those of this peer, which knows them by a variable.
    if std::env::var_os("__PROCSPAWN_CONTENT_PROCESS_ID").is_some() {
        procspawn::init();
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("--one") => return run::one(&args[1..]),
        Some("--child") => return peers::child(&args[1..]),
        _ => {}
    }
    let mut wish = Wish::default();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "--quick" => wish.is_quick = true,
            "--json" => wish.json = true,
            "--markdown" => wish.markdown = true,
            "--targets" => wish.targets = true,
            "--case" => wish.cases.extend(rest.next().cloned()),
            "--from" => wish.from.extend(rest.next().cloned()),
            "--list" => {
                return cases::ALL.iter().for_each(|case| println!("{:18} {}", case.name, case.about));
            }
            other => give_up(&format!("what is {other}?\n{USAGE}")),
        }
    }
    if let Some(unknown) = wish.cases.iter().find(|name| cases::find(name).is_none()) {
        give_up(&format!("there is no case {unknown}: see --list"));
    }
    let outcomes = if wish.from.is_empty() { vec![measured(&wish)] } else { read(&wish.from) };
    for outcome in &outcomes {
        match (wish.json, wish.markdown) {
            (true, _) => chart::json(outcome),
            (_, true) => chart::markdown(outcome),
            // Of several runs the targets alone.
            _ if wish.targets && outcomes.len() > 1 => {}
            _ => chart::text(outcome),
        }
        chart::gaps(outcome);
    }
    if wish.targets {
        let table = targets::table(&outcomes);
        if wish.json { eprint!("\n{table}") } else { print!("\n{table}") }
    }
}

fn give_up(why: &str) -> ! {
    eprintln!("{why}");
    std::process::exit(2)
}

fn measured(wish: &Wish) -> Outcome {
    let is_wanted = |case: &&&Case| wish.cases.is_empty() || wish.cases.iter().any(|name| name == case.name);
    let chosen: Vec<&Case> = cases::ALL.iter().filter(is_wanted).copied().collect();
    run::all(&chosen, if wish.is_quick { Extent::QUICK } else { Extent::FULL })
}

fn read(paths: &[String]) -> Vec<Outcome> {
    let read = |path: &String| Outcome::read(path).unwrap_or_else(|error| give_up(&error));
    paths.iter().map(read).collect()
}
