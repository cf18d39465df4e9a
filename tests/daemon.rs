//! Daemons die with their parent, whichever way it dies; other children outlive it. No orphan is left (P14).

mod kit;

use std::io::{BufRead, BufReader, Read, Write};

use aioprocessing::{AioProcess, Stdio, parent_process};
use kit::{Face, Watchdog, each_face, end_by, is_dead, sleep_for_ever, until};

aioprocessing::test_support!();

/// The ways in which a parent ends.
const ENDS: [&str; 6] = ["kill", "terminate", "return", "panic", "exit", "abort"];

/// Says on its output which children it has, and ends once it is told to.
fn parent_of(daemons: usize, others: usize, end: String) {
    let spawn = |is_daemon| {
        let child =
            AioProcess::builder().daemon(is_daemon).stdout(Stdio::null()).spawn(sleep_for_ever, ()).unwrap();
        // A handle that is gone does not end its child.
        child.pid()
    };
    let daemons: Vec<_> = (0..daemons).map(|_| spawn(true).to_string()).collect();
    let others: Vec<_> = (0..others).map(|_| spawn(false).to_string()).collect();
    println!("{}", daemons.join(" "));
    println!("{}", others.join(" "));
    std::io::stdin().read_line(&mut String::new()).unwrap();
    end_by(&end);
}

fn pids(line: Option<std::io::Result<String>>) -> Vec<u32> {
    line.unwrap().unwrap().split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// Also P14: workers and managers of a killed parent are daemons.
#[test]
fn case_16_17_daemons_die_with_their_parent_and_others_outlive_it() {
    let watchdog = Watchdog::new("cases 16 and 17");
    for &face in Face::ALL {
        for end in ENDS {
            watchdog.step(format!("{face:?}, {end}"));
            let builder =
                AioProcess::builder().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
            let parent = builder.spawn(parent_of, (3, 2, end.to_owned())).unwrap();
            let mut lines = BufReader::new(parent.take_stdout().unwrap()).lines();
            let (daemons, others) = (pids(lines.next()), pids(lines.next()));
            assert!(daemons.iter().chain(&others).all(|&pid| !is_dead(pid)), "they outlive their handles");
            writeln!(parent.take_stdin().unwrap(), "now").unwrap();
            match end {
                "kill" => parent.kill().unwrap(),
                "terminate" => parent.terminate().unwrap(),
                _ => {}
            }
            let _ = face.join(&parent);
            for pid in daemons {
                until("a daemon's death", || is_dead(pid));
            }
            for pid in others {
                assert!(!is_dead(pid), "a child that is no daemon outlives its parent");
                kit::kill(pid);
            }
        }
    }
}

/// At whichever instruction of the child's start its parent is killed.
#[test]
fn p14_a_parent_killed_while_its_daemon_starts_leaves_none() {
    fn parent() {
        loop {
            let child = AioProcess::builder()
                .daemon(true)
                .stdout(Stdio::inherit())
                .spawn(sleep_for_ever, ())
                .unwrap();
            // One line is one write, which a kill can't cut.
            std::io::stdout().write_all(format!("{}\n", child.pid()).as_bytes()).unwrap();
        }
    }
    let watchdog = Watchdog::new("P14");
    for turn in 0..100_u32 {
        watchdog.step(format!("turn {turn}"));
        let parent = AioProcess::builder().stdout(Stdio::piped()).spawn(parent, ()).unwrap();
        let mut output = parent.take_stdout().unwrap();
        output.read_exact(&mut [0]).unwrap();
        for _ in 0..turn * 2000 {
            std::hint::spin_loop();
        }
        parent.kill().unwrap();
        // All of them hold the pipe: its end is the end of the last one.
        output.read_to_end(&mut Vec::new()).unwrap();
    }
}

#[test]
fn a_daemon_that_blocks_signals_dies_with_its_parent() {
    fn stubborn() {
        kit::block_signals();
        sleep_for_ever();
    }
    fn parent() -> u32 {
        AioProcess::builder().daemon(true).spawn(stubborn, ()).unwrap().pid()
    }
    each_face("a stubborn daemon", |face| {
        let pid = face.join(&AioProcess::spawn(parent, ()).unwrap()).unwrap();
        until("the daemon's death", || is_dead(pid));
    });
}

/// The spawning *thread* of a daemon may end: the process is its parent.
#[test]
fn a_daemon_outlives_the_thread_that_spawned_it() {
    let _watchdog = Watchdog::new("threads");
    let spawn = || AioProcess::builder().daemon(true).kill_on_drop(true).spawn(sleep_for_ever, ()).unwrap();
    let child = std::thread::spawn(spawn).join().unwrap();
    assert!(child.join_timeout(std::time::Duration::from_millis(50)).unwrap_err().is_timeout());
}

/// Case 14's `wait_parent` and case 15: any child may wait for its parent's end.
#[test]
fn case_14_15_a_child_notices_its_parents_kill() {
    fn wait_for_the_end(face: u8) {
        let parent = parent_process().unwrap();
        assert!(parent.is_alive());
        println!("ready");
        match face {
            0 => parent.wait().unwrap(),
            1 => parent.wait_timeout(kit::LONG).unwrap(),
            #[cfg(feature = "tokio")]
            _ => kit::runtime().block_on(parent.coro_wait()).unwrap(),
            #[cfg(not(feature = "tokio"))]
            _ => unreachable!(),
        };
        assert!(!parent.is_alive());
        assert_eq!(parent.exit_code(), None);
        parent.kill().unwrap();
        // Asked for anew, when it is dead for long.
        assert!(!parent_process().unwrap().is_alive());
        println!("noticed");
    }
    fn parent(face: u8) {
        AioProcess::spawn(wait_for_the_end, (face,)).unwrap();
        sleep_for_ever();
    }
    let watchdog = Watchdog::new("cases 14 and 15");
    for &face in Face::ALL {
        watchdog.step(format!("{face:?}"));
        let parent = AioProcess::builder().stdout(Stdio::piped()).spawn(parent, (face as u8,)).unwrap();
        let mut lines = BufReader::new(parent.take_stdout().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
        parent.kill().unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), "noticed");
    }
}

/// It had no chance to look before: its parent was dead when it began.
#[test]
fn a_parent_that_is_dead_already_is_known_as_dead() {
    fn child() {
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        let parent = parent_process().unwrap();
        println!("{} {:?}", parent.is_alive(), parent.wait());
    }
    fn parent() -> u32 {
        let builder = AioProcess::builder();
        builder.spawn(child, ()).unwrap().pid()
    }
    let _watchdog = Watchdog::new("a dead parent");
    let parent =
        AioProcess::builder().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn(parent, ()).unwrap();
    let (stdin, mut stdout) = (parent.take_stdin(), parent.take_stdout().unwrap());
    parent.join().unwrap();
    drop(stdin);
    let mut text = String::new();
    stdout.read_to_string(&mut text).unwrap();
    assert_eq!(text, "false Ok(None)\n");
}
