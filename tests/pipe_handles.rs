//! Case 112: ends of pipes, sockets and files inside of messages.
// Both faces in one body.
#![cfg(feature = "tokio")]

use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::time::Duration;

use aioprocessing::{
    AioConnection, AioEvent, AioPipe, AioProcess, AioReceiver, AioSender, Passed, RecvError, SendError,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

mod kit;

aioprocessing::test_support!();

fn is_open(number: i32) -> bool {
    std::fs::read_link(format!("/proc/self/fd/{number}")).is_ok()
}

#[derive(Serialize, Deserialize)]
struct Job {
    name: String,
    reply: AioSender<String>,
}

#[test]
fn case_112_an_end_in_a_message() {
    let (jobs, to_child) = AioPipe::<Job>::simplex().unwrap();
    let child = AioProcess::spawn(
        |jobs: AioReceiver<Job>| {
            while let Ok(job) = jobs.recv() {
                job.reply.send(&job.name.to_uppercase()).unwrap();
            }
        },
        (jobs,),
    );
    for name in ["a", "b"] {
        let (replies, reply) = AioPipe::<String>::simplex().unwrap();
        let job = Job { name: name.to_owned(), reply };
        to_child.send(&job).unwrap();
        // Sent by reference, and closed here all the same: the answer is followed by the end.
        assert!(job.reply.send(&"x".to_owned()).unwrap_err().is_moved());
        assert!(job.reply.try_clone().unwrap_err().to_string().contains("sent away"));
        assert_eq!(format!("{:?}", job.reply), "AioSender(Moved)");
        assert_eq!(replies.recv().unwrap(), name.to_uppercase());
        assert!(replies.recv().unwrap_err().is_closed());
    }
    drop(to_child);
    child.unwrap().join().unwrap();
}

#[test]
fn case_112_an_end_in_a_message_async() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (a, b) = AioPipe::<AioConnection<u8, u8>>::simplex().unwrap();
        let (here, there) = AioPipe::<u8, u8>::duplex().unwrap();
        // Registered with this runtime before it leaves.
        assert!(tokio::time::timeout(Duration::ZERO, there.coro_recv()).await.is_err());
        b.coro_send(&there).await.unwrap();
        assert!(there.coro_recv().await.unwrap_err().is_moved());
        assert!(there.coro_poll().await.is_err());
        let there = a.coro_recv().await.unwrap();
        here.coro_send(&5).await.unwrap();
        assert_eq!(there.coro_recv().await.unwrap(), 5);
        drop(there);
        assert!(here.coro_recv().await.unwrap_err().is_closed());
    });
}

/// Nothing that a failed send held is lost.
#[test]
fn case_112_a_failed_send_moves_nothing() {
    let (receiving, sending) = AioPipe::<(AioSender<u8>, Vec<u8>)>::simplex().unwrap();
    let (rx, tx) = AioPipe::<u8>::simplex().unwrap();
    let message = (tx, vec![0; 1000]);
    while sending.try_send(&(message.0.try_clone().unwrap(), vec![0; 1000])).is_ok() {}
    assert!(sending.try_send(&message).unwrap_err().is_full());
    assert!(sending.send_timeout(&message, Duration::from_millis(5)).unwrap_err().is_timeout());
    sending.set_max_length(10);
    assert!(matches!(sending.send(&message), Err(SendError::TooLong { .. })));
    sending.set_max_length(1 << 20);
    drop(receiving);
    assert!(sending.send(&message).unwrap_err().is_closed());
    message.0.send(&1).unwrap();
    assert_eq!(rx.recv().unwrap(), 1);
}

#[test]
fn case_112_a_lock_or_an_event_in_a_message() {
    let (rx, tx) = AioPipe::<(String, AioEvent)>::simplex().unwrap();
    let event = AioEvent::new().unwrap();
    let child = AioProcess::spawn(
        |rx: AioReceiver<(String, AioEvent)>| {
            let (text, event) = rx.recv().unwrap();
            event.set();
            text
        },
        (rx,),
    )
    .unwrap();
    tx.send(&("x".to_owned(), event.clone())).unwrap();
    event.wait().unwrap();
    assert_eq!(child.join().unwrap(), "x");
}

