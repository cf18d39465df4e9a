//! How CPython's `multiprocessing.connection` greets: a challenge from each side to the other, the listener's first.
//!
//! Up to 3.11 a challenge is 20 random bytes and the answer their HMAC-MD5. From 3.12 on a challenge begins with the name of
//! a digest in braces and so does its answer; an answer to such a challenge without one is an HMAC-MD5 of all of it, from
//! an older Python. So the newer challenge does for all of them, and which answer a challenge asks for it says itself.

use super::exchange::{Failure, Reply};
use super::{AuthKey, HandshakeError};

pub(super) const CHALLENGE: &[u8] = b"#CHALLENGE#";
const WELCOME: &[u8] = b"#WELCOME#";
const FAILURE: &[u8] = b"#FAILURE#";
const SHA256: &[u8] = b"{sha256}";
const MD5: &[u8] = b"{md5}";
pub(super) const NONCE: usize = 40;
const OLD_NONCE: usize = 20;
const OLD_ANSWER: usize = 16;

#[derive(Debug)]
pub(super) struct Talk {
    key: AuthKey,
    is_listener: bool,
    nonce: [u8; NONCE],
    state: State,
}

#[derive(Debug)]
enum State {
    /// It has sent a challenge.
    Challenged,
    /// It waits for one.
    ToBeChallenged,
    /// It has answered one.
    Answered,
}

impl Talk {
    pub(super) fn new(key: AuthKey, is_listener: bool, nonce: [u8; NONCE]) -> Self {
        let state = if is_listener { State::Challenged } else { State::ToBeChallenged };
        Self { key, is_listener, nonce, state }
    }

    fn challenge(&self) -> Vec<u8> {
        [SHA256, &self.nonce].concat()
    }

    pub(super) fn begin(&mut self) -> Reply {
        if self.key.is_none() {
            return Reply { frames: Vec::new(), is_done: true };
        }
        let frames =
            if self.is_listener { vec![[CHALLENGE, &self.challenge()].concat()] } else { Vec::new() };
        Reply { frames, is_done: false }
    }

    pub(super) fn hear(&mut self, frame: &[u8]) -> Result<Reply, Failure> {
        match self.state {
            State::Challenged => {
                let challenge = self.challenge();
                let is_right = match (frame.strip_prefix(SHA256), frame.strip_prefix(MD5)) {
                    (Some(proof), _) => self.key.sha256(&[&challenge]).is(proof),
                    (_, Some(proof)) => self.key.md5(&[&challenge]).is(proof),
                    _ if frame.len() == OLD_ANSWER => self.key.md5(&[&challenge]).is(frame),
                    _ => {
                        let error = HandshakeError::Protocol("it answered a challenge with something else");
                        return Err(Failure { last: Some(FAILURE.to_vec()), error });
                    }
                };
                if !is_right {
                    return Err(Failure { last: Some(FAILURE.to_vec()), error: HandshakeError::WrongKey });
                }
                self.state = State::ToBeChallenged;
                Ok(Reply { frames: vec![WELCOME.to_vec()], is_done: !self.is_listener })
            }
            State::ToBeChallenged => {
                let Some(challenge) = frame.strip_prefix(CHALLENGE) else {
                    return Err(HandshakeError::Protocol("it sent no challenge: has it a key?").into());
                };
                let answer = if challenge.starts_with(SHA256) {
                    [SHA256, &self.key.sha256(&[challenge]).into_bytes()].concat()
                } else if challenge.starts_with(MD5) {
                    [MD5, &self.key.md5(&[challenge]).into_bytes()].concat()
                } else if challenge.len() == OLD_NONCE {
                    self.key.md5(&[challenge]).into_bytes()
                } else {
                    return Err(
                        HandshakeError::Protocol("it asks for a digest other than sha256 and md5").into()
                    );
                };
                self.state = State::Answered;
                Ok(Reply { frames: vec![answer], is_done: false })
            }
            State::Answered if frame == WELCOME && self.is_listener => {
                Ok(Reply { frames: Vec::new(), is_done: true })
            }
            State::Answered if frame == WELCOME => {
                self.state = State::Challenged;
                Ok(Reply { frames: vec![[CHALLENGE, &self.challenge()].concat()], is_done: false })
            }
            State::Answered if frame == FAILURE => Err(HandshakeError::WrongKey.into()),
            State::Answered => Err(HandshakeError::Protocol("it answered neither yes nor no").into()),
        }
    }
}
