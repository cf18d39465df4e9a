//! Tasks in the order in which they are done, each with its input, and an error for the one that failed.

use std::collections::HashMap;
use std::time::Duration;

use aioprocessing::{AioEvent, AioPool, as_completed};

fn fetch(name: String, go: AioEvent) -> Result<usize, String> {
    go.wait_timeout(Duration::from_secs(60)).map_err(|error| error.to_string())?;
    if name.contains("nowhere") { Err("no such place".to_owned()) } else { Ok(name.len()) }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let pool = AioPool::new(3)?;
    let names = ["first.example", "nowhere.example", "a.longer.example"];
    let events = [AioEvent::new()?, AioEvent::new()?, AioEvent::new()?];
    let mut tasks = Vec::new();
    let mut inputs = HashMap::new();
    for (name, event) in names.iter().zip(&events) {
        let task = pool.submit(fetch, ((*name).to_owned(), event.clone()))?;
        inputs.insert(task.id(), *name);
        tasks.push(task);
    }
    let mut turns = [2, 0, 1].into_iter().map(|index| events[index].set());
    turns.next();
    for task in as_completed(tasks) {
        match task.result()? {
            Ok(length) => println!("{}: {length} letters", inputs[&task.id()]),
            Err(error) => println!("{}: {error}", inputs[&task.id()]),
        }
        turns.next();
    }
    Ok(())
}
