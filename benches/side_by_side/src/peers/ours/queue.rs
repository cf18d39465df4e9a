//! Queues.

use aioprocessing::{AioProcess, AioQueue, ProcessFn};
use tokio::runtime::Runtime;

use super::{Place, arrived, beside, place};
use crate::board::{self, Board};
use crate::cases::batches::BATCH;
use crate::measure::{
    Meter, Setting, bounce, consume, coro_bounce, coro_consume, coro_produce, message, number, on_one_thread,
    produce,
};
use crate::peers::shared::Shared;

type Messages = AioQueue<Vec<u8>>;

const OTHER: usize = board::PRODUCERS[0];

/// As much in flight as the other systems have: some MiB at the most.
fn queue(length: usize) -> Messages {
    AioQueue::bounded((64 << 20) / length.max(1 << 16)).unwrap()
}

fn put_all(place: Place, queue: Messages) {
    produce(&arrived(place), |message| queue.put(message).is_ok());
}

fn coro_put_all(place: Place, queue: Messages) {
    let setting = arrived(place);
    on_one_thread().block_on(coro_produce(&setting, async |message| queue.coro_put(message).await.is_ok()));
}

pub fn throughput(setting: &Setting) -> f64 {
    let queue = queue(setting.payload);
    let _producer = beside(put_all, (place(setting, OTHER), queue.clone()));
    consume(setting, || queue.get().unwrap())
}

pub fn coro_throughput(setting: &Setting, runtime: &Runtime) -> f64 {
    let queue = queue(setting.payload);
    let _producer = beside(coro_put_all, (place(setting, OTHER), queue.clone()));
    runtime.block_on(coro_consume(setting, async || queue.coro_get().await.unwrap()))
}

/// The messages of one batch.
fn batch(begin: u64, length: usize) -> impl Iterator<Item = Vec<u8>> {
    (begin..begin + BATCH as u64).map(move |sequence| message(sequence, length))
}

fn put_batches(place: Place, queue: Messages) {
    let setting = arrived(place);
    let batches = (0..).step_by(BATCH);
    let _ = batches.map(|begin| queue.put_many(batch(begin, setting.payload))).find(Result::is_err);
}

fn coro_put_batches(place: Place, queue: Messages) {
    let setting = arrived(place);
    on_one_thread().block_on(async {
        for begin in (0..).step_by(BATCH) {
            if queue.coro_put_many(batch(begin, setting.payload).collect::<Vec<_>>()).await.is_err() {
                return;
            }
        }
    });
}

pub fn batches(setting: &Setting) -> f64 {
    let queue = queue(setting.payload);
    let _producer = beside(put_batches, (place(setting, OTHER), queue.clone()));
    let mut meter = Meter::new(setting.time, setting.payload);
    loop {
        for message in queue.get_many(BATCH).unwrap() {
            if let Some(rate) = meter.take(number(&message, setting.payload)) {
                return rate;
            }
        }
    }
}

pub fn coro_batches(setting: &Setting, runtime: &Runtime) -> f64 {
    let queue = queue(setting.payload);
    let _producer = beside(coro_put_batches, (place(setting, OTHER), queue.clone()));
    let mut meter = Meter::new(setting.time, setting.payload);
    runtime.block_on(async {
        loop {
            for message in queue.coro_get_many(BATCH).await.unwrap() {
                if let Some(rate) = meter.take(number(&message, setting.payload)) {
                    return rate;
                }
            }
        }
    })
}

/// A producer or the second consumer of the case two_to_two; the board is its standard input.
fn one_of_three(place: Place, queue: Messages) {
    let setting = arrived(place);
    let board = Board::on(&Shared::of_parent(board::LENGTH));
    if setting.role == board::CONSUMER {
        let get = || number(&queue.get().unwrap(), setting.payload);
        board::consume(board, setting.role, setting.time, get);
        return;
    }
    board.numbers(setting.role).for_each(|number| queue.put(message(number, setting.payload)).unwrap());
}

fn coro_one_of_three(place: Place, queue: Messages) {
    let setting = arrived(place);
    let board = Board::on(&Shared::of_parent(board::LENGTH));
    on_one_thread().block_on(async {
        if setting.role == board::CONSUMER {
            let get = async || number(&queue.coro_get().await.unwrap(), setting.payload);
            board::coro_consume(board, setting.role, setting.time, get).await;
            return;
        }
        for number in board.numbers(setting.role) {
            queue.coro_put(message(number, setting.payload)).await.unwrap();
        }
    });
}

/// All three, each with the board as its standard input.
fn three<F>(setting: &Setting, f: F, queue: &Messages, board: &Shared) -> [AioProcess<()>; 3]
where
    F: ProcessFn<(Place, Messages), Output = ()> + Copy,
{
    let [first, second] = board::PRODUCERS;
    [board::CONSUMER, first, second].map(|role| {
        let builder = AioProcess::builder().daemon(true).kill_on_drop(true);
        let builder = builder.stdin(board.fd().try_clone_to_owned().unwrap());
        builder.spawn(f, (place(setting, role), queue.clone())).unwrap()
    })
}

pub fn two_to_two(setting: &Setting) -> f64 {
    let (queue, shared) = (queue(setting.payload), Shared::create(board::LENGTH));
    let others = three(setting, one_of_three, &queue, &shared);
    let get = || number(&queue.get().unwrap(), setting.payload);
    let rate = board::consume(Board::on(&shared), 0, setting.time, get);
    others.iter().for_each(|other| other.join().unwrap());
    rate
}

pub fn coro_two_to_two(setting: &Setting, runtime: &Runtime) -> f64 {
    let (queue, shared) = (queue(setting.payload), Shared::create(board::LENGTH));
    let others = three(setting, coro_one_of_three, &queue, &shared);
    let get = async || number(&queue.coro_get().await.unwrap(), setting.payload);
    let rate = runtime.block_on(board::coro_consume(Board::on(&shared), 0, setting.time, get));
    others.iter().for_each(|other| other.join().unwrap());
    rate
}

fn echo(place: Place, there: Messages, back: Messages) {
    arrived(place);
    while let Ok(ball) = there.get() {
        back.put(ball).unwrap();
    }
}

fn coro_echo(place: Place, there: Messages, back: Messages) {
    arrived(place);
    on_one_thread().block_on(async {
        while let Ok(ball) = there.coro_get().await {
            back.coro_put(ball).await.unwrap();
        }
    });
}

pub fn round_trip(setting: &Setting) -> f64 {
    let (there, back) = (queue(setting.payload), queue(setting.payload));
    let _other = beside(echo, (place(setting, OTHER), there.clone(), back.clone()));
    bounce(setting, |ball| {
        there.put(ball).unwrap();
        back.get().unwrap()
    })
}

pub fn coro_round_trip(setting: &Setting, runtime: &Runtime) -> f64 {
    let (there, back) = (queue(setting.payload), queue(setting.payload));
    let _other = beside(coro_echo, (place(setting, OTHER), there.clone(), back.clone()));
    runtime.block_on(coro_bounce(setting, async |ball| {
        there.coro_put(ball).await.unwrap();
        back.coro_get().await.unwrap()
    }))
}