/// A socket for each of several workers, whichever takes it first.
#[test]
fn case_112_a_tcp_stream() {
    fn serve(connections: AioReceiver<Passed<TcpStream>>) {
        while let Ok(connection) = connections.recv() {
            let mut stream = connection.into_inner();
            let mut line = [0; 5];
            stream.read_exact(&mut line).unwrap();
            stream.write_all(&line.map(|byte| byte.to_ascii_uppercase())).unwrap();
        }
    }
    let (receiving, sending) = AioPipe::<Passed<TcpStream>>::simplex().unwrap();
    let workers = [(); 2].map(|()| AioProcess::spawn(serve, (receiving.try_clone().unwrap(),)).unwrap());
    drop(receiving);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    for _ in 0..6 {
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        sending.send(&Passed::new(listener.accept().unwrap().0)).unwrap();
        client.write_all(b"hello").unwrap();
        let mut answer = String::new();
        // To its end: nobody else holds the connection.
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "HELLO");
    }
    drop(sending);
    workers.iter().for_each(|worker| worker.join().unwrap());
}

/// Takers in several processes look at one message and may take another.
#[test]
fn case_112_descriptors_among_plain_messages() {
    type Message = (u32, Option<Passed<OwnedFd>>);
    fn take(messages: AioReceiver<Message>) -> Vec<u32> {
        let all = std::iter::from_fn(|| {
            messages.recv().map_err(|error| assert!(error.is_closed(), "{error}")).ok()
        });
        all.map(|(number, descriptor)| {
            assert_eq!(descriptor.is_some(), number % 2 == 1);
            number
        })
        .collect()
    }
    const MESSAGES: u32 = 20_000;
    let _watchdog = kit::Watchdog::new("descriptors_among_plain_messages");
    let (receiving, sending) = AioPipe::<Message>::simplex().unwrap();
    let takers = [(); 3].map(|()| AioProcess::spawn(take, (receiving.try_clone().unwrap(),)).unwrap());
    drop(receiving);
    let file = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    for number in 0..MESSAGES {
        let descriptor = (number % 2 == 1).then(|| Passed::new(file.try_clone().unwrap()));
        sending.send(&(number, descriptor)).unwrap();
    }
    drop(sending);
    let mut taken: Vec<u32> = takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect();
    taken.sort_unstable();
    assert!(taken.into_iter().eq(0..MESSAGES));
}

#[test]
fn case_112_every_kind_of_descriptor() {
    fn there_and_back<T: aioprocessing::Passable>(value: T) -> T {
        let (rx, tx) = AioPipe::<Passed<T>>::simplex().unwrap();
        tx.send(&Passed::new(value)).unwrap();
        rx.recv().unwrap().into_inner()
    }
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"file").unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let mut text = String::new();
    there_and_back(file).read_to_string(&mut text).unwrap();
    assert_eq!(text, "file");

    let (reader, writer) = std::io::pipe().unwrap();
    let (mut reader, mut writer) = (there_and_back(reader), there_and_back(writer));
    writer.write_all(b"x").unwrap();
    reader.read_exact(&mut [0]).unwrap();

    let (one, other) = UnixStream::pair().unwrap();
    there_and_back(one).write_all(b"y").unwrap();
    there_and_back(other).read_exact(&mut [0]).unwrap();

    let (one, other) = UnixDatagram::pair().unwrap();
    there_and_back(one).send(b"z").unwrap();
    assert_eq!(there_and_back(other).recv(&mut [0; 4]).unwrap(), 1);

    let folder = tempfile::tempdir().unwrap();
    let listener = there_and_back(UnixListener::bind(folder.path().join("s")).unwrap());
    let _client = UnixStream::connect(folder.path().join("s")).unwrap();
    listener.accept().unwrap();

    let listener = there_and_back(TcpListener::bind("127.0.0.1:0").unwrap());
    let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    listener.accept().unwrap();

    let socket = there_and_back(std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
    socket.send_to(b"u", socket.local_addr().unwrap()).unwrap();
    assert_eq!(socket.recv(&mut [0; 4]).unwrap(), 1);

    let owned: OwnedFd = std::fs::File::open("/dev/null").unwrap().into();
    let flags = rustix::io::fcntl_getfd(there_and_back(owned)).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC), "a descriptor that came would leak into children");
}

