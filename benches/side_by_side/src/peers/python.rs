//! Python's multiprocessing, where there is a `python3`.

use std::process::Command;

use super::{Measure, Peer};
use crate::measure::Setting;

const SCRIPT: &str = include_str!("../../python/standard.py");

pub const MULTIPROCESSING: Peer = Peer {
    name: "Python multiprocessing",
    check: is_there,
    measures: &[
        ("throughput", standard as Measure),
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

fn is_there() -> Result<(), String> {
    let output = Command::new("python3").arg("--version").output();
    output.map(drop).map_err(|error| format!("no python3: {error}"))
}

fn standard(setting: &Setting) -> f64 {
    run("standard", setting)
}

fn executor(setting: &Setting) -> f64 {
    run("executor", setting)
}

fn run(kind: &str, setting: &Setting) -> f64 {
    // From a file: its children may have to import it.
    let path = std::env::temp_dir().join(format!("side_by_side_{}.py", std::process::id()));
    std::fs::write(&path, SCRIPT).unwrap();
    let mut python = Command::new("python3");
    python.arg(&path).args([kind, setting.case, &setting.payload.to_string(), setting.mode.name()]);
    let output = python.arg(setting.time.as_secs_f64().to_string()).output().unwrap();
    let _ = std::fs::remove_file(&path);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let figure = text.lines().find_map(|line| line.strip_prefix("figure ")?.parse().ok());
    figure.unwrap_or_else(|| {
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        panic!("{}", told.lines().last().unwrap_or("python3 said nothing"))
    })
}
