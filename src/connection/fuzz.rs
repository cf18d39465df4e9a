//! Greetings that nobody of either protocol sent, and some that somebody changed on the way: errors, and never a connection.
//!
//! `AIOPROCESSING_FUZZ_SECONDS=600 cargo test --lib fuzz` goes on for as long as one likes; each round prints the seed that
//! repeats it, by `AIOPROCESSING_FUZZ_SEED`.

use std::io::Write;
use std::os::unix::net::UnixStream;

use rustix::process::{getegid, geteuid, getpid};

use super::exchange::{Exchange, Reply, Talk};
use super::{AuthKey, HandshakeError, ours, python};
use crate::PeerCredentials;
use crate::wire::dice::{Dice, rounds};

fn this_process() -> PeerCredentials {
    let pid = getpid().as_raw_nonzero().get().cast_unsigned();
    PeerCredentials { pid, uid: geteuid().as_raw(), gid: getegid().as_raw() }
}

fn ours(dice: &mut Dice, listener: &AuthKey, client: &AuthKey, seen: [PeerCredentials; 2]) -> [Talk; 2] {
    let endpoint = b"unix:/x".to_vec();
    let theirs = ours::Talk::of_client(client.clone(), endpoint.clone(), seen[1], dice.fill());
    [
        Talk::Ours(ours::Talk::of_listener(listener.clone(), endpoint, seen[0], None, dice.fill())),
        Talk::Ours(theirs),
    ]
}

fn pythons(dice: &mut Dice, listener: &AuthKey, client: &AuthKey) -> [Talk; 2] {
    [(listener, true), (client, false)]
        .map(|(key, is_listener)| Talk::Python(python::Talk::new(key.clone(), is_listener, dice.fill())))
}

/// Lets the two talk, with `meddle` in between; which of them came to a good end.
fn talk(
    mut sides: [Talk; 2],
    mut meddle: impl FnMut(usize, &mut Vec<u8>),
) -> [Result<(), HandshakeError>; 2] {
    let mut ends = [const { None }; 2];
    let mut queue = std::collections::VecDeque::new();
    let say = |from: usize, reply: Reply, queue: &mut std::collections::VecDeque<(usize, Vec<u8>)>| {
        queue.extend(reply.frames.into_iter().map(|frame| (from, frame)));
        reply.is_done
    };
    for (from, side) in sides.iter_mut().enumerate() {
        if say(from, side.begin(), &mut queue) {
            ends[from] = Some(Ok(()));
        }
    }
    let mut count = 0;
    while let Some((from, mut frame)) = queue.pop_front() {
        let to = 1 - from;
        if ends[to].is_some() {
            continue;
        }
        meddle(count, &mut frame);
        count += 1;
        match sides[to].hear(&frame) {
            Ok(reply) => {
                if say(to, reply, &mut queue) {
                    ends[to] = Some(Ok(()));
                }
            }
            Err(failure) => {
                queue.extend(failure.last.map(|last| (to, last)));
                ends[to] = Some(Err(failure.error));
            }
        }
    }
    ends.map(|end| end.unwrap_or(Err(HandshakeError::Left)))
}

#[test]
fn good_greetings() {
    rounds(|dice| {
        let (key, seen) = (AuthKey::new(dice.bytes(80)), [this_process(); 2]);
        let none = AuthKey::none();
        let good = [
            ours(dice, &key, &key, seen),
            ours(dice, &key, &key, [PeerCredentials::UNKNOWN; 2]),
            ours(dice, &none, &none, seen),
            pythons(dice, &key, &key),
            pythons(dice, &none, &none),
        ];
        for sides in good {
            let ends = talk(sides, |_, _| ());
            assert!(ends.iter().all(Result::is_ok), "{ends:?}");
        }
    });
}