#[test]
fn case_112_sockets_of_tokio() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (rx, tx) = AioPipe::<Passed<tokio::net::TcpStream>>::simplex().unwrap();
    let echo = AioProcess::spawn_async(
        async |rx: AioReceiver<Passed<tokio::net::TcpStream>>| {
            let mut stream = rx.coro_recv().await.unwrap().into_inner();
            let mut bytes = [0; 4];
            stream.read_exact(&mut bytes).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
        },
        (rx,),
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        tx.coro_send(&Passed::new(listener.accept().await.unwrap().0)).await.unwrap();
        client.write_all(b"ping").await.unwrap();
        let mut bytes = Vec::new();
        client.read_to_end(&mut bytes).await.unwrap();
        assert_eq!(bytes, b"ping");
        echo.unwrap().coro_join().await.unwrap();
    });

    // Outside of a runtime it is an error with a sentence, and no panic.
    let (rx, tx) = AioPipe::<Passed<tokio::net::TcpStream>>::simplex().unwrap();
    let stream = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap()
    });
    tx.send(&Passed::new(stream)).unwrap();
    let error = rx.recv().unwrap_err();
    assert!(error.to_string().contains("inside of a tokio runtime"), "{error}");
}

#[test]
fn case_112_large_numbers() {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(1 << 20);
    let number = i32::try_from(limit.min(100_000) - 1).unwrap();
    let file = std::fs::File::open("/dev/null").unwrap();
    let high = rustix::io::fcntl_dupfd_cloexec(&file, number).unwrap();
    assert!(high.as_raw_fd() >= number);
    let (rx, tx) = AioPipe::<Passed<OwnedFd>>::simplex().unwrap();
    tx.send(&Passed::new(high)).unwrap();
    rx.recv().unwrap();
}

/// Written as numbers and read as the descriptors that they name.
struct Forged(Vec<Passed<OwnedFd>>, Vec<u32>);

impl Serialize for Forged {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.1.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Forged {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Vec::deserialize(from).map(|descriptors| Self(descriptors, Vec::new()))
    }
}

#[test]
fn case_112_a_missing_descriptor_is_an_error() {
    let (rx, tx) = AioPipe::<Forged>::simplex().unwrap();
    // Run of one: the first, the second, far away; run of two; of none.
    for number in [1, 1 << 8 | 1, u32::MAX, 2, 0] {
        tx.send(&Forged(Vec::new(), vec![number])).unwrap();
        let error = rx.recv().err().unwrap();
        assert!(matches!(error, RecvError::Decode { .. }), "{error}");
        assert!(error.to_string().contains("descriptor") || error.to_string().contains("kind"), "{error}");
    }
    tx.send(&Forged(Vec::new(), vec![])).unwrap();
    assert!(rx.recv().unwrap().0.is_empty(), "and the pipe goes on");
}

/// An end of the wrong sort, or of another codec, is refused.
#[test]
fn case_112_something_else_is_no_end() {
    struct Pretended(Passed<OwnedFd>, &'static str);
    impl Serialize for Pretended {
        fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            (&self.0, 100_u64, None::<()>, (false, false), None::<()>, self.1).serialize(to)
        }
    }
    impl<'de> Deserialize<'de> for Pretended {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            let end = AioSender::<u8>::deserialize(from)?;
            drop(end);
            Ok(Self(Passed::new(std::fs::File::open("/dev/null").unwrap().into()), ""))
        }
    }
    let (rx, tx) = AioPipe::<Pretended>::simplex().unwrap();
    let file = || std::fs::File::open("/dev/null").unwrap().into();
    tx.send(&Pretended(Passed::new(file()), "postcard")).unwrap();
    assert!(rx.recv().err().unwrap().to_string().contains("no end of a pipe"));
    let (socket, _other) = UnixStream::pair().unwrap();
    tx.send(&Pretended(Passed::new(socket.into()), "postcard")).unwrap();
    assert!(rx.recv().err().unwrap().to_string().contains("no end of a pipe"));
    let packets = || {
        use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap().0
    };
    tx.send(&Pretended(Passed::new(packets()), "bincode")).unwrap();
    assert!(rx.recv().err().unwrap().to_string().contains("codec"));
    tx.send(&Pretended(Passed::new(packets()), "postcard")).unwrap();
    assert!(rx.recv().is_ok());
}

