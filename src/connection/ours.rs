//! How two programs with this crate greet each other.
//!
//! ```text
//! listener: HELLO   magic, keyed, nonce, who it says it is
//! client:   ANSWER  magic, keyed, nonce, who it says it is, proof over all of this and the endpoint
//! listener: WELCOME proof over all of this and the endpoint; with it comes, on local sockets, the connection
//! either:   REFUSED why
//! ```
//!
//! A proof is an HMAC-SHA256 with the key over the role, both greetings as they were sent, and the listener's address as the
//! kernel knows it. A proof can't be used again (nonces), nor be turned back on its sender (roles). Somebody between the two
//! who passes everything on is another process than the one that a greeting names, and the kernel says so; through another
//! address, neither side's endpoint is the other's.

use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

use rustix::process::{getegid, geteuid};

use super::exchange::{Failure, Reply};
use super::{AuthKey, HandshakeError};
use crate::PeerCredentials;
use crate::planted::planted;
use crate::sys::identity;

const MAGIC: &[u8; 14] = b"aioprocessing\x01";
const HELLO: u8 = 1;
const ANSWER: u8 = 2;
const WELCOME: u8 = 3;
const REFUSED: u8 = 4;

pub(super) const NONCE: usize = 32;
const PROOF: usize = 32;
const CLAIM: usize = 28;
const GREETING: usize = 1 + MAGIC.len() + 1 + NONCE + CLAIM;

/// Who a side says it is. Numbers mean the same to both where the namespaces are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Claim {
    who: PeerCredentials,
    pid_namespace: u64,
    user_namespace: u64,
}

impl Claim {
    /// A listener is who made its socket, which its clients are told by the kernel.
    fn own(listener: Option<PeerCredentials>) -> Self {
        static USERS: OnceLock<u64> = OnceLock::new();
        let user_namespace =
            *USERS.get_or_init(|| std::fs::metadata("/proc/self/ns/user").map_or(0, |file| file.ino()));
        let own = identity::own();
        let this = PeerCredentials { pid: own.pid, uid: geteuid().as_raw(), gid: getegid().as_raw() };
        Self { who: listener.unwrap_or(this), pid_namespace: own.namespace, user_namespace }
    }

    fn to_bytes(self) -> Vec<u8> {
        let Self { who, pid_namespace, user_namespace } = self;
        let short = [who.pid, who.uid, who.gid].map(u32::to_be_bytes);
        let long = [pid_namespace, user_namespace].map(u64::to_be_bytes);
        [short.as_flattened(), long.as_flattened()].concat()
    }

    fn from_bytes(bytes: &[u8; CLAIM]) -> Self {
        let short =
            |at: usize| bytes.iter().skip(at).take(4).fold(0, |word, &byte| word << 8 | u32::from(byte));
        let long = |at: usize| u64::from(short(at)) << 32 | u64::from(short(at + 4));
        let who = PeerCredentials { pid: short(0), uid: short(4), gid: short(8) };
        Self { who, pid_namespace: long(12), user_namespace: long(20) }
    }

    /// Whether the kernel says the same of the process at the other end, as far as both mean the same.
    fn agrees(self, seen: PeerCredentials) -> bool {
        let own = Self::own(None);
        let (who, known) = (self.who, seen.is_known());
        let same_pids = known && own.pid_namespace != 0 && own.pid_namespace == self.pid_namespace;
        let same_users = known && own.user_namespace != 0 && own.user_namespace == self.user_namespace;
        (!same_pids || who.pid == seen.pid) && (!same_users || (who.uid, who.gid) == (seen.uid, seen.gid))
    }
}

/// A `HELLO`, or an `ANSWER` without its proof.
struct Greeting<'a> {
    is_keyed: bool,
    claim: Claim,
    bytes: &'a [u8],
}

fn greeting(kind: u8, is_keyed: bool, nonce: &[u8; NONCE], claim: Claim) -> Vec<u8> {
    [&[kind], &MAGIC[..], &[u8::from(is_keyed)], nonce, &claim.to_bytes()].concat()
}

impl<'a> Greeting<'a> {
    fn read(kind: u8, frame: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (bytes, rest) = frame.split_at_checked(GREETING)?;
        let (begin, claim) = bytes.split_last_chunk::<CLAIM>()?;
        let (begin, _nonce) = begin.split_last_chunk::<NONCE>()?;
        let (&keyed, begin) = begin.split_last()?;
        if begin != [&[kind], &MAGIC[..]].concat() || keyed > 1 {
            return None;
        }
        Some((Self { is_keyed: keyed == 1, claim: Claim::from_bytes(claim), bytes }, rest))
    }
}

/// What one side knows of the other.
#[derive(Debug)]
pub(super) struct Talk {
    key: AuthKey,
    endpoint: Vec<u8>,
    seen: PeerCredentials,
    own: Claim,
    nonce: [u8; NONCE],
    state: State,
}

#[derive(Debug)]
enum State {
    /// A listener, with what it said first.
    Listens { hello: Vec<u8> },
    /// A client that has heard nothing yet.
    Comes,
    /// A client that has answered.
    Hopes { hello: Vec<u8>, answer: Vec<u8>, claim: Claim },
}

