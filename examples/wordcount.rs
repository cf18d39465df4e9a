//! The 20 commonest words in files and folders, counted by one worker process per core.
//!
//! `cargo run --release --example wordcount -- PATH...`

use std::collections::HashMap;
use std::error::Error;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use aioprocessing::{AioProcess, AioQueue, cpu_count};

type Counts = HashMap<Vec<u8>, u64>;

/// Puts every regular file below `path` into the queue; symbolic links are not followed.
fn walk(path: &Path, files: &AioQueue<Vec<u8>>) -> Result<(), Box<dyn Error>> {
    let kind = path.symlink_metadata().map_err(|error| format!("{}: {error}", path.display()))?.file_type();
    if kind.is_file() {
        files.put(path.as_os_str().as_bytes().to_vec())?;
    } else if kind.is_dir() {
        for entry in path.read_dir().map_err(|error| format!("{}: {error}", path.display()))? {
            walk(&entry?.path(), files)?;
        }
    }
    Ok(())
}

/// A worker process: counts file after file until the queue is closed and empty, then hands over what it has.
fn count(files: AioQueue<Vec<u8>>, results: AioQueue<Counts>) -> Result<u64, String> {
    let (mut counts, mut done) = (Counts::new(), 0);
    while let Ok(file) = files.get() {
        let path = Path::new(OsStr::from_bytes(&file));
        let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        for word in text.split(|byte| !byte.is_ascii_alphabetic()).filter(|word| !word.is_empty()) {
            *counts.entry(word.to_ascii_lowercase()).or_default() += 1;
        }
        done += 1;
    }
    results.put(counts).map_err(|error| error.to_string())?;
    Ok(done)
}

fn run() -> Result<(), Box<dyn Error>> {
    let (files, results) = (AioQueue::unbounded()?, AioQueue::unbounded()?);
    let workers = (0..cpu_count())
        .map(|_| AioProcess::<()>::builder().daemon(true).spawn(count, (files.clone(), results.clone())))
        .collect::<Result<Vec<AioProcess<Result<u64, String>>>, _>>()?;
    for path in std::env::args_os().skip(1) {
        walk(Path::new(&path), &files)?;
    }
    files.close();
    let mut total = Counts::new();
    for worker in workers {
        // A worker that was killed is an error here, not a wait without end.
        let done = worker.join()??;
        eprintln!("{} (pid {}) counted {done} files", worker.name(), worker.pid());
        for (word, count) in results.get()? {
            *total.entry(word).or_default() += count;
        }
    }
    let mut total: Vec<_> = total.into_iter().collect();
    total.sort_by(|(a, many), (b, more)| more.cmp(many).then_with(|| a.cmp(b)));
    for (word, count) in total.into_iter().take(20) {
        println!("{count} {}", String::from_utf8_lossy(&word));
    }
    Ok(())
}

fn main() {
    aioprocessing::init();
    if let Err(error) = run() {
        eprintln!("wordcount: {error}");
        std::process::exit(1);
    }
}
