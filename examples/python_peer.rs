//! A Python program and this one talk over `multiprocessing.connection`: `python_peer.py` is an ordinary client of its.

use std::process::Command;

use aioprocessing::{AioListener, AuthKey};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("python-peer-{}.sock", std::process::id()));
    let builder = AioListener::builder().python_compatible();
    let listener = builder.bind::<(), ()>(&path, AuthKey::from(b"secret password"))?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/python_peer.py");
    let mut python = Command::new("python3").arg(script).arg(&path).spawn()?;

    let connection = listener.coro_accept().await?;
    println!("the client is the Python: {}", connection.peer().pid == python.id());
    for text in ["a rust program", "and a python program", "talk"] {
        connection.coro_send_bytes(text.as_bytes()).await?;
        println!("{}", String::from_utf8(connection.coro_recv_bytes().await?)?);
    }
    drop(connection);
    println!("python ended: {}", python.wait()?.success());
    Ok(())
}
