//! Python's listener demo: a client in another program connects with the key and is sent an object, bytes, and an array.
//!
//! Start this, and then `client` with the address that it prints; without an argument it starts a client of its own.

use aioprocessing::{AioClient, AioListener, AioProcess, AuthKey};

type Mixed = (f64, Option<String>, i32, bool);

fn visit(address: aioprocessing::Address) {
    let connection = AioClient::connect::<(), Mixed>(address, AuthKey::from(b"secret password")).unwrap();
    println!("{:?}", connection.recv().unwrap());
    println!("{:?}", String::from_utf8(connection.recv_bytes().unwrap()).unwrap());
    let mut array = [0; 10];
    let length = connection.recv_bytes_into(&mut array).unwrap();
    println!("{length} {array:?}");
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let key = AuthKey::from(b"secret password");
    let address = std::env::args().nth(1).unwrap_or("tcp:127.0.0.1:0".into());
    let listener = AioListener::<Mixed, ()>::bind(address, key)?;
    let visitor = match std::env::args().len() {
        1 => Some(AioProcess::spawn(visit, (listener.address().clone(),))?),
        _ => {
            println!("listening at {}", listener.address());
            None
        }
    };
    let connection = listener.accept()?;
    connection.send(&(2.25, None, -1, true))?;
    connection.send_bytes(b"hello")?;
    connection.send_bytes(&[42, 0, 17, 23, 255])?;
    visitor.map(|visitor| visitor.join()).transpose()?;
    Ok(())
}
