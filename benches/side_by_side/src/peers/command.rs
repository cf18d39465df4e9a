//! `std::process::Command` of this very program, with an argument and a result on its standard output.

use std::process::{Command, Stdio};

use super::{Measure, Peer, here};
use crate::measure::{Setting, Trips};

const NAME: &str = "std Command of the same program";

pub const COMMAND: Peer = Peer {
    name: NAME,
    check: here,
    measures: &[("spawn", spawn as Measure)],
    except: &[],
    child: Some(|setting| println!("{}", setting.payload * setting.payload)),
};

fn spawn(setting: &Setting) -> f64 {
    let mut trips = Trips::new(setting.time);
    loop {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--child", NAME, setting.case, "12", setting.mode.name(), "0"]);
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.stdout, b"144\n");
        if let Some(median) = trips.end() {
            return median;
        }
    }
}
