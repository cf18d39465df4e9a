//! Pipes.

use aioprocessing::{AioConnection, AioPipe};
use tokio::runtime::Runtime;

use super::{Place, arrived, beside, place};
use crate::board;
use crate::measure::{Setting, bounce, coro_bounce, on_one_thread};

type End = AioConnection<Vec<u8>, Vec<u8>>;

const OTHER: usize = board::PRODUCERS[0];

fn echo(place: Place, end: End) {
    arrived(place);
    while let Ok(ball) = end.recv() {
        end.send(&ball).unwrap();
    }
}

fn coro_echo(place: Place, end: End) {
    arrived(place);
    on_one_thread().block_on(async {
        while let Ok(ball) = end.coro_recv().await {
            end.coro_send(&ball).await.unwrap();
        }
    });
}

pub fn round_trip(setting: &Setting) -> f64 {
    let (ours, theirs) = AioPipe::duplex().unwrap();
    let _other = beside(echo, (place(setting, OTHER), theirs));
    bounce(setting, |ball| {
        ours.send(&ball).unwrap();
        ours.recv().unwrap()
    })
}

pub fn coro_round_trip(setting: &Setting, runtime: &Runtime) -> f64 {
    let (ours, theirs): (End, End) = AioPipe::duplex().unwrap();
    let _other = beside(coro_echo, (place(setting, OTHER), theirs));
    runtime.block_on(coro_bounce(setting, async |ball| {
        ours.coro_send(&ball).await.unwrap();
        ours.coro_recv().await.unwrap()
    }))
}
