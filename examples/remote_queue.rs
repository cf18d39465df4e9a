//! Python's remote queue manager: a server with one queue at a TCP port; one client puts, another gets, both with the key. The
//! two know the address, the name and the key, and may be on other machines.

use aioprocessing::{Address, AioManagedQueue, AioManager, AioProcess};

const KEY: &[u8] = b"abracadabra";

fn put(server: Address) {
    let queue: AioManagedQueue<String> = AioManager::connect(server, KEY).unwrap().get("queue").unwrap();
    for word in ["hello", "from", "afar"] {
        queue.put(&word.to_owned()).unwrap();
    }
    queue.close().unwrap();
}

fn get(server: Address) {
    let queue: AioManagedQueue<String> = AioManager::connect(server, KEY).unwrap().get("queue").unwrap();
    while let Ok(word) = queue.get() {
        println!("{word}");
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let server = AioManager::builder().address("tcp:127.0.0.1:0").authkey(KEY).start()?;
    server.register("queue", &server.queue::<String>(0)?)?;
    let getter = AioProcess::spawn(get, (server.address().clone(),))?;
    AioProcess::spawn(put, (server.address().clone(),))?.join()?;
    getter.join()?;
    let refused = AioManager::connect(server.address(), b"open sesame").unwrap_err();
    println!("another key: {}", refused.to_string().contains("different keys"));
    server.shutdown()?;
    Ok(())
}
