//! The pipe: send and receive, bytes and values, short messages and one in a file, empty, filled and full, alone and with a
//! survivor asleep at the same end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aioprocessing::{AioPipe, AioProcess, AioReceiver, AioSender, RecvError, SendError};

use crate::crowd::{Crowd, FACES, Face, Fault, Kind, LIMIT, Mode, PATIENCE, run};
use crate::suite::{Play, Scenario, wrong};
use crate::trace::{Reached, Stimulus, Victim, begin, end};

/// Goes through the codec, in few instructions, and into a file if it is long.
type Value = (u64, String);
type Receiver = AioReceiver<Value>;
type Sender = AioSender<Value>;

/// What the victim sends.
const VICTIMS: u64 = 1_000;
/// What is sent when all is over.
const LAST: u64 = 4_000;
const SHORT: usize = 24;
/// So few of these fill a pipe.
const WIDE: usize = 60_000;
const LONG: usize = 150_000;

/// Eight digits, and then the same letter.
fn text(id: u64, length: usize) -> String {
    let letter = char::from(b'a' + ((id + length as u64) % 26) as u8);
    let mut text = format!("{id:08}");
    text.extend(std::iter::repeat_n(letter, length - text.len()));
    text
}

/// The number of a message, if it is whole.
fn id_of(bytes: &[u8]) -> Option<u64> {
    let id = std::str::from_utf8(bytes.get(..8)?).ok()?.parse().ok()?;
    let is_whole = matches!(bytes.len(), SHORT | WIDE | LONG) && text(id, bytes.len()).as_bytes() == bytes;
    is_whole.then_some(id)
}

/// What messages are.
#[derive(Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum What {
    Bytes,
    Values,
}

/// What came of an operation that was in time.
#[derive(Debug, PartialEq)]
enum Came {
    Message(u64),
    Torn(String),
    Ended,
    TimedOut,
}

fn receive(receiver: &Receiver, what: What, face: Face, limit: Option<Duration>) -> Came {
    let came = match (what, face, limit) {
        (What::Bytes, Face::Blocking, None) => Some(receiver.recv_bytes()),
        (What::Bytes, Face::Blocking, Some(limit)) => in_time(receiver.recv_bytes_timeout(limit)),
        (What::Bytes, Face::Async, limit) => run(limit, receiver.coro_recv_bytes()),
        (What::Values, Face::Blocking, None) => Some(receiver.recv().and_then(opened)),
        (What::Values, Face::Blocking, Some(limit)) => {
            in_time(receiver.recv_timeout(limit)).map(|value| value.and_then(opened))
        }
        (What::Values, Face::Async, limit) => {
            run(limit, receiver.coro_recv()).map(|value| value.and_then(opened))
        }
    };
    match came {
        None => Came::TimedOut,
        Some(Ok(bytes)) => match id_of(&bytes) {
            Some(id) => Came::Message(id),
            None => Came::Torn(format!("a message of {} bytes is not whole", bytes.len())),
        },
        Some(Err(error)) if error.is_closed() => Came::Ended,
        Some(Err(error)) => Came::Torn(error.to_string()),
    }
}

/// The bytes of a value that says twice whose it is.
fn opened((id, text): Value) -> Result<Vec<u8>, RecvError> {
    Ok(if id_of(text.as_bytes()) == Some(id) { text.into_bytes() } else { Vec::new() })
}

fn in_time<T>(came: Result<T, aioprocessing::RecvTimeoutError>) -> Option<Result<T, RecvError>> {
    match came {
        Ok(came) => Some(Ok(came)),
        Err(error) if error.is_timeout() => None,
        Err(error) if error.is_closed() => Some(Err(RecvError::Closed)),
        Err(error) => Some(Err(RecvError::Io(std::io::Error::other(error.to_string())))),
    }
}

