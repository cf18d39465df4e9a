//! Python's multiprocessing, where there is a `python3`, and two of its packages, where a virtual environment can be made for them.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

use super::{Measure, Peer};
use crate::measure::Setting;

/// Where the scripts are.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python");

pub const MULTIPROCESSING: Peer = Peer {
    name: "Python multiprocessing",
    check: is_there,
    measures: &[
        ("throughput", standard as Measure),
        ("two_to_two", standard as Measure),
        ("round_trip", standard as Measure),
        ("lock_free", standard as Measure),
        ("lock_contended", standard as Measure),
        ("event", standard as Measure),
        ("spawn", standard as Measure),
        ("pool_tiny", standard as Measure),
        ("pool_one_by_one", standard as Measure),
        ("pool_1ms", standard as Measure),
        ("manager_dict", standard as Measure),
        ("manager_calls", standard as Measure),
    ],
    except: &[],
    child: None,
};

pub const PIPE: Peer = Peer {
    name: "Python multiprocessing Pipe",
    check: is_there,
    measures: &[
        ("throughput", pipe as Measure),
        ("round_trip", pipe as Measure),
        ("pipe_round_trip", |setting| run("pipe", &Setting { case: "round_trip", ..*setting })),
    ],
    except: &[],
    child: None,
};

pub const POOL_EXECUTOR: Peer = Peer {
    name: "Python ProcessPoolExecutor",
    check: is_there,
    measures: &[
        ("pool_tiny", executor as Measure),
        ("pool_one_by_one", executor as Measure),
        ("pool_1ms", executor as Measure),
    ],
    except: &[],
    child: None,
};

pub const AIOPROCESSING: Peer = Peer {
    name: "Python aioprocessing",
    check: have_packages,
    measures: &[
        ("throughput", aio as Measure),
        ("round_trip", aio as Measure),
        ("lock_free", aio as Measure),
        ("lock_contended", aio as Measure),
        ("event", aio as Measure),
        ("pool_one_by_one", aio as Measure),
    ],
    except: &[],
    child: None,
};

pub const FASTER_FIFO: Peer = Peer {
    name: "faster-fifo",
    check: have_packages,
    measures: &[("throughput", fifo as Measure), ("round_trip", fifo as Measure)],
    except: &[],
    child: None,
};

fn done(output: std::io::Result<Output>) -> Result<(), String> {
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(told.lines().last().unwrap_or("no reason given").to_owned())
}

fn is_there() -> Result<(), String> {
    done(Command::new("python3").arg("--version").output()).map_err(|reason| format!("no python3: {reason}"))
}

/// Beside the program: what was installed once is there in the next run.
fn environment() -> PathBuf {
    std::env::current_exe().unwrap().with_file_name("side_by_side_python")
}

/// Made by the first who asks, for both packages.
fn have_packages() -> Result<(), String> {
    static MADE: OnceLock<Result<(), String>> = OnceLock::new();
    MADE.get_or_init(make_environment).clone()
}

fn make_environment() -> Result<(), String> {
    let python = environment().join("bin/python");
    let have = || done(Command::new(&python).args(["-c", "import aioprocessing, faster_fifo"]).output());
    if have().is_ok() {
        return Ok(());
    }
    eprintln!("making a virtual environment for Python's packages");
    let made = Command::new("python3").args(["-m", "venv"]).arg(environment()).output();
    done(made).map_err(|reason| format!("no virtual environment: {reason}"))?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1"]);
    done(pip.args(["--timeout", "20", "aioprocessing", "faster-fifo"]).output())
        .map_err(|reason| format!("pip cannot install it: {reason}"))?;
    have()
}

fn standard(setting: &Setting) -> f64 {
    run("standard", setting)
}

fn pipe(setting: &Setting) -> f64 {
    run("pipe", setting)
}

fn executor(setting: &Setting) -> f64 {
    run("executor", setting)
}

fn aio(setting: &Setting) -> f64 {
    run("aio", setting)
}

fn fifo(setting: &Setting) -> f64 {
    run("fifo", setting)
}

fn run(kind: &str, setting: &Setting) -> f64 {
    let (program, script) = match kind {
        "aio" | "fifo" => (environment().join("bin/python"), "packages.py"),
        _ => (PathBuf::from("python3"), "standard.py"),
    };
    let mut python = Command::new(program);
    python.arg(format!("{SCRIPTS}/{script}")).env("PYTHONDONTWRITEBYTECODE", "1");
    python.args([kind, setting.case, &setting.payload.to_string(), setting.mode.name()]);
    let output = python.arg(setting.time.as_secs_f64().to_string()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let figure = text.lines().find_map(|line| line.strip_prefix("figure ")?.parse().ok());
    figure.unwrap_or_else(|| {
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        panic!("{}", told.lines().last().unwrap_or("python3 said nothing"))
    })
}
