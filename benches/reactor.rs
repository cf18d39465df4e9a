//! The hand-over design under load, beside a server of one process: messages of mixed sizes, up to 2 MB, at a steady rate, every
//! byte checked. `cargo bench --bench reactor -- [SECONDS [MESSAGES_PER_SECOND]]`.
//!
//! The rate is kept by the clock and not by the answers: a message that is sent late because an earlier one was slow counts from
//! when it was due.
#![allow(missing_docs)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use aioprocessing::{AioProcess, AioQueue, Prefork};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const CONNECTIONS: u32 = 32;
const LARGEST: usize = 2_000_000;

async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut message = Vec::new();
    loop {
        let length = stream.read_u32().await?;
        message.resize(length as usize, 0);
        stream.read_exact(&mut message).await?;
        stream.write_all(&message).await?;
    }
}

/// The server of one process, on as many threads as the other has workers.
fn single(address: AioQueue<SocketAddr>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        address.put(listener.local_addr().unwrap()).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(echo(stream));
        }
    });
}

/// Of 1,000 messages: 700 of up to 1 KB, 250 of up to 16 KB, 46 of up to 128 KB, 4 of up to 2 MB.
fn size(random: &mut u64) -> usize {
    let mut next = || {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        usize::try_from(*random >> 16).unwrap()
    };
    let most = match next() % 1_000 {
        0..700 => 1_000,
        700..950 => 16_384,
        950..996 => 131_072,
        _ => LARGEST,
    };
    // One in ten is as large as it may be.
    if next() % 10 == 0 { most } else { next() % (most + 1) }
}

/// Messages, bytes, and each one's microseconds.
type Tally = (u64, u64, Vec<u32>);

async fn one_connection(
    address: SocketAddr,
    pattern: &[u8],
    begun: Instant,
    each: Duration,
    count: u32,
    seed: u64,
) -> Tally {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let (mut bytes, mut times, mut answer) = (0, Vec::new(), vec![0; LARGEST]);
    for turn in 0..count {
        // Connections begin at different times within the first interval.
        let due = begun + each * turn + each * u32::try_from(seed).unwrap() / CONNECTIONS;
        tokio::time::sleep_until(due.into()).await;
        let length = size(&mut random);
        let from = usize::try_from(random % (LARGEST as u64)).unwrap();
        let message = &pattern[from..from + length];
        stream.write_u32(u32::try_from(length).unwrap()).await.unwrap();
        stream.write_all(message).await.unwrap();
        stream.read_exact(&mut answer[..length]).await.unwrap();
        assert!(answer[..length] == *message, "{length} bytes came back changed");
        bytes += length as u64;
        times.push(u32::try_from(due.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    (u64::from(count), bytes, times)
}

/// A process of its own, so that the servers and the clients share no runtime.
async fn clients(address: SocketAddr, seconds: u32, rate: u32) -> (Tally, Duration) {
    let mut random = 88_172_645_463_325_252_u64;
    let pattern: Vec<u8> = (0..2 * LARGEST)
        .map(|_| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random >> 32) as u8
        })
        .collect();
    let pattern: &'static [u8] = pattern.leak();
    let begun = Instant::now();
    let (each, count) = (Duration::from_secs(1) * CONNECTIONS / rate, seconds * rate / CONNECTIONS);
    let connections: Vec<_> = (0..CONNECTIONS)
        .map(|i| tokio::spawn(one_connection(address, pattern, begun, each, count, i.into())))
        .collect();
    let mut all = Tally::default();
    for connection in connections {
        let (messages, bytes, times) = connection.await.unwrap();
        all.0 += messages;
        all.1 += bytes;
        all.2.extend(times);
    }
    (all, begun.elapsed())
}

/// Whether the rate was held.
fn measure(name: &str, address: SocketAddr, seconds: u32, rate: u32) -> bool {
    let load = AioProcess::builder().daemon(true).spawn_async(clients, (address, seconds, rate)).unwrap();
    let ((messages, bytes, mut times), took) = load.join().unwrap();
    times.sort_unstable();
    let at = |share: f64| f64::from(times[(times.len() as f64 * share) as usize]) / 1e3;
    let held = messages as f64 / took.as_secs_f64();
    println!(
        "{name}: {held:.0} messages/s, {:.0} MB/s each way, {messages} messages in {:.1} s, p50 {:.2} ms, p99 {:.1} ms, p99.9 {:.1} ms, \
         longest {:.0} ms, every byte checked",
        bytes as f64 / took.as_secs_f64() / 1e6,
        took.as_secs_f64(),
        at(0.5),
        at(0.99),
        at(0.999),
        f64::from(times[times.len() - 1]) / 1e3,
    );
    // All that was due was answered, the last of it not long after.
    took < Duration::from_secs(u64::from(seconds) + 1)
}

fn main() {
    aioprocessing::init();
    let mut numbers = std::env::args().filter_map(|arg| arg.parse::<u32>().ok());
    let (seconds, rate) = (numbers.next().unwrap_or(30), numbers.next().unwrap_or(2_000));
    let server = Prefork::builder().bind("127.0.0.1:0").workers(2).hand_over(true).build().unwrap();
    let (address, control) = (server.local_addr().unwrap(), server.control());
    let client = std::thread::spawn(move || {
        let is_held = measure("one acceptor, two workers", address, seconds, rate);
        control.drain();
        is_held
    });
    server.serve(echo).unwrap();
    let by_workers = client.join().unwrap();

    let bound = AioQueue::unbounded().unwrap();
    let _single =
        AioProcess::builder().daemon(true).kill_on_drop(true).spawn(single, (bound.clone(),)).unwrap();
    let by_one = measure("one process of tokio", bound.get().unwrap(), seconds, rate);
    if !by_workers || !by_one {
        eprintln!("{rate} messages/s were not held");
        std::process::exit(1);
    }
}
