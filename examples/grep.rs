//! A parallel grep over the files below a directory: `grep PATTERN DIRECTORY`, and the output of `grep -rn`, sorted.

use std::io;
use std::path::{Path, PathBuf};

use aioprocessing::AioPool;

fn files(directory: &Path, into: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_dir() => files(&entry.path(), into)?,
            kind if kind.is_file() => into.push(entry.path()),
            _ => {}
        }
    }
    Ok(())
}

fn search(path: PathBuf, pattern: String) -> Vec<String> {
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let lines = text.lines().zip(1..).filter(|(line, _)| line.contains(&pattern));
    lines.map(|(line, number)| format!("{}:{number}:{line}", path.display())).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let mut args = std::env::args().skip(1);
    let pattern = args.next().unwrap_or_else(|| "fn main".to_owned());
    let directory = args.next().unwrap_or_else(|| "tests/compile".to_owned());
    let mut all = Vec::new();
    files(Path::new(&directory), &mut all)?;
    let pool = AioPool::new(aioprocessing::cpu_count())?;
    let found = pool.starmap(search, all.into_iter().map(|path| (path, pattern.clone())))?;
    let mut lines: Vec<String> = found.into_iter().flatten().collect();
    lines.sort_unstable();
    lines.iter().for_each(|line| println!("{line}"));
    Ok(())
}
