//! Two programs that share nothing but a name and a key: one puts jobs into a queue that it has given a name, the other gets the
//! queue by that name and works. Start `registry` and then `registry worker ADDRESS` elsewhere; without a worker of yours it
//! starts that program itself.

use aioprocessing::{AioManager, AioQueue};

const KEY: &[u8] = b"known to both";

fn work(address: &str) -> Result<(), Box<dyn std::error::Error>> {
    let manager = AioManager::connect(address, KEY)?;
    let jobs: AioQueue<u64> = manager.get("jobs")?;
    let results: AioQueue<(u64, u64)> = manager.get("results")?;
    // From here on there is no server in between: both are shared memory.
    for job in jobs.iter() {
        let job = job?;
        results.put((job, job * job))?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let mut args = std::env::args().skip(1);
    if let (Some("worker"), Some(address)) = (args.next().as_deref(), args.next()) {
        return work(&address);
    }
    let manager = AioManager::builder().authkey(KEY).start()?;
    let (jobs, results) = (AioQueue::<u64>::bounded(10)?, AioQueue::<(u64, u64)>::unbounded()?);
    manager.register("jobs", &jobs)?;
    manager.register("results", &results)?;
    println!("registered: {:?}", manager.names()?);
    let program = std::env::current_exe()?;
    let mut worker =
        std::process::Command::new(program).args(["worker", &manager.address().to_string()]).spawn()?;
    for job in 1..=5 {
        jobs.put(job)?;
        let (job, square) = results.get()?;
        println!("{job} squared is {square}");
    }
    jobs.close();
    println!("the worker ended well: {}", worker.wait()?.success());
    manager.shutdown()?;
    Ok(())
}
