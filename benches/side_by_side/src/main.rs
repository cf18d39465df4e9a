//! This crate beside its peers.
//!
//! ```text
//! cargo run --release --manifest-path benches/side_by_side/Cargo.toml -- [--quick] [--case NAME]… [--json] [--list]
//! ```
//!
//! Every figure is taken by a fresh process, which starts its own children, and all systems are interleaved: each repetition
//! measures every one of them once, in random order. A case says what is measured (`cases/`), a peer how it does that
//! (`peers/`). What arrives is checked by the one who measures. Figures of one run compare; figures of two do not.

mod cases;
mod chart;
mod measure;
mod peers;
mod place;
mod run;

use cases::Case;
use run::Extent;

fn main() {
    // Children of this crate's never come back from here.
    aioprocessing::init();
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("--one") => return run::one(&args[1..]),
        Some("--child") => return peers::child(&args[1..]),
        _ => {}
    }
    let mut extent = Extent::FULL;
    let (mut wanted, mut as_json) = (Vec::new(), false);
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "--quick" => extent = Extent::QUICK,
            "--json" => as_json = true,
            "--case" => wanted.extend(rest.next().cloned()),
            "--list" => {
                return cases::ALL.iter().for_each(|case| println!("{:16} {}", case.name, case.about));
            }
            other => {
                eprintln!("what is {other}? There are --quick, --case NAME, --json and --list");
                std::process::exit(2);
            }
        }
    }
    if let Some(unknown) = wanted.iter().find(|name| cases::ALL.iter().all(|case| case.name != **name)) {
        eprintln!("there is no case {unknown}: see --list");
        std::process::exit(2);
    }
    let is_wanted = |case: &&&Case| wanted.is_empty() || wanted.iter().any(|name| name == case.name);
    let chosen: Vec<&Case> = cases::ALL.iter().filter(is_wanted).copied().collect();
    let table = run::all(&chosen, extent);
    if as_json { chart::json(&table) } else { chart::text(&table) }
}
