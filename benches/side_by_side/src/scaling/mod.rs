//! How the cost of one operation changes with the number of those who take part: `-- scaling [--quick] [FOLDER]`.
//!
//! Each point is taken by a process of its own, five times, or three times with `--quick`; the medians are printed and plotted into FOLDER
//! (docs/pictures if there is none). Nobody is pinned: there are more processes than CPUs.

mod plot;
mod studies;

use std::process::{Command, Stdio};

use crate::measure::median;

/// One line of a plot.
pub struct Series {
    pub name: &'static str,
    /// How many take part: each number is one point.
    pub numbers: &'static [usize],
    /// Takes the figure, for so many; where there are processes and tasks in them, the second number is that of the processes.
    measure: fn(usize, usize) -> f64,
    processes: usize,
}

pub struct Study {
    pub name: &'static str,
    pub title: &'static str,
    pub across: &'static str,
    pub up: &'static str,
    pub series: &'static [Series],
}

const UP_TO_64: &[usize] = &[1, 2, 4, 8, 16, 32, 64];
const UP_TO_1000: &[usize] = &[1, 4, 16, 64, 250, 1000];

const ALL: &[Study] = &[
    Study {
        name: "queue",
        title: "64 bytes through one queue",
        across: "processes on that side, one on the other",
        up: "us a message",
        series: &[
            Series { name: "producers", numbers: UP_TO_64, measure: studies::producers, processes: 0 },
            Series { name: "consumers", numbers: UP_TO_64, measure: studies::consumers, processes: 0 },
        ],
    },
    Study {
        name: "lock",
        title: "one lock that all want all the time",
        across: "processes",
        up: "us a pair",
        series: &[Series {
            name: "contenders",
            numbers: UP_TO_64,
            measure: studies::contenders,
            processes: 0,
        }],
    },
    Study {
        name: "children",
        title: "children started at once, and joined",
        across: "children",
        up: "us a child",
        series: &[Series { name: "children", numbers: UP_TO_64, measure: studies::children, processes: 0 }],
    },
    Study {
        name: "objects",
        title: "free locks, one after the other",
        across: "locks",
        up: "us a pair",
        series: &[Series { name: "locks", numbers: UP_TO_1000, measure: studies::objects, processes: 0 }],
    },
    Study {
        name: "event",
        title: "one set, until the last waiting task has gone on",
        across: "waiting tasks",
        up: "us a task",
        series: &[
            Series { name: "in 1 process", numbers: UP_TO_1000, measure: studies::wake_all, processes: 1 },
            Series {
                name: "in 8 processes",
                numbers: &[8, 16, 64, 250, 1000],
                measure: studies::wake_all,
                processes: 8,
            },
            Series {
                name: "in 64 processes",
                numbers: &[64, 250, 1000],
                measure: studies::wake_all,
                processes: 64,
            },
        ],
    },
];

/// A number and its cost: median, minimum, maximum.
pub type Point = (usize, f64, f64, f64);

/// The process that takes one point.
pub fn point(args: &[String]) {
    let numbers: Vec<usize> = args.iter().map(|arg| arg.parse().expect("a number")).collect();
    let [study, series, number] = numbers[..] else { panic!("--point STUDY SERIES NUMBER") };
    let series = &ALL[study].series[series];
    println!("figure {}", (series.measure)(number, series.processes));
    std::process::exit(0);
}

fn figure(study: usize, series: usize, number: usize) -> Result<f64, String> {
    let mut command = Command::new(std::env::current_exe().map_err(|error| error.to_string())?);
    command.args(["--point", &study.to_string(), &series.to_string(), &number.to_string()]);
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let figure = text.lines().find_map(|line| line.strip_prefix("figure ")?.parse().ok());
    figure.ok_or_else(|| format!("no figure: {}", output.status))
}

pub fn all(args: &[String]) {
    let is_quick = args.iter().any(|arg| arg == "--quick");
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/pictures");
    let folder = args.iter().find(|arg| !arg.starts_with("--")).map_or(default, String::as_str);
    std::fs::create_dir_all(folder).expect("a folder for the pictures");
    let runs = if is_quick { 3 } else { 5 };
    for (index, study) in ALL.iter().enumerate() {
        let mut figures: Vec<Vec<Vec<f64>>> =
            study.series.iter().map(|series| vec![Vec::new(); series.numbers.len()]).collect();
        // Interleaved: what else happens on the machine falls on all of them.
        for _ in 0..runs {
            for (line, series) in study.series.iter().enumerate() {
                for (place, &number) in series.numbers.iter().enumerate() {
                    match figure(index, line, number) {
                        Ok(figure) => figures[line][place].push(figure),
                        Err(reason) => eprintln!("failed {} {}: {reason}", series.name, number),
                    }
                }
            }
        }
        println!("\n{}: {}", study.title, study.up);
        let mut lines: Vec<Vec<Point>> = Vec::new();
        for (series, figures) in study.series.iter().zip(&mut figures) {
            let mut points = Vec::new();
            for (&number, figures) in series.numbers.iter().zip(figures).filter(|(_, all)| !all.is_empty()) {
                let median = median(figures);
                let (min, max) = (figures[0], figures[figures.len() - 1]);
                println!("  {:16} {number:5} {median:10.3} ({min:.3} to {max:.3})", series.name);
                points.push((number, median, min, max));
            }
            lines.push(points);
        }
        let path = format!("{folder}/scaling-{}.svg", study.name);
        match plot::draw(&path, study, &lines) {
            Ok(()) => println!("  {path}"),
            Err(error) => eprintln!("cannot draw {path}: {error}"),
        }
    }
}