/// `Ok(false)`: the time was over.
fn send(
    sender: &Sender,
    (what, id, length): (What, u64, usize),
    face: Face,
    limit: Option<Duration>,
) -> Result<bool, SendError> {
    let value = (id, text(id, length));
    let bytes = value.1.as_bytes();
    match (what, face) {
        (What::Bytes, Face::Blocking) => match limit {
            None => sender.send_bytes(bytes).map(|()| true),
            Some(limit) => match sender.send_bytes_timeout(bytes, limit) {
                Err(error) if error.is_timeout() => Ok(false),
                Err(error) if error.is_closed() => Err(SendError::Closed),
                other => other
                    .map(|()| true)
                    .map_err(|error| SendError::Io(std::io::Error::other(error.to_string()))),
            },
        },
        (What::Bytes, Face::Async) => {
            run(limit, sender.coro_send_bytes(bytes)).transpose().map(|sent| sent.is_some())
        }
        (What::Values, Face::Async) => {
            run(limit, sender.coro_send(&value)).transpose().map(|sent| sent.is_some())
        }
        (What::Values, Face::Blocking) => match limit {
            None => sender.send(&value).map(|()| true),
            Some(limit) => match sender.send_timeout(&value, limit) {
                Err(error) if error.is_timeout() => Ok(false),
                Err(error) if error.is_closed() => Err(SendError::Closed),
                other => other
                    .map(|()| true)
                    .map_err(|error| SendError::Io(std::io::Error::other(error.to_string()))),
            },
        },
    }
}

/// A state of the pipe and an operation in it.
#[derive(Clone, Copy)]
struct Setting {
    sends: bool,
    face: Face,
    what: What,
    length: usize,
    filled: u64,
    /// Survivors sleep at the other end, or, beside a victim that receives, at its own.
    asleep: bool,
}

const SETTING: Setting =
    Setting { sends: true, face: Face::Blocking, what: What::Bytes, length: SHORT, filled: 0, asleep: false };

#[derive(Default)]
struct Ledger {
    sent: Mutex<Vec<u64>>,
    got: Mutex<BTreeMap<u64, u32>>,
}

impl Ledger {
    /// Whether a message came.
    fn note(&self, came: Came) -> Result<bool, Fault> {
        match came {
            Came::Message(id) => *self.got.lock().unwrap().entry(id).or_default() += 1,
            Came::Torn(what) => return wrong(Kind::Torn, what),
            Came::Ended => return wrong(Kind::Lost, "the pipe ended while there is a sender"),
            Came::TimedOut => return Ok(false),
        }
        Ok(true)
    }
}

struct Pipes {
    setting: Setting,
    ledger: Arc<Ledger>,
    receiver: Receiver,
    sender: Option<Sender>,
    is_done: bool,
    was_stimulated: bool,
    sleepers: u64,
}

impl Pipes {
    fn receive(&self, limit: Duration) -> Result<bool, Fault> {
        self.ledger.note(receive(&self.receiver, self.setting.what, Face::Blocking, Some(limit)))
    }

    /// All that is there: a sender is woken when there is much room, and not before.
    fn drain(&self) {
        while self.receive(Duration::ZERO).unwrap_or(false) {}
    }

    fn send(&self, id: u64, length: usize, limit: Duration) -> Result<bool, SendError> {
        let sender = self.sender.as_ref().unwrap();
        let sent = send(sender, (self.setting.what, id, length), Face::Blocking, Some(limit));
        if matches!(sent, Ok(true)) {
            self.ledger.sent.lock().unwrap().push(id);
        }
        sent
    }
}

impl Play for Pipes {
    fn stimulus(&mut self, _: usize) -> Stimulus {
        if self.was_stimulated {
            return Stimulus::Nothing;
        }
        self.was_stimulated = true;
        if self.setting.sends {
            self.drain();
        } else {
            // As many as wait, so that the victim's turn comes whoever is woken first.
            for id in 0..=self.sleepers {
                let _ = self.send(3_000 + id, self.setting.length, LIMIT);
            }
        }
        Stimulus::Done
    }

