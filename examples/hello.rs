//! One child that prints a name, and a report of who is whose parent: the first demo of Python's `multiprocessing`.

use aioprocessing::{AioProcess, current_process, parent_process};

fn report(title: &str) {
    println!("{title}");
    let process = current_process();
    println!("process: {}, pid {}", process.name(), process.pid());
    match parent_process() {
        Some(parent) => println!("parent: {}, pid {}", parent.name(), parent.pid()),
        None => println!("parent: none of this program"),
    }
}

fn hello(name: String) {
    report("function hello");
    println!("hello {name}");
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    report("main line");
    let child = AioProcess::spawn(hello, ("bob".to_owned(),))?;
    child.join()?;
    println!("child {} left with code {}", child.name(), child.exit_code().unwrap_or(-1));
    Ok(())
}