impl Talk {
    /// `listener`: who made the socket, where that is known.
    pub(super) fn of_listener(
        key: AuthKey,
        endpoint: Vec<u8>,
        seen: PeerCredentials,
        listener: Option<PeerCredentials>,
        nonce: [u8; NONCE],
    ) -> Self {
        let own = Claim::own(listener);
        let hello = greeting(HELLO, !key.is_none(), &nonce, own);
        Self { key, endpoint, seen, own, nonce, state: State::Listens { hello } }
    }

    pub(super) fn of_client(
        key: AuthKey,
        endpoint: Vec<u8>,
        seen: PeerCredentials,
        nonce: [u8; NONCE],
    ) -> Self {
        Self { key, endpoint, seen, own: Claim::own(None), nonce, state: State::Comes }
    }

    pub(super) fn begin(&mut self) -> Reply {
        match &self.state {
            State::Listens { hello } => Reply { frames: vec![hello.clone()], is_done: false },
            _ => Reply::default(),
        }
    }

    pub(super) fn hear(&mut self, frame: &[u8]) -> Result<Reply, Failure> {
        if let [REFUSED, why] = frame {
            return Err(refused_for(*why).into());
        }
        match std::mem::replace(&mut self.state, State::Comes) {
            State::Listens { hello } => self.judge(&hello, frame),
            State::Comes => self.answer(frame),
            State::Hopes { hello, answer, claim } => {
                let proof = match frame {
                    [WELCOME, proof @ ..] => proof,
                    _ => return Err(stranger(frame)),
                };
                let expected = self.key.sha256(&[b"listener", &hello, &answer, &self.endpoint]);
                if !self.key.is_none() && !expected.is(proof) {
                    return Err(HandshakeError::WrongKey.into());
                }
                if !claim.agrees(self.seen) {
                    return Err(HandshakeError::Intruder.into());
                }
                Ok(Reply { frames: Vec::new(), is_done: true })
            }
        }
    }

    fn judge(&self, hello: &[u8], answer: &[u8]) -> Result<Reply, Failure> {
        let Some((theirs, proof)) = Greeting::read(ANSWER, answer) else { return Err(stranger(answer)) };
        self.terms(theirs.is_keyed)?;
        let expected = self.key.sha256(&[b"client", hello, theirs.bytes, &self.endpoint]);
        if !self.key.is_none() && !planted!("a-client-proves-nothing", expected.is(proof), true) {
            return Err(refuse(HandshakeError::WrongKey));
        }
        if !theirs.claim.agrees(self.seen) {
            return Err(refuse(HandshakeError::Intruder));
        }
        let proof = self.key.sha256(&[b"listener", hello, answer, &self.endpoint]).into_bytes();
        Ok(Reply { frames: vec![[&[WELCOME], &proof[..]].concat()], is_done: true })
    }

    fn answer(&mut self, hello: &[u8]) -> Result<Reply, Failure> {
        let Some((theirs, [])) = Greeting::read(HELLO, hello) else { return Err(stranger(hello)) };
        self.terms(theirs.is_keyed)?;
        let mut answer = greeting(ANSWER, !self.key.is_none(), &self.nonce, self.own);
        let proof = self.key.sha256(&[b"client", hello, &answer, &self.endpoint]).into_bytes();
        answer.extend(if self.key.is_none() { vec![0; PROOF] } else { proof });
        self.state = State::Hopes { hello: hello.to_vec(), answer: answer.clone(), claim: theirs.claim };
        Ok(Reply { frames: vec![answer], is_done: false })
    }

    /// Both hold a key, or neither does and both are the same user.
    fn terms(&self, is_keyed: bool) -> Result<(), Failure> {
        if is_keyed == self.key.is_none() {
            return Err(refuse(HandshakeError::OneKey));
        }
        if self.key.is_none() && !is_same_user(self.seen) {
            return Err(refuse(HandshakeError::OtherUser));
        }
        Ok(())
    }
}

/// Whether the process at the other end runs as the same user, which suffices where there is no key.
pub(super) fn is_same_user(seen: PeerCredentials) -> bool {
    seen.is_known() && seen.uid == geteuid().as_raw()
}

fn stranger(frame: &[u8]) -> Failure {
    let what =
        if frame.starts_with(super::python::CHALLENGE) { "Python's" } else { "it sent something else" };
    HandshakeError::Protocol(what).into()
}

const REASONS: [(u8, fn() -> HandshakeError); 4] = [
    (1, || HandshakeError::WrongKey),
    (2, || HandshakeError::OneKey),
    (3, || HandshakeError::OtherUser),
    (4, || HandshakeError::Intruder),
];

fn refused_for(why: u8) -> HandshakeError {
    let known = REASONS.iter().find(|(code, _)| *code == why);
    known.map_or(HandshakeError::Protocol("it refused for an unknown reason"), |(_, error)| error())
}

fn refuse(error: HandshakeError) -> Failure {
    let is_it = |other: HandshakeError| std::mem::discriminant(&other) == std::mem::discriminant(&error);
    let code = REASONS.iter().find(|(_, made)| is_it(made())).map_or(0, |(code, _)| *code);
    Failure { last: Some(vec![REFUSED, code]), error }
}
