//! Logging to stderr with the names of processes, as Python's `multiprocessing.log_to_stderr`, here with the crate tracing.

use std::io::{Read, Write};

use aioprocessing::{AioProcess, Stdio, current_process};
use tracing::{info, info_span, warn};

/// A subscriber is a process's own, so each sets it up.
fn log_to_stderr() {
    let subscriber = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false);
    subscriber.without_time().with_target(false).init();
}

fn work(n: u32) -> u32 {
    log_to_stderr();
    let _process = info_span!("process", name = current_process().name()).entered();
    info!(n, "working");
    if n == 2 {
        warn!("this one is even");
    }
    n * n
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    for n in 1..=3 {
        // Without this line the children's log is on the parent's stderr. It is taken here to be shown in order.
        let builder = AioProcess::builder().name(format!("worker-{n}")).stderr(Stdio::piped());
        let child = builder.spawn(work, (n,))?;
        let mut log = String::new();
        child.take_stderr().ok_or("no stderr")?.read_to_string(&mut log)?;
        std::io::stdout().write_all(log.as_bytes())?;
        println!("result {}", child.join()?);
    }
    Ok(())
}
