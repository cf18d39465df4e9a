//! One process accepts connections and hands each socket to a worker process, which sends back what comes on it.

use std::collections::BTreeMap;
use std::io::{Read, Result, Write};
use std::net::{SocketAddr, TcpStream};

use aioprocessing::Prefork;
use tokio::io::AsyncWriteExt;

/// In a worker: its pid first, and then all that it reads.
async fn echo(mut stream: tokio::net::TcpStream) -> Result<()> {
    stream.write_u32(std::process::id()).await?;
    let (mut from, mut to) = stream.split();
    tokio::io::copy(&mut from, &mut to).await.map(drop)
}

/// How many of four connections, open at once, each worker was handed.
fn client(address: SocketAddr) -> Result<BTreeMap<[u8; 4], u32>> {
    let (mut pid, mut answer, mut handed) = ([0; 4], [0; 1000], BTreeMap::new());
    for stream in [(); 4].map(|()| TcpStream::connect(address)) {
        let mut stream = stream?;
        stream.read_exact(&mut pid)?;
        *handed.entry(pid).or_default() += 1;
        stream.write_all(&[pid[3]; 1000])?;
        stream.read_exact(&mut answer)?;
        assert!(answer == [pid[3]; 1000], "it came back changed");
    }
    Ok(handed)
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let server = Prefork::builder().bind("127.0.0.1:0").workers(2).hand_over(true).build()?;
    let (address, control) = (server.local_addr().ok_or("no address")?, server.control());
    let client = std::thread::spawn(move || (client(address), control.drain()));
    server.serve(echo)?;
    let handed = client.join().map_err(|_| "the client panicked")?.0?;
    handed.values().for_each(|count| println!("a worker was handed {count} connections"));
    Ok(())
}
