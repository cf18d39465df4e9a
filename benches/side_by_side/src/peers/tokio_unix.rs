//! The stream socket in tokio with tokio-util's codec: what most async programs do.

use std::os::unix::net::UnixStream;

use futures_util::{SinkExt, StreamExt as _};
use tokio_util::bytes::Bytes;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use super::{Measure, Peer, fork_off, given, here};
use crate::cases::batches::BATCH;
use crate::measure::{Setting, coro_bounce, coro_consume, coro_produce, on_one_thread};

const NAME: &str = "tokio UnixStream, LengthDelimitedCodec";

pub const TOKIO: Peer = Peer {
    name: NAME,
    check: here,
    measures: &[
        ("throughput", throughput as Measure),
        ("batches", throughput as Measure),
        ("round_trip", round_trip as Measure),
        ("pipe_round_trip", round_trip as Measure),
    ],
    except: &[],
    child: Some(other_side),
};

type Frames = Framed<tokio::net::UnixStream, LengthDelimitedCodec>;

fn framed(socket: UnixStream) -> Frames {
    socket.set_nonblocking(true).unwrap();
    Framed::new(tokio::net::UnixStream::from_std(socket).unwrap(), LengthDelimitedCodec::new())
}

async fn receive(frames: &mut Frames) -> Vec<u8> {
    // An owned value, as the others have it.
    frames.next().await.unwrap().unwrap().to_vec()
}

fn other_side(setting: &Setting) {
    on_one_thread().block_on(async {
        let mut frames = framed(UnixStream::from(given()));
        if setting.case == "throughput" {
            // Sent once it is done, as a put of the other systems is.
            let put = async |message: Vec<u8>| frames.send(Bytes::from(message)).await.is_ok();
            return coro_produce(setting, put).await;
        }
        if setting.case == "batches" {
            let mut sequence = 0_usize;
            let put = async |message: Vec<u8>| {
                sequence += 1;
                let is_last = sequence.is_multiple_of(BATCH);
                frames.feed(Bytes::from(message)).await.is_ok()
                    && (!is_last || SinkExt::<Bytes>::flush(&mut frames).await.is_ok())
            };
            return coro_produce(setting, put).await;
        }
        while let Some(Ok(ball)) = frames.next().await {
            frames.send(ball.freeze()).await.unwrap();
        }
    });
}

fn throughput(setting: &Setting) -> f64 {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let _other = fork_off(NAME, setting, &theirs);
    on_one_thread().block_on(async {
        let mut frames = framed(ours);
        coro_consume(setting, async || receive(&mut frames).await).await
    })
}

fn round_trip(setting: &Setting) -> f64 {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let _other = fork_off(NAME, setting, &theirs);
    on_one_thread().block_on(async {
        let mut frames = framed(ours);
        coro_bounce(setting, async |ball| {
            frames.send(Bytes::from(ball)).await.unwrap();
            receive(&mut frames).await
        })
        .await
    })
}
