//! Controls: with a bug planted into the shipped code, the ordinary test of that promise must fail.
#![cfg(aioprocessing_planted)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs one ordinary test with a bug, and gives whether it failed. A test that hangs has failed, too.
fn fails(plant: &str, program: &str, test: &str) -> bool {
    let name = format!("{program}-");
    let folder = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let is_program = |path: &std::path::Path| {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        file.strip_prefix(&name).is_some_and(|hash| hash.chars().all(|c| c.is_ascii_hexdigit()))
    };
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| is_program(path))
        .collect();
    // The newest build, if there are several.
    found.sort_by_key(|path| std::fs::metadata(path).unwrap().modified().unwrap());
    let mut child = Command::new(found.last().expect("the tests are built together"))
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
fn each_plant_is_caught() {
    for (plant, program, test) in [
        (
            "pipe-takes-without-a-look",
            "pipe_handles",
            "case_112_a_receiver_short_of_descriptors_loses_nothing",
        ),
        ("pipe-keeps-what-it-sent", "pipe_handles", "case_112_an_end_in_a_message"),
        ("pipe-parts-before-it-sends", "pipe_handles", "case_112_a_failed_send_moves_nothing"),
        ("pipe-leaks-into-children", "pipe", "case_107_a_killed_peer_ends_the_pipe_although_siblings_live"),
        ("pipe-waits-after-taking", "pipe", "case_110_a_cancelled_receive_takes_nothing"),
        ("pipe-sends-in-two-parts", "pipe", "case_109_messages_of_many_writers_stay_whole"),
        ("pipe-empty-is-the-end", "pipe", "case_105_empty_messages_are_counted"),
        ("pipe-forgets-what-came-before-a-reset", "pipe", "case_106_closed_by_the_peer"),
        ("pipe-raises-sigpipe", "pipe", "case_106_no_signal"),
    ] {
        assert!(!fails("nothing", program, test), "{test} fails without a bug");
        assert!(fails(plant, program, test), "{test} did not notice {plant}");
    }
}
