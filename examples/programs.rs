//! Six external programs, three at a time: the next starts as soon as one has ended.

use aioprocessing::{Program, ProgramEvent, Programs};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let delays = ["0.9", "0.3", "0.6", "0.9", "0.9", "0.9"];
    let mut events = Programs::new(3).events(delays.map(|delay| Program::new("sleep").arg(delay)));
    while let Some(event) = events.coro_next().await {
        match event? {
            ProgramEvent::Started { index, .. } => {
                println!(">>>>> task {index} starts with delay {} seconds", delays[index]);
            }
            ProgramEvent::Ended(done) => {
                let code = done.status.code().ok_or("sleep was ended by a signal")?;
                println!("<<<<< task {} finished with status {code}", done.index);
                let text = String::from_utf8_lossy;
                println!("Stdout: {:?}, Stderr: {:?}", text(&done.stdout), text(&done.stderr));
            }
            _ => {}
        }
    }
    Ok(())
}
