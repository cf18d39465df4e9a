//! One process accepts connections and hands each socket to a worker process, which sends back every message that comes on it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::SocketAddr;

use aioprocessing::Prefork;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// In a worker: its pid first, and then each message as it came, its length before it.
async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_u32(std::process::id()).await?;
    loop {
        let length = stream.read_u32().await?;
        let mut message = vec![0; length as usize];
        stream.read_exact(&mut message).await?;
        stream.write_all(&message).await?;
    }
}

/// The pid of the worker that it talked to.
fn client(address: SocketAddr, together: &std::sync::Barrier) -> std::io::Result<u32> {
    let mut stream = std::net::TcpStream::connect(address)?;
    let mut pid = [0; 4];
    stream.read_exact(&mut pid)?;
    together.wait(); // all are connected
    for length in [0, 1, 1_000, 65_536, 2_000_000] {
        let message: Vec<u8> = (0..length).map(|i: u32| (i ^ (i >> 7)) as u8).collect();
        stream.write_all(&length.to_be_bytes())?;
        stream.write_all(&message)?;
        let mut answer = vec![0; message.len()];
        stream.read_exact(&mut answer)?;
        assert!(answer == message, "{length} bytes came back changed");
    }
    Ok(u32::from_be_bytes(pid))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let server = Prefork::builder().bind("127.0.0.1:0").workers(2).hand_over(true).build()?;
    let (address, control) = (server.local_addr().ok_or("no address")?, server.control());
    let clients = std::thread::spawn(move || {
        let together = std::sync::Barrier::new(4);
        let pids: Result<Vec<u32>, _> = std::thread::scope(|scope| {
            let clients = [(); 4].map(|()| scope.spawn(|| client(address, &together)));
            clients.into_iter().map(|client| client.join().expect("a client panicked")).collect()
        });
        control.drain();
        pids
    });
    server.serve(echo)?;
    let mut connections = BTreeMap::<u32, u32>::new();
    for pid in clients.join().map_err(|_| "a client panicked")?? {
        *connections.entry(pid).or_default() += 1;
    }
    for (_, count) in connections {
        println!("a worker was handed {count} connections");
    }
    println!("20 messages of up to 2000000 bytes: every byte came back");
    Ok(())
}
