//! A server of worker processes that accept on one listener, as gunicorn has them: a worker answers two connections, leaves,
//! and is replaced. The client is a thread of this program; `http_server` is a server to be used from outside.

use std::collections::BTreeSet;
use std::io::{Result, read_to_string};
use std::net::TcpStream;

use aioprocessing::Prefork;
use tokio::io::AsyncWriteExt;

/// In a worker, for each connection.
async fn answer(mut stream: tokio::net::TcpStream) -> Result<()> {
    stream.write_all(std::process::id().to_string().as_bytes()).await
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let builder = Prefork::builder().bind("127.0.0.1:0").workers(1);
    let server = builder.max_requests(2).max_requests_jitter(0).build()?;
    let (address, control) = (server.local_addr().ok_or("no address")?, server.control());
    let client = std::thread::spawn(move || {
        let answers: Result<Vec<_>> = (0..6).map(|_| read_to_string(TcpStream::connect(address)?)).collect();
        control.drain();
        answers
    });
    server.serve(answer)?;
    let pids = client.join().map_err(|_| "the client panicked")??;
    for pid in &pids {
        println!("answered by pid {pid}");
    }
    let workers: BTreeSet<_> = pids.iter().collect();
    println!("{} connections were served by {} workers", pids.len(), workers.len());
    Ok(())
}