    fn look(&mut self, _: &Victim, reached: Reached) {
        self.is_done = reached == Reached::End;
    }

    fn after(&mut self, crowd: &mut Crowd) {
        let Setting { sends, what, length, .. } = self.setting;
        if self.is_done && sends {
            self.ledger.sent.lock().unwrap().push(VICTIMS);
        }
        if self.setting.filled > 0 && sends {
            self.drain();
        }
        // For everybody who sleeps a message, whatever the victim has done.
        let limit = if crowd.mode == Mode::Kill { PATIENCE } else { LIMIT };
        let wakes = if sends || !self.was_stimulated { self.sleepers } else { 0 };
        for id in 0..wakes {
            if let Err(error) = self.send(2_000 + id, length, limit) {
                crowd.fault(Kind::Lost, format!("a sender was refused: {error}"));
            }
        }
        crowd.settle();
        // Receivers that come now, in both faces, and then the end: at once, for the sender here is the last.
        let late = crowd.mode.limit().or(Some(PATIENCE));
        for face in FACES {
            let _ = self.send(LAST + face as u64, SHORT, limit);
            let (receiver, ledger, mode) =
                (self.receiver.try_clone().unwrap(), self.ledger.clone(), crowd.mode);
            crowd.late(format!("{face:?} receive, late"), move || {
                match ledger.note(receive(&receiver, what, face, late))? {
                    false if mode == Mode::Kill => {
                        wrong(Kind::Hung, "there are messages, and a receiver waits")
                    }
                    _ => Ok(()),
                }
            });
            crowd.settle();
        }
        self.sender = None;
        loop {
            match receive(&self.receiver, what, Face::Blocking, Some(limit)) {
                Came::Ended => break,
                // A stopped sender holds its end still.
                Came::TimedOut if crowd.mode == Mode::Stop => break,
                Came::TimedOut => {
                    crowd.fault(Kind::Hung, "the last sender is gone, and a receiver waits");
                    break;
                }
                came => {
                    if let Err(fault) = self.ledger.note(came) {
                        crowd.faults.push(fault);
                        break;
                    }
                }
            }
        }
        self.judge(crowd);
    }
}

impl Pipes {
    fn judge(&self, crowd: &mut Crowd) {
        let (sent, got) = (self.ledger.sent.lock().unwrap(), self.ledger.got.lock().unwrap());
        for (id, count) in got.iter() {
            if *count > 1 {
                crowd.fault(Kind::Duplicated, format!("message {id} came {count} times"));
            }
            if !sent.contains(id) && *id != VICTIMS && crowd.mode == Mode::Kill {
                crowd.fault(Kind::Torn, format!("message {id} was never sent"));
            }
        }
        let missing: Vec<_> = sent.iter().filter(|id| !got.contains_key(id)).collect();
        // One that the victim took is lost with it.
        if crowd.mode == Mode::Kill && missing.len() > usize::from(!self.setting.sends) {
            crowd.fault(Kind::Lost, format!("{missing:?} are gone"));
        }
    }
}

fn sends(sender: Sender, what: What, length: usize, is_async: bool) {
    let value = (VICTIMS, text(VICTIMS, length));
    let bytes = value.1.as_bytes();
    if is_async {
        run(None, async {
            tokio::task::yield_now().await;
            begin();
            let sent = match what {
                What::Bytes => sender.coro_send_bytes(bytes).await,
                What::Values => sender.coro_send(&value).await,
            };
            end();
            sent.unwrap();
        });
        return;
    }
    begin();
    let sent = match what {
        What::Bytes => sender.send_bytes(bytes),
        What::Values => sender.send(&value),
    };
    end();
    sent.unwrap();
}

