//! The main job on real input, held to what other programs count.

mod kit;

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use kit::Watchdog;

/// The example, built beside this test.
fn wordcount() -> Command {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().unwrap().parent().unwrap();
    let example = folder.join("examples/wordcount");
    // `cargo test` builds examples, `cargo test --test wordcount` does not.
    if !example.exists() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--example", "wordcount"]);
        if folder.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success());
    }
    Command::new(example)
}

/// (worker's number, files) of each worker, from what the example says on stderr.
fn workers(output: &Output) -> Vec<(u32, u64)> {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    let number = |line: &str, before: &str| -> u64 {
        let rest = line.split(before).nth(1).unwrap();
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
    };
    text.lines().map(|line| (number(line, "(pid ") as u32, number(line, "counted "))).collect()
}

fn files(path: &Path) -> Vec<PathBuf> {
    let kind = path.symlink_metadata().unwrap().file_type();
    if kind.is_dir() {
        path.read_dir().unwrap().flat_map(|entry| files(&entry.unwrap().path())).collect()
    } else {
        Vec::from_iter(kind.is_file().then(|| path.to_owned()))
    }
}

#[test]
fn it_counts_what_tr_sort_and_uniq_count() {
    let _watchdog = Watchdog::new("wordcount");
    let input = Path::new("/usr/share/common-licenses");
    let output = wordcount().arg(input).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let script = r"find /usr/share/common-licenses -type f -exec cat {} + \
        | LC_ALL=C tr -cs 'A-Za-z' '\n' | LC_ALL=C tr 'A-Z' 'a-z' | grep . \
        | LC_ALL=C sort | uniq -c | LC_ALL=C sort -k1,1nr -k2,2 | head -20 | awk '{print $1, $2}'";
    let expected = Command::new("sh").args(["-c", script]).output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout.clone()).unwrap(),
        String::from_utf8(expected.stdout).unwrap()
    );
    assert_eq!(output.stdout.iter().filter(|&&byte| byte == b'\n').count(), 20);
    let counted: u64 = workers(&output).iter().map(|&(_, files)| files).sum();
    assert_eq!(counted, files(input).len() as u64, "every file was counted by a worker");
}

#[test]
fn it_follows_no_links_and_splits_at_everything_but_letters() {
    let _watchdog = Watchdog::new("wordcount_links");
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir(folder.path().join("deep")).unwrap();
    write("deep/a", b"One two-TWO thr33 \xff\xfe three");
    write("b", b"ONE\0two");
    write("empty", b"");
    std::os::unix::fs::symlink(folder.path().join("b"), folder.path().join("link")).unwrap();
    std::os::unix::fs::symlink(folder.path(), folder.path().join("deep/circle")).unwrap();
    let output = wordcount().arg(folder.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "3 two\n2 one\n1 thr\n1 three\n");
}

#[test]
fn several_workers_share_the_work() {
    let _watchdog = Watchdog::new("wordcount_share");
    let folder = tempfile::tempdir().unwrap();
    for file in 0..400 {
        std::fs::write(folder.path().join(file.to_string()), "a b c ".repeat(20_000)).unwrap();
    }
    let output = wordcount().arg(folder.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "8000000 a\n8000000 b\n8000000 c\n");
    let workers: HashMap<u32, u64> = workers(&output).into_iter().collect();
    assert_eq!(workers.len(), aioprocessing::cpu_count());
    assert_eq!(workers.values().sum::<u64>(), 400);
}

#[test]
fn a_path_that_is_not_there_is_an_error() {
    let output = wordcount().arg("/nowhere at all").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere at all"));
}

#[test]
fn a_worker_killed_in_the_middle_ends_it_with_an_error() {
    let watchdog = Watchdog::new("wordcount_killed");
    let folder = tempfile::tempdir().unwrap();
    // Holes: a gigabyte to read for each worker, and nothing on the disk.
    for file in 0..8 {
        File::create(folder.path().join(file.to_string())).unwrap().set_len(1 << 28).unwrap();
    }
    let mut command = wordcount();
    let mut program =
        command.arg(folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = program.id();
    let mut worker = None;
    watchdog.step("waits for a worker");
    kit::until("a worker runs", || {
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        worker = children.split_ascii_whitespace().next().map(|number| number.parse().unwrap());
        worker.is_some()
    });
    kit::kill(worker.unwrap());
    watchdog.step("waits for the program");
    let status = program.wait().unwrap();
    let mut said = String::new();
    program.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("wordcount: ") && said.contains("SIGKILL"), "{said:?}");
}
