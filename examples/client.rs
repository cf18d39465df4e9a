//! The other half of `listener`: `client tcp:127.0.0.1:5000`. Without an argument it starts a listener of its own, in async.

use aioprocessing::{Address, AioClient, AioConnection, AioListener, AuthKey};

type Mixed = (f64, Option<String>, i32, bool);

async fn talk(address: Address) -> Result<(), Box<dyn std::error::Error>> {
    let key = AuthKey::from(b"secret password");
    let connection: AioConnection<(), Mixed> = AioClient::coro_connect(address, key).await?;
    println!("{:?}", connection.coro_recv().await?);
    println!("{:?}", connection.coro_recv_bytes().await?);
    let mut array = [0; 10];
    let length = connection.coro_recv_bytes_into(&mut array).await?;
    println!("{length} {array:?}");
    println!("{}", connection.coro_recv().await.unwrap_err());
    Ok(())
}

async fn serve(listener: AioListener<Mixed, ()>) -> Result<(), Box<dyn std::error::Error>> {
    let connection = listener.coro_accept().await?;
    connection.coro_send(&(2.25, None, -1, true)).await?;
    connection.coro_send_bytes(b"hello").await?;
    connection.coro_send_bytes(&[42, 0, 17, 23, 255]).await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(address) = std::env::args().nth(1) {
        return talk(address.parse()?).await;
    }
    let listener = AioListener::bind(Address::private()?, AuthKey::from(b"secret password"))?;
    let address = listener.address().clone();
    tokio::try_join!(serve(listener), talk(address))?;
    Ok(())
}
