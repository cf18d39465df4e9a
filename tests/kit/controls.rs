//! Tests of the tests: each planted bug must be caught by the test that is there for it.
//!
//! They stand at the end of the file with that test, and run with `RUSTFLAGS="--cfg aioprocessing_planted"`.

/// Runs one test of this program in a process that has the bug, and expects it to fail.
pub(crate) fn catches(bug: &str, test: &str) {
    let run = |bug: &str| {
        std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test])
            .env("AIOPROCESSING_PLANT", bug)
            .output()
            .unwrap()
    };
    let sound = run("");
    assert!(sound.status.success(), "{test} fails without a bug");
    assert!(String::from_utf8_lossy(&sound.stdout).contains("1 passed"), "there is no test {test}");
    assert!(!run(bug).status.success(), "{test} does not catch {bug}");
}