fn receives(receiver: Receiver, what: What, is_async: bool) {
    if is_async {
        run(None, async {
            tokio::task::yield_now().await;
            begin();
            let came = match what {
                What::Bytes => receiver.coro_recv_bytes().await.map(drop),
                What::Values => receiver.coro_recv().await.map(drop),
            };
            end();
            came.unwrap();
        });
        return;
    }
    begin();
    let came = match what {
        What::Bytes => receiver.recv_bytes().map(drop),
        What::Values => receiver.recv().map(drop),
    };
    end();
    came.unwrap();
}

fn stage(crowd: &mut Crowd, setting: Setting) -> (Victim, Box<dyn Play>) {
    let (receiver, sender) = AioPipe::<Value>::simplex().unwrap();
    let ledger = Arc::new(Ledger::default());
    let play = |receiver, sender, sleepers| Pipes {
        setting,
        ledger: ledger.clone(),
        receiver,
        sender: Some(sender),
        is_done: false,
        was_stimulated: false,
        sleepers,
    };
    let (here, there) = (receiver.try_clone().unwrap(), sender.try_clone().unwrap());
    let is_async = setting.face == Face::Async;
    let mut pipes = play(receiver, sender, 0);
    for id in 0..setting.filled {
        // A pipe has room for a few of these only.
        if !matches!(pipes.send(id, setting.length, Duration::ZERO), Ok(true)) {
            break;
        }
    }
    let child = if setting.sends {
        AioProcess::spawn(sends, (there, setting.what, setting.length, is_async))
    } else {
        AioProcess::spawn(receives, (here, setting.what, is_async))
    };
    let victim = Victim::at_begin(child.unwrap());
    // Survivors of a stop would be out of time before the victim is where it should be.
    if setting.asleep && (setting.sends || crowd.mode == Mode::Kill) {
        pipes.sleepers = 2;
        for face in FACES {
            let (receiver, ledger) = (pipes.receiver.try_clone().unwrap(), ledger.clone());
            let (what, limit) = (setting.what, crowd.mode.limit());
            crowd.asleep(format!("{face:?} receive, asleep"), move |ready| {
                ready.now();
                ledger.note(receive(&receiver, what, face, limit)).map(drop)
            });
        }
    }
    (victim, Box::new(pipes))
}

macro_rules! scenarios {
    ($($name:literal: $setting:expr;)*) => {
        pub(crate) const SCENARIOS: &[Scenario] =
            &[$(Scenario { name: $name, stage: |crowd| stage(crowd, $setting) }),*];
    };
}

const VALUES: Setting = Setting { what: What::Values, ..SETTING };
const RECEIVE: Setting = Setting { sends: false, filled: 2, ..SETTING };
const RECEIVE_VALUES: Setting = Setting { what: What::Values, ..RECEIVE };
const FULL: Setting = Setting { length: WIDE, filled: 100, ..SETTING };

scenarios! {
    "pipe-send, bytes": SETTING;
    "pipe-send, bytes, receivers asleep": Setting { asleep: true, ..SETTING };
    "pipe-send, bytes, full": FULL;
    "pipe-send, bytes in a file": Setting { length: LONG, ..SETTING };
    "pipe-send, value, receivers asleep": Setting { asleep: true, ..VALUES };
    "pipe-send, value in a file, receivers asleep": Setting { length: LONG, asleep: true, ..VALUES };
    "pipe-send, coro_send of a value, full": Setting { face: Face::Async, what: What::Values, ..FULL };
    "pipe-recv, bytes, filled": RECEIVE;
    "pipe-recv, bytes, empty, receivers asleep": Setting { filled: 0, asleep: true, ..RECEIVE };
    "pipe-recv, bytes in a file, filled": Setting { length: LONG, ..RECEIVE };
    "pipe-recv, value, filled": RECEIVE_VALUES;
    "pipe-recv, value, empty, receivers asleep": Setting { filled: 0, asleep: true, ..RECEIVE_VALUES };
    "pipe-recv, value in a file, filled": Setting { length: LONG, ..RECEIVE_VALUES };
    "pipe-recv, coro_recv of a value, empty": Setting { face: Face::Async, filled: 0, ..RECEIVE_VALUES };
}
