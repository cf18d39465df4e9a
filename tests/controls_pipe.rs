//! Controls: with a bug planted into the shipped code, the ordinary test of that promise must fail.
#![cfg(aioprocessing_planted)]

mod pipe;
mod pipe_handles;
mod wait_any;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs one ordinary test with a bug, and gives whether it failed. A test that hangs has failed, too.
fn fails(plant: &str, test: &str) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--test-threads=1"])
        .env("AIOPROCESSING_PLANT", plant)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    loop {
        match child.try_wait().unwrap() {
            Some(status) => return !status.success(),
            None if begun.elapsed() > Duration::from_secs(30) => {
                child.kill().unwrap();
                child.wait().unwrap();
                return true;
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

#[test]
fn controls_of_pipes() {
    for (plant, test) in [
        ("pipe-takes-without-a-look", "pipe_handles::case_112_a_receiver_short_of_descriptors_loses_nothing"),
        ("pipe-keeps-what-it-sent", "pipe_handles::case_112_an_end_in_a_message"),
        ("pipe-parts-before-it-sends", "pipe_handles::case_112_a_failed_send_moves_nothing"),
        ("sockets-survive-exec", "pipe::case_107_a_killed_peer_ends_the_pipe_although_siblings_live"),
        ("pipe-waits-after-taking", "pipe::case_110_a_cancelled_receive_takes_nothing"),
        ("pipe-sends-in-two-parts", "pipe::case_109_messages_of_many_writers_stay_whole"),
        ("pipe-empty-is-the-end", "pipe::case_105_empty_messages_are_counted"),
        ("pipe-forgets-what-came-before-a-reset", "pipe::case_106_closed_by_the_peer"),
        ("wait-any-forgets-what-woke-it", "wait_any::case_111_set_and_cleared"),
    ] {
        assert!(!fails("", test), "{test} fails without a bug");
        assert!(fails(plant, test), "{test} did not notice {plant}");
    }
}
