//! What those who take packets at one end have in common.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use parking_lot::Mutex;

use super::error::{RecvError, SendError};
use super::packet::{self, Care, Cpu, Flags, Incoming, Outgoing, Taken};
use crate::planted::planted;

pub(super) struct Packets {
    /// Nobody waits while holding it.
    taking: Mutex<Taking>,
    /// Where the sender of the last one ran, a [`Cpu`].
    sender: AtomicU8,
    /// Somebody else, here or in another process, may receive from the same socket.
    is_shared: AtomicBool,
    /// What goes out from here may be with descriptors: the receiver has been warned.
    has_warned: AtomicBool,
    /// Something was sent since the last receive: its answer, if there is to be one, can hardly have come.
    has_sent: AtomicBool,
    /// So many first looks are left out, after one which did not find the answer.
    left_out: AtomicU8,
}

/// What has been taken: from the look at a packet to its taking this is held.
struct Taking {
    count: u64,
    /// From now on there may be descriptors in a packet.
    is_warned: bool,
}

/// Nobody who means well sends so many in a row: each end does once.
const MOST_WARNINGS: u32 = if cfg!(test) { 64 } else { 1024 };
/// So many first looks without an answer follow from one.
const MOST_LEFT_OUT: u8 = 15;

impl Packets {
    pub(super) fn new(is_warned: bool) -> Self {
        Self {
            taking: Mutex::new(Taking { count: 0, is_warned }),
            sender: AtomicU8::new(Cpu::UNKNOWN.to_bits()),
            is_shared: AtomicBool::new(false),
            has_warned: AtomicBool::new(false),
            has_sent: AtomicBool::new(false),
            left_out: AtomicU8::new(0),
        }
    }

    pub(super) fn is_shared(&self) -> bool {
        self.is_shared.load(Ordering::Relaxed)
    }

    pub(super) fn is_warned(&self) -> bool {
        self.taking.lock().is_warned
    }

    /// From now on others may receive from this socket, too.
    pub(super) fn share(&self) {
        // Nobody here is between a look and a taking that does without descriptors.
        let _taking = self.taking.lock();
        self.is_shared.store(true, Ordering::Relaxed);
    }

    /// Sends a message if there is room. `None`: there is none.
    pub(super) fn send(
        &self,
        socket: BorrowedFd<'_>,
        message: &mut Outgoing<'_>,
    ) -> Option<Result<(), SendError>> {
        let sent = message.attempt(socket, &self.has_warned);
        if matches!(sent, Some(Ok(()))) {
            self.has_sent.store(true, Ordering::Relaxed);
        }
        sent
    }

    /// Takes a message if one is there.
    pub(super) fn take(&self, socket: BorrowedFd<'_>, limit: u64) -> Option<Result<Incoming, RecvError>> {
        self.take_seen(socket, limit, None)
    }

    /// The same, by one who leaves the CPU to the sender next. Does not even look where that has not found anything the last time: who
    /// has sent and is answered by somebody on the same CPU has to leave it first.
    pub(super) fn take_or_let_send(
        &self,
        socket: BorrowedFd<'_>,
        limit: u64,
    ) -> Option<Result<Incoming, RecvError>> {
        let has_sent = self.has_sent.swap(false, Ordering::Relaxed);
        let left = self.left_out.load(Ordering::Relaxed);
        if has_sent && left > 0 {
            self.left_out.store(left - 1, Ordering::Relaxed);
            return None;
        }
        let taken = self.take(socket, limit);
        if has_sent {
            self.left_out.store(if taken.is_none() { MOST_LEFT_OUT } else { 0 }, Ordering::Relaxed);
        }
        taken
    }

    /// Takes a message. `None`: somebody else was faster.
    ///
    /// Blocks the thread in the look at its packet.
    pub(super) fn wait_and_take(
        &self,
        socket: BorrowedFd<'_>,
        limit: u64,
    ) -> Option<Result<Incoming, RecvError>> {
        let before = self.taking.lock().count;
        let seen = packet::wait(socket);
        planted!("one-of-several-blocks-in-its-look", {
            // Time to be killed in.
            std::thread::sleep(std::time::Duration::from_millis(300));
        });
        self.take_seen(socket, limit, seen.map(|flags| (before, flags)))
    }

    /// What was seen counts if none has been taken since: otherwise it may have been another.
    fn take_seen(
        &self,
        socket: BorrowedFd<'_>,
        limit: u64,
        mut seen: Option<(u64, Flags)>,
    ) -> Option<Result<Incoming, RecvError>> {
        let mut warnings = 0;
        let taken = loop {
            let mut taking = self.taking.lock();
            let known = seen.take().filter(|(before, _)| *before == taking.count).map(|(_, flags)| flags);
            let care = match known {
                known if self.is_shared() => Care::Shares(known),
                None if !taking.is_warned => Care::Blind,
                known => Care::Looks(known),
            };
            let taken = packet::take(socket, care)?;
            taking.count += 1;
            match taken {
                Ok(Taken::Warning) => {
                    taking.is_warned = true;
                    warnings += 1;
                    if planted!("warnings-without-end", warnings > MOST_WARNINGS, false) {
                        break Err(RecvError::Damaged("it is one warning after the other"));
                    }
                }
                Ok(Taken::Message(message)) => break Ok(message),
                Err(error) => break Err(error),
            }
        };
        if let Ok(taken) = &taken {
            self.sender.store(taken.cpu.to_bits(), Ordering::Relaxed);
        }
        Some(taken.and_then(|taken| taken.open(limit)))
    }

