//! Python's pipe demo: a child sends a mixed object over its end of a pipe, and the parent prints it.

use aioprocessing::{AioConnection, AioPipe, AioProcess};

type Mixed = (u32, Option<String>, String);

fn work(pipe: AioConnection<Mixed, String>) {
    pipe.send(&(42, None, "hello".into())).unwrap();
    // A question and its answer: the end is a duplex one.
    let name = pipe.recv().unwrap();
    pipe.send(&(u32::try_from(name.len()).unwrap(), Some(name), "is how long".into())).unwrap();
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    aioprocessing::init();
    let (parent, child) = AioPipe::<String, Mixed>::duplex().unwrap();
    let process = AioProcess::spawn(work, (child,)).unwrap();
    println!("{:?}", parent.coro_recv().await.unwrap());
    parent.coro_send(&"multiprocessing".into()).await.unwrap();
    println!("{:?}", parent.coro_recv().await.unwrap());
    process.coro_join().await.unwrap();
    // The child's end was moved there, so the pipe has ended with it.
    println!("{}", parent.coro_recv().await.unwrap_err());
}
