//! The 20 commonest words in files and folders, counted by one worker process per core.
//!
//! `cargo run --release --example wordcount -- PATH...`

use std::{collections::HashMap, error::Error, ffi::OsString, path::Path};

use aioprocessing::{AioProcess, AioQueue, cpu_count};

type Counts = HashMap<Vec<u8>, u64>;

/// Puts every regular file below `path` into the queue; symbolic links are not followed.
fn walk(path: &Path, files: &AioQueue<OsString>) -> Result<(), Box<dyn Error>> {
    let wrong = |error| format!("{}: {error}", path.display());
    let kind = path.symlink_metadata().map_err(wrong)?.file_type();
    if kind.is_file() {
        files.put(path.into())?;
    } else if kind.is_dir() {
        for entry in path.read_dir().map_err(wrong)? {
            walk(&entry?.path(), files)?;
        }
    }
    Ok(())
}

/// A worker process: counts file after file until the queue is closed and empty.
fn count(files: AioQueue<OsString>) -> Result<(u64, Counts), String> {
    let (mut done, mut counts) = (0, Counts::new());
    while let Ok(file) = files.get() {
        let text = std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        for word in text.split(|byte| !byte.is_ascii_alphabetic()).filter(|word| !word.is_empty()) {
            *counts.entry(word.to_ascii_lowercase()).or_default() += 1;
        }
        done += 1;
    }
    Ok((done, counts))
}

fn run() -> Result<(), Box<dyn Error>> {
    let files = AioQueue::unbounded()?;
    let start = |_| AioProcess::<()>::builder().daemon(true).spawn(count, (files.clone(),));
    let workers = (0..cpu_count()).map(start).collect::<Result<Vec<_>, _>>()?;
    for path in std::env::args_os().skip(1) {
        walk(path.as_ref(), &files)?;
    }
    files.close();
    let mut total = Counts::new();
    for worker in workers {
        // A worker that was killed is an error here, not a wait without end.
        let (done, counts) = worker.join()??;
        eprintln!("{} (pid {}) counted {done} files", worker.name(), worker.pid());
        counts.into_iter().for_each(|(word, count)| *total.entry(word).or_default() += count);
    }
    let mut total: Vec<_> = total.into_iter().map(|(word, count)| (std::cmp::Reverse(count), word)).collect();
    total.sort();
    for (count, word) in total.into_iter().take(20) {
        println!("{} {}", count.0, String::from_utf8_lossy(&word));
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