    /// Whether something is there, a message or the end of the pipe; both stay.
    ///
    /// A warning is taken for a message where others may be taking: it lies before one, unless its sender was killed in between, or gave
    /// up where there was no more room.
    pub(super) fn look(&self, socket: BorrowedFd<'_>) -> io::Result<bool> {
        let mut taking = self.taking.lock();
        let mut warnings = 0;
        loop {
            match packet::look(socket)? {
                None => return Ok(false),
                // The next receive tells of it.
                Some(_) if warnings > MOST_WARNINGS => return Ok(true),
                Some(flags) if packet::is_warning(flags) && !self.is_shared() => {
                    match packet::take(socket, Care::Looks(Some(flags))) {
                        Some(Ok(Taken::Warning)) => {
                            taking.count += 1;
                            taking.is_warned = true;
                            warnings += 1;
                        }
                        _ => return Ok(true),
                    }
                }
                Some(_) => return Ok(true),
            }
        }
    }

    /// Whether the last sender ran on this CPU: then it can't send before it is let run.
    pub(super) fn has_sender_here(&self) -> bool {
        let last = Cpu::from_bits(self.sender.load(Ordering::Relaxed));
        last != Cpu::UNKNOWN && last == Cpu::here()
    }
}

#[cfg(all(test, not(aioprocessing_loom)))]
mod tests {
    use std::os::fd::{AsFd, OwnedFd};

    use super::*;
    use crate::sys::socket;

    /// What lies before a message with a descriptor, where its sender was killed in between.
    fn lone_warning() -> (OwnedFd, OwnedFd) {
        let (ours, theirs) = socket::pair().unwrap();
        socket::send_bytes(&theirs, &[1]).unwrap();
        (ours, theirs)
    }

    #[test]
    fn a_warning_is_no_message() {
        let (packets, (ours, theirs)) = (Packets::new(false), lone_warning());
        assert!(!packets.look(ours.as_fd()).unwrap());
        assert!(packets.is_warned());
        let (packets, (ours, theirs_too)) = (Packets::new(false), lone_warning());
        assert!(packets.take(ours.as_fd(), 100).is_none());
        assert!(packets.is_warned());
        drop((theirs, theirs_too));
        assert!(packets.look(ours.as_fd()).unwrap());
        assert!(packets.take(ours.as_fd(), 100).unwrap().unwrap_err().is_closed());
    }

    #[test]
    fn who_shares_an_end_passes_over_a_warning() {
        let (packets, (ours, theirs)) = (Packets::new(false), lone_warning());
        packets.share();
        assert!(packets.take(ours.as_fd(), 100).is_none());
        let mut message = Outgoing::of_bytes(b"x");
        Packets::new(false).send(theirs.as_fd(), &mut message).unwrap().unwrap();
        assert_eq!(packets.take(ours.as_fd(), 100).unwrap().unwrap().bytes, b"x");
    }

    #[test]
    fn a_flood_of_warnings_holds_nobody_up() {
        let warn = |theirs: &OwnedFd| socket::send_bytes(theirs, &[1]).unwrap();
        let flood = |theirs: &OwnedFd| (0..=MOST_WARNINGS + 1).for_each(|_| warn(theirs));
        for is_shared in [false, true] {
            let (packets, (ours, theirs)) = (Packets::new(false), socket::pair().unwrap());
            if is_shared {
                packets.share();
            }
            flood(&theirs);
            let error = packets.take(ours.as_fd(), 100).expect("it is told of").unwrap_err();
            assert!(matches!(error, RecvError::Damaged(_)), "{error}");
            assert!(packets.take(ours.as_fd(), 100).is_none(), "and over");
            flood(&theirs);
            assert!(packets.look(ours.as_fd()).unwrap());
        }
    }

    #[test]
    fn an_answer_that_is_there_is_looked_for_at_once() {
        let (packets, (ours, theirs)) = (Packets::new(false), socket::pair().unwrap());
        let ask = || packets.send(ours.as_fd(), &mut Outgoing::of_bytes(b"?")).unwrap().unwrap();
        let answer = || socket::send_bytes(&theirs, &[0, 7]).unwrap();
        let first = || packets.take_or_let_send(ours.as_fd(), 100).is_some();
        answer();
        ask();
        assert!(first(), "it was there");
        ask();
        assert!(!first(), "it was looked for in vain");
        for _ in 0..MOST_LEFT_OUT {
            ask();
            answer();
            assert!(!first(), "it is not looked for");
            assert!(packets.take(ours.as_fd(), 100).is_some());
        }
        ask();
        answer();
        assert!(first(), "it is looked for again now and then");
        ask();
        answer();
        assert!(first(), "and at once where that has helped");
    }
}
