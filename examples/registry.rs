//! Two programs that share nothing but a name and a key: one puts jobs into a queue that it has given a name, the other, which
//! it starts as `registry worker ADDRESS`, gets the queue by that name and works.

use aioprocessing::{AioManager, AioQueue};

const KEY: &[u8] = b"known to both";

fn work(address: &str) -> Result<(), Box<dyn std::error::Error>> {
    let manager = AioManager::connect(address, KEY)?;
    let jobs: AioQueue<u64> = manager.get("jobs")?;
    let results: AioQueue<(u64, u64)> = manager.get("results")?;
    // From here on there is no server in between: both are shared memory.
    while let Ok(job) = jobs.get() {
        results.put((job, job * job))?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    if let [_, _, address] = &std::env::args().collect::<Vec<_>>()[..] {
        return work(address);
    }
    let manager = AioManager::builder().authkey(KEY).start()?;
    let (jobs, results) = (AioQueue::<u64>::bounded(10)?, AioQueue::<(u64, u64)>::unbounded()?);
    manager.register("jobs", &jobs)?;
    manager.register("results", &results)?;
    println!("registered: {:?}", manager.names()?);
    let (program, address) = (std::env::current_exe()?, manager.address().to_string());
    let mut worker = std::process::Command::new(program).args(["worker", &address]).spawn()?;
    for job in 1..=5 {
        jobs.put(job)?;
        let (job, square) = results.get()?;
        println!("{job} squared is {square}");
    }
    jobs.close();
    println!("the worker ended well: {}", worker.wait()?.success());
    Ok(manager.shutdown()?)
}