#[test]
fn case_112_not_outside_of_a_message() {
    let (rx, _tx) = AioPipe::<u8>::simplex().unwrap();
    assert!(postcard::to_allocvec(&rx).is_err());
    rx.poll(Duration::ZERO).unwrap();
    assert!(postcard::to_allocvec(&Passed::new(std::io::pipe().unwrap().0)).is_err());
}

#[test]
fn case_112_253_descriptors_and_no_more() {
    type Many = (Vec<Passed<OwnedFd>>, Vec<u8>);
    fn many(count: usize) -> Vec<Passed<OwnedFd>> {
        let file = std::fs::File::open("/dev/null").unwrap();
        (0..count).map(|_| Passed::new(file.as_fd().try_clone_to_owned().unwrap())).collect()
    }
    let (rx, tx) = AioPipe::<Many>::simplex().unwrap();
    for (count, length, fits) in
        [(253, 10, true), (254, 10, false), (252, 70_000, true), (253, 70_000, false)]
    {
        let sent = tx.send(&(many(count), vec![1; length]));
        assert_eq!(sent.is_ok(), fits, "{count} descriptors with {length} bytes: {sent:?}");
        if fits {
            let (descriptors, bytes) = rx.recv().unwrap();
            assert_eq!((descriptors.len(), bytes.len()), (count, length));
        } else {
            assert!(sent.unwrap_err().to_string().contains("descriptors"));
            assert!(rx.try_recv().unwrap_err().is_empty());
        }
    }
}

/// Runs with no descriptor free but `free`, then as before.
fn with_few_descriptors<T>(free: usize, body: impl FnOnce() -> T) -> T {
    let before = getrlimit(Resource::Nofile);
    let open: Vec<OwnedFd> = {
        setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..before }).unwrap();
        let file: OwnedFd = std::fs::File::open("/dev/null").unwrap().into();
        let mut open: Vec<_> = std::iter::from_fn(|| file.try_clone().ok()).collect();
        open.push(file);
        open.truncate(open.len() - free);
        open
    };
    let out = body();
    drop(open);
    setrlimit(Resource::Nofile, before).unwrap();
    out
}

fn receive_in_want(rx: AioReceiver<(u32, Vec<Passed<OwnedFd>>, Vec<u8>)>, is_async: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let recv = || if is_async { runtime.block_on(rx.coro_recv()) } else { rx.recv() };
    // A first wait, so that the runtime has what it needs.
    assert_eq!(recv().unwrap().0, 0);
    for free in [1, 2, 3] {
        with_few_descriptors(free, || {
            for _ in 0..3 {
                let error = recv().unwrap_err();
                assert!(error.is_no_descriptors(), "{error}");
                assert!(rx.poll(Duration::ZERO).unwrap());
            }
            assert!(rx.try_recv().unwrap_err().is_no_descriptors());
        });
    }
    // Nothing is lost, and nothing left open by the attempts.
    let before = std::fs::read_dir("/proc/self/fd").unwrap().count();
    for n in 1..=3 {
        let (number, descriptors, bytes) = recv().unwrap();
        assert_eq!((number, descriptors.len()), (n, 4));
        assert_eq!(bytes, vec![7; if n == 2 { 100_000 } else { 10 }]);
    }
    assert_eq!(std::fs::read_dir("/proc/self/fd").unwrap().count(), before);
    assert!(recv().unwrap_err().is_closed());
}

#[test]
fn case_112_a_receiver_short_of_descriptors_loses_nothing() {
    for is_async in [false, true] {
        let (rx, tx) = AioPipe::simplex().unwrap();
        for n in 0..=3 {
            let file = || Passed::new(std::fs::File::open("/dev/null").unwrap().into());
            let descriptors = (0..if n == 0 { 0 } else { 4 }).map(|_| file()).collect();
            tx.send(&(n, descriptors, vec![7; if n == 2 { 100_000 } else { 10 }])).unwrap();
        }
        drop(tx);
        AioProcess::spawn(receive_in_want, (rx, is_async)).unwrap().join().unwrap();
    }
}

