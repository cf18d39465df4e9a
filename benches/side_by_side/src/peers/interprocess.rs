//! interprocess: its local sockets, blocking and in tokio, each message with its length before it.

use ::interprocess::local_socket::tokio::Stream as TokioStream;
use ::interprocess::local_socket::traits::tokio::{Listener as _, Stream as _};
use ::interprocess::local_socket::traits::{Listener as _, Stream as _};
use ::interprocess::local_socket::{GenericNamespaced, ListenerOptions, Name, Stream, ToNsName as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};

use super::unix::{bounce_over, consume_from, echo, produce_into};
use super::{Measure, Other, Peer, fork_off, here};
use crate::measure::{Setting, coro_bounce, coro_consume, coro_produce, on_one_thread};

const NAME: &str = "interprocess";
const NAME_TOKIO: &str = "interprocess tokio";

pub const BLOCKING: Peer = Peer {
    name: NAME,
    check: here,
    measures: &[
        ("throughput", throughput as Measure),
        ("round_trip", round_trip as Measure),
        ("pipe_round_trip", round_trip as Measure),
    ],
    except: &[],
    child: Some(other_side),
};

pub const TOKIO: Peer = Peer {
    name: NAME_TOKIO,
    check: here,
    measures: &[
        ("throughput", coro_throughput as Measure),
        ("round_trip", coro_round_trip as Measure),
        ("pipe_round_trip", coro_round_trip as Measure),
    ],
    except: &[],
    child: Some(coro_other_side),
};

/// After the process that listens.
fn name(pid: u32) -> Name<'static> {
    format!("side_by_side.{pid}").to_ns_name::<GenericNamespaced>().unwrap()
}

fn other_side(setting: &Setting) {
    let stream = Stream::connect(name(std::os::unix::process::parent_id())).unwrap();
    if setting.case == "throughput" { produce_into(stream, setting) } else { echo(stream) }
}

fn accepted(setting: &Setting) -> (Other, Stream) {
    let listener = ListenerOptions::new().name(name(std::process::id())).create_sync().unwrap();
    let other = fork_off(NAME, setting, std::io::stdin());
    (other, listener.accept().unwrap())
}

fn throughput(setting: &Setting) -> f64 {
    let (_other, stream) = accepted(setting);
    consume_from(stream, setting)
}

fn round_trip(setting: &Setting) -> f64 {
    let (_other, stream) = accepted(setting);
    bounce_over(stream, setting)
}

type Buffered = BufReader<TokioStream>;

fn buffered(stream: TokioStream) -> Buffered {
    BufReader::with_capacity(64 << 10, stream)
}

async fn send(to: &mut Buffered, message: &[u8], frame: &mut Vec<u8>) -> std::io::Result<()> {
    frame.clear();
    frame.extend_from_slice(&(message.len() as u32).to_le_bytes());
    frame.extend_from_slice(message);
    to.get_mut().write_all(frame).await
}

async fn receive(from: &mut Buffered) -> std::io::Result<Vec<u8>> {
    let mut message = vec![0; from.read_u32_le().await? as usize];
    from.read_exact(&mut message).await?;
    Ok(message)
}

fn coro_other_side(setting: &Setting) {
    on_one_thread().block_on(async {
        let mut stream =
            buffered(TokioStream::connect(name(std::os::unix::process::parent_id())).await.unwrap());
        let mut frame = Vec::new();
        if setting.case == "throughput" {
            let put = async |message: Vec<u8>| send(&mut stream, &message, &mut frame).await.is_ok();
            return coro_produce(setting, put).await;
        }
        while let Ok(message) = receive(&mut stream).await {
            send(&mut stream, &message, &mut frame).await.unwrap();
        }
    });
}

async fn coro_accepted(setting: &Setting) -> (Other, Buffered) {
    let listener = ListenerOptions::new().name(name(std::process::id())).create_tokio().unwrap();
    let other = fork_off(NAME_TOKIO, setting, std::io::stdin());
    (other, buffered(listener.accept().await.unwrap()))
}

fn coro_throughput(setting: &Setting) -> f64 {
    on_one_thread().block_on(async {
        let (_other, mut stream) = coro_accepted(setting).await;
        coro_consume(setting, async || receive(&mut stream).await.unwrap()).await
    })
}

fn coro_round_trip(setting: &Setting) -> f64 {
    on_one_thread().block_on(async {
        let ((_other, mut stream), mut frame) = (coro_accepted(setting).await, Vec::new());
        coro_bounce(setting, async |ball| {
            send(&mut stream, &ball, &mut frame).await.unwrap();
            receive(&mut stream).await.unwrap()
        })
        .await
    })
}
