//! Python's `multiprocessing.connection.wait` demo: four children send ten messages each over pipes of their own and end;
//! the parent takes them as they come, and learns of each end from the pipe and from the process.

use aioprocessing::{AioPipe, AioProcess, AioSender, Waitable, wait_any};

fn work(number: u32, to_parent: AioSender<u32>) {
    for n in 1..=10 {
        to_parent.send(&(number * n)).unwrap();
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let (mut pipes, mut children) = (Vec::new(), Vec::new());
    for number in 1..=4 {
        let (from_child, to_parent) = AioPipe::<u32>::simplex()?;
        children.push(AioProcess::spawn(work, (number, to_parent))?);
        pipes.push((number, from_child));
    }
    let mut sums = [0; 5];
    while !pipes.is_empty() {
        let things: Vec<&dyn Waitable> = pipes.iter().map(|(_, pipe)| pipe as _).collect();
        let ready = wait_any(&things, None)?;
        for place in ready.into_iter().rev() {
            let (number, pipe) = &pipes[place];
            match pipe.try_recv() {
                Ok(message) => sums[*number as usize] += message,
                Err(error) if error.is_closed() => drop(pipes.remove(place)),
                Err(error) => return Err(error.into()),
            }
        }
    }
    while !children.is_empty() {
        let things: Vec<&dyn Waitable> = children.iter().map(|child| child as _).collect();
        let first = wait_any(&things, None)?[0];
        children.remove(first).join()?;
    }
    println!("sums of the children's messages: {:?}", &sums[1..]);
    Ok(())
}