/// A receiver is warned once of descriptors to come, and whoever has its end from then on has to know.
#[test]
fn case_112_descriptors_that_come_after_the_end_was_moved() {
    type Message = Option<Passed<OwnedFd>>;
    let _watchdog = kit::Watchdog::new("descriptors after the end was moved");
    let file = || Some(Passed::new(OwnedFd::from(std::fs::File::open("/dev/null").unwrap())));
    let (rx, tx) = AioPipe::<Message>::simplex().unwrap();
    for message in [None, file(), None] {
        tx.send(&message).unwrap();
        assert_eq!(rx.recv().unwrap().is_some(), message.is_some());
    }
    let take = |rx: AioReceiver<Message>| {
        // Not one that blocks in its look, which sees for itself what comes.
        let next = || rx.recv_timeout(Duration::from_secs(60)).unwrap();
        let came: Vec<bool> = (0..3).map(|_| next().is_some()).collect();
        assert!(rx.recv().unwrap_err().is_closed());
        came
    };
    let child = AioProcess::spawn(take, (rx,)).unwrap();
    for message in [file(), None, file()] {
        tx.send(&message).unwrap();
    }
    drop(tx);
    assert_eq!(child.join().unwrap(), [true, false, true]);
}

/// An end that is sent by reference may be used, and be warned, until it is out.
#[cfg(feature = "tokio")]
#[test]
fn case_112_an_end_that_is_used_between_its_packing_and_its_sending() {
    type Message = Option<Passed<OwnedFd>>;
    let _watchdog = kit::Watchdog::new("used between packing and sending");
    let file = || Some(Passed::new(OwnedFd::from(std::fs::File::open("/dev/null").unwrap())));
    let (ends, carrier) = AioPipe::<AioReceiver<Message>>::simplex().unwrap();
    let (rx, tx) = AioPipe::<Message>::simplex().unwrap();
    let take = |ends: AioReceiver<AioReceiver<Message>>| {
        let rx = ends.recv().unwrap();
        let next = || rx.recv_timeout(Duration::from_secs(60)).unwrap();
        [next().is_some(), next().is_some()]
    };
    let child = AioProcess::spawn(take, (ends,)).unwrap();
    let sending = carrier.coro_send(&rx);
    tx.send(&file()).unwrap();
    assert!(rx.recv().unwrap().is_some());
    kit::runtime().block_on(sending).unwrap();
    assert!(rx.recv().unwrap_err().is_moved());
    tx.send(&file()).unwrap();
    tx.send(&None).unwrap();
    assert_eq!(child.join().unwrap(), [true, false]);
}

/// In a process of its own: it must be the only one that opens anything.
/// Fills the pipe, and then waits for room without a descriptor to wait with.
fn send_in_want(tx: AioSender<Vec<u8>>, is_full: AioEvent) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut sent = 0;
    while tx.try_send_bytes(&[sent; 1000]).is_ok() {
        sent = sent.wrapping_add(1);
    }
    with_few_descriptors(0, || {
        runtime.block_on(async {
            let mut waits = std::pin::pin!(tx.coro_send_bytes(b"last"));
            // It has looked and found no room.
            assert!(tokio::time::timeout(Duration::ZERO, waits.as_mut()).await.is_err());
            is_full.set();
            waits.await.unwrap();
        });
    });
}

#[test]
fn case_112_a_sender_short_of_descriptors_waits_for_room() {
    let watchdog = kit::Watchdog::new("a sender short of descriptors");
    let (rx, tx) = AioPipe::<Vec<u8>>::simplex().unwrap();
    let is_full = AioEvent::new().unwrap();
    let child = AioProcess::builder().daemon(true).spawn(send_in_want, (tx, is_full.clone())).unwrap();
    is_full.wait().unwrap();
    watchdog.step("there is room again");
    while rx.recv_bytes().unwrap() != b"last" {}
    child.join().unwrap();
}

#[test]
fn case_112_what_nobody_claims_is_closed() {
    fn run() {
        let (rx, tx) = AioPipe::<Passed<OwnedFd>>::simplex().unwrap();
        let file = Passed::new(OwnedFd::from(std::fs::File::open("/dev/null").unwrap()));
        let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let before = count();
        for _ in 0..3 {
            tx.send(&file).unwrap();
        }
        rx.recv_bytes().unwrap();
        rx.recv_bytes_into(&mut []).unwrap_err();
        drop(rx);
        drop(tx);
        assert_eq!(count(), before - 2);
        assert!(is_open(file.as_raw_fd()));
    }
    AioProcess::spawn(run, ()).unwrap().join().unwrap();
}