#[test]
fn bad_greetings() {
    rounds(|dice| {
        let (key, other, none) = (AuthKey::from(b"key"), AuthKey::from(b"other"), AuthKey::none());
        let (us, unknown) = (this_process(), PeerCredentials::UNKNOWN);
        let wrong = |ends: [Result<(), HandshakeError>; 2]| {
            for end in ends {
                assert!(end.as_ref().is_err_and(HandshakeError::is_authentication), "{end:?}");
            }
        };
        wrong(talk(ours(dice, &key, &other, [us; 2]), |_, _| ()));
        wrong(talk(pythons(dice, &key, &other), |_, _| ()).map(|end| match end {
            // Who was told no has told the other nothing.
            Err(HandshakeError::Left) => Err(HandshakeError::WrongKey),
            end => end,
        }));
        wrong(talk(ours(dice, &key, &none, [us; 2]), |_, _| ()));
        wrong(talk(ours(dice, &none, &key, [us; 2]), |_, _| ()));
        wrong(talk(ours(dice, &none, &none, [unknown; 2]), |_, _| ()));
        let stranger = PeerCredentials { uid: us.uid + 1, ..us };
        wrong(talk(ours(dice, &none, &none, [stranger, us]), |_, _| ()));
        // Whoever passes everything on is another process than the one that speaks.
        let between = PeerCredentials { pid: us.pid + 1, ..us };
        wrong(talk(ours(dice, &key, &key, [between, us]), |_, _| ()));
        let ends = talk(ours(dice, &key, &key, [us, between]), |_, _| ());
        assert!(matches!(ends, [Ok(()), Err(HandshakeError::Intruder)]), "{ends:?}");
    });
}

/// Whatever is changed in whichever frame, not both come to a good end; and who has changed nothing yet is not fooled.
#[test]
fn changed_greetings() {
    rounds(|dice| {
        let key = AuthKey::from(b"key");
        for is_python in [false, true] {
            let us = [this_process(); 2];
            let sides = if is_python { pythons(dice, &key, &key) } else { ours(dice, &key, &key, us) };
            let target = dice.below(if is_python { 6 } else { 3 });
            let mut is_changed = false;
            let ends = talk(sides, |count, frame| {
                if count == target {
                    is_changed = true;
                    match dice.below(4) {
                        0 => frame.truncate(dice.below(frame.len())),
                        1 => *frame = [&dice.fill::<4>()[..], &dice.bytes(300)].concat(),
                        2 => frame.extend(dice.fill::<1>()),
                        _ => {
                            let at = dice.below(frame.len());
                            frame[at] ^= 1 << dice.below(8);
                        }
                    }
                }
            });
            assert!(is_changed);
            assert!(ends.iter().any(Result::is_err), "{target} {ends:?}");
        }
    });
}

/// A proof that was sent is of no use a second time, nor to its own sender.
#[test]
fn used_greetings() {
    let (key, mut dice, us) = (AuthKey::from(b"key"), Dice(1), [this_process(); 2]);
    for is_python in [false, true] {
        let make =
            |dice: &mut Dice| if is_python { pythons(dice, &key, &key) } else { ours(dice, &key, &key, us) };
        let mut heard = Vec::new();
        let _ = talk(make(&mut dice), |_, frame| heard.push(frame.clone()));
        for used in &heard {
            for side in 0..2 {
                let mut sides = make(&mut dice);
                let begun = sides[side].begin();
                assert!(!begun.is_done);
                for frame in [used, used] {
                    assert!(!sides[side].hear(frame).is_ok_and(|reply| reply.is_done));
                }
                // Its own words back.
                let mut mirror = make(&mut dice).into_iter().nth(side).unwrap();
                let mut said = mirror.begin().frames;
                said.push(used.clone());
                while let Some(frame) = said.pop() {
                    match mirror.hear(&frame) {
                        Ok(reply) => {
                            assert!(!reply.is_done);
                            said.extend(reply.frames);
                        }
                        Err(_) => break,
                    }
                }
            }
        }
    }
}

/// On a socket: bytes in any portions, and whatever they are, an exchange ends with an error once they have ended.
#[test]
fn bytes_on_a_socket() {
    rounds(|dice| {
        let key = AuthKey::from(b"key");
        let (mut bare, socket) = UnixStream::pair().unwrap();
        let is_listener = dice.below(2) == 0;
        let us = [this_process(); 2];
        let sides = if dice.below(2) == 0 { pythons(dice, &key, &key) } else { ours(dice, &key, &key, us) };
        let side = sides.into_iter().nth(usize::from(!is_listener)).unwrap();
        let mut exchange = Exchange::new(socket.into(), side, is_listener, true);
        for _ in 0..dice.below(6) {
            if dice.below(2) == 0 {
                let length = u32::try_from(dice.below(300)).unwrap();
                let _ = bare.write_all(&length.to_be_bytes());
            }
            let _ = bare.write_all(&dice.bytes(200));
            if let Some(step) = exchange.step() {
                assert!(step.is_err());
                return;
            }
        }
        drop(bare);
        assert!(exchange.step().is_some_and(|step| step.is_err()));
    });
}
