//! One process accepts connections and hands each socket to a worker process, which sends back every message that comes on it.

use std::collections::BTreeMap;
use std::io::{Read, Result, Write};
use std::net::{SocketAddr, TcpStream};

use aioprocessing::Prefork;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// In a worker: its pid first, and then each message as it came, its length before it.
async fn echo(mut stream: tokio::net::TcpStream) -> Result<()> {
    stream.write_u32(std::process::id()).await?;
    loop {
        let mut message = vec![0; stream.read_u32().await? as usize];
        stream.read_exact(&mut message).await?;
        stream.write_all(&message).await?;
    }
}

/// How many of four connections each worker was handed.
fn client(address: SocketAddr) -> Result<BTreeMap<[u8; 4], u32>> {
    let connections = [(); 4].map(|()| TcpStream::connect(address));
    let (mut pid, mut handed) = ([0; 4], BTreeMap::new());
    for stream in connections {
        let mut stream = stream?;
        stream.read_exact(&mut pid)?;
        *handed.entry(pid).or_default() += 1;
        for length in [0, 1, 1_000, 65_536, 2_000_000_u32] {
            let message: Vec<u8> = (0..length).map(|i| (i ^ (i >> 7)) as u8).collect();
            stream.write_all(&length.to_be_bytes())?;
            stream.write_all(&message)?;
            let mut answer = vec![0; message.len()];
            stream.read_exact(&mut answer)?;
            assert!(answer == message, "{length} bytes came back changed");
        }
    }
    Ok(handed)
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let server = Prefork::builder().bind("127.0.0.1:0").workers(2).hand_over(true).build()?;
    let (address, control) = (server.local_addr().ok_or("no address")?, server.control());
    let client = std::thread::spawn(move || (client(address), control.drain()));
    server.serve(echo)?;
    for count in client.join().map_err(|_| "the client panicked")?.0?.values() {
        println!("a worker was handed {count} connections");
    }
    println!("20 messages of up to 2000000 bytes: every byte came back");
    Ok(())
}
