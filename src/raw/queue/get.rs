//! Getting.

use std::os::fd::OwnedFd;

use super::cursor::Cursor;
use super::record::Flags;
use super::take::{NotWon, Rest, WonMany};
use super::{GETTERS, Patience, Queue, until_counted};
use crate::shm::atomic::Ordering;
use crate::wait::{Look, ParkUntil, Step, Waiter, blocking, until};

/// A message on its way out of a queue. It is filled where it stands: what was written just now in parts, and is then moved as a whole,
/// is what the CPU has to wait for.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) bytes: Vec<u8>,
    pub(crate) flags: Flags,
    /// What few of them have.
    pub(super) rest: Option<Box<Rest>>,
}

impl Incoming {
    /// None yet; its bytes will stand in `bytes`.
    #[inline]
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, flags: Flags::ENCODED, rest: None }
    }

    /// What travelled with it, for the one who asks first.
    pub(crate) fn take_luggage(&mut self) -> Vec<OwnedFd> {
        self.rest.take().map_or_else(Vec::new, |rest| rest.luggage)
    }
}

/// Where the messages of a batch go.
pub(crate) trait Basket: Send {
    /// So many come now, if nothing is wrong with them.
    fn expect(&mut self, count: usize);
    /// Where the bytes of the next are to be appended. This and the next one are called under the get lock: nothing that a program
    /// wrote may run in them.
    fn bytes(&mut self) -> &mut Vec<u8>;
    /// They are there, and so many.
    fn add(&mut self, flags: Flags, length: usize);
    /// One with more to it than its bytes.
    fn add_lone(&mut self, message: Incoming);
}

/// Why nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// Closed, and nothing is left.
    Closed,
    /// Nothing there now; only where the caller would not wait.
    Empty,
    /// Descriptors travel with the next message, and this process has no room for them. It waits.
    NoDescriptors,
    /// What stands in shared memory can't be true; nothing was changed.
    Corrupt,
}

impl Queue {
    /// Takes a message. Dropped before it is done, it has taken nothing.
    pub(crate) async fn get<W: Waiter>(
        &self,
        waiter: &mut W,
        into: &mut Incoming,
        patience: Patience,
    ) -> Result<Result<(), NotTaken>, W::GaveUp> {
        let attempt = |look| self.attempt_get(look, into, patience);
        let (won, came_at_once) = until_counted(waiter, &self.words.get.waits, attempt).await?;
        Ok(won.and_then(|more| {
            if !came_at_once {
                self.words.get.ease.learn(more);
            }
            self.finish(into)
        }))
    }

    /// The first attempt of a [`get`](Self::get), without what a wait needs. `None`: it may have to wait.
    #[inline]
    pub(crate) fn get_at_once(
        &self,
        into: &mut Incoming,
        patience: Patience,
    ) -> Option<Result<(), NotTaken>> {
        match self.attempt_get(Look::Glance, into, patience) {
            Step::Done(won) => Some(won.and_then(|_| self.finish(into))),
            Step::Wait(_) => None,
        }
    }

    /// Waits until a get would not have to wait for an item. It takes none: a wake-up that was meant for an item is passed on.
    pub(crate) async fn until_there<W: Waiter>(&self, waiter: &mut W) -> Result<(), W::GaveUp> {
        until(waiter, |look| {
            self.mark_receiver();
            let (head, tail) = (self.words.head(), self.words.tail());
            let has_no_senders = || look.is_thorough() && self.close_after_senders();
            let is_closed = || tail.is_closed() || self.words.is_ended() || has_no_senders();
            if head.number() == tail.number() && !is_closed() {
                return self.wait_for_items();
            }
            if look.is_listed() {
                self.items().notify_one();
            }
            Step::Done(())
        })
        .await
    }

    /// Takes a message now or never.
    pub(crate) fn try_get(&self, into: &mut Incoming) -> Result<(), NotTaken> {
        if let Some(done) = self.get_at_once(into, Patience::Tries) {
            return done;
        }
        let mut waiter = ParkUntil::new(Self::grace());
        blocking(self.get(&mut waiter, into, Patience::Tries)).unwrap_or(Err(NotTaken::Empty))
    }

    /// Takes what is there, up to `most` messages, and waits for one. Dropped before it is done, it has taken nothing, and the basket
    /// is as it was. In an error, the basket may hold what came before it.
    pub(crate) async fn get_batch<W: Waiter>(
        &self,
        waiter: &mut W,
        most: usize,
        basket: &mut impl Basket,
        patience: Patience,
    ) -> Result<Result<(), NotTaken>, W::GaveUp> {
        let attempt = |look| self.attempt_get_many(look, most, basket, patience);
        let (won, came_at_once) = until_counted(waiter, &self.words.get.waits, attempt).await?;
        Ok(won.and_then(|won| {
            if !came_at_once {
                self.words.get.ease.learn(won.count > 1 || won.more);
            }
            self.finish_batch(won, most, basket)
        }))
    }

    /// The first attempt of a [`get_batch`](Self::get_batch), without what a wait needs. `None`: it may have to wait.
    pub(crate) fn get_batch_at_once(
        &self,
        most: usize,
        basket: &mut impl Basket,
        patience: Patience,
    ) -> Option<Result<(), NotTaken>> {
        match self.attempt_get_many(Look::Glance, most, basket, patience) {
            Step::Done(won) => Some(won.and_then(|won| self.finish_batch(won, most, basket))),
            Step::Wait(_) => None,
        }
    }

    /// What is left to do without the lock, and as many more as can be had at once: a message that has more to it than its bytes ends
    /// what one step takes.
    fn finish_batch(&self, mut won: WonMany, most: usize, basket: &mut impl Basket) -> Result<(), NotTaken> {
        let mut count = 0;
        loop {
            count += won.count;
            let more = won.more;
            self.finish_many(won, basket)?;
            if !more || count >= most {
                return Ok(());
            }
            match self.attempt_get_many(Look::Glance, most - count, basket, Patience::Waits) {
                Step::Done(Ok(next)) => won = next,
                // Whatever it is, the next get is told.
                _ => return Ok(()),
            }
        }
    }

    /// Gives whether there is more.
    #[inline]
    fn attempt_get<'a>(
        &'a self,
        look: Look,
        into: &mut Incoming,
        patience: Patience,
    ) -> Step<'a, Result<bool, NotTaken>> {
        self.attempt_with(look, patience, || self.win(into).map(|more| (more, 1, more)))
    }

    fn attempt_get_many<'a>(
        &'a self,
        look: Look,
        most: usize,
        basket: &mut impl Basket,
        patience: Patience,
    ) -> Step<'a, Result<WonMany, NotTaken>> {
        self.attempt_with(look, patience, || {
            let won = self.win_many(most, basket)?;
            let (count, more) = (won.count, won.more);
            Ok((won, count, more))
        })
    }

    /// One attempt: `win` takes, under the get lock, and says how many, and whether there is more.
    #[inline]
    fn attempt_with<'a, R>(
        &'a self,
        look: Look,
        patience: Patience,
        win: impl FnOnce() -> Result<(R, usize, bool), NotWon>,
    ) -> Step<'a, Result<R, NotTaken>> {
        let side = &self.words.get;
        if self.words.is_ended() {
            return Step::Done(Err(NotTaken::Closed));
        }
        self.mark_receiver();
        let looks_around = look.is_thorough() || patience == Patience::Tries;
        let empty = || {
            if self.is_over(looks_around) {
                Step::Done(Err(NotTaken::Closed))
            } else if patience == Patience::Tries {
                Step::Done(Err(NotTaken::Empty))
            } else {
                self.wait_for_items()
            }
        };
        // By plain loads first, the head before the tail: if they are equal the queue was empty.
        let head = self.words.head();
        let seen = Cursor(side.tail_seen.load(Ordering::Relaxed));
        if head.number() == seen.number() && head.number() == self.words.tail().number() {
            return empty();
        }
        if let Step::Wait(spot) = side.lock.attempt(look, self.party(GETTERS)) {
            return Step::Wait(spot);
        }
        let won = {
            let _held = self.hold(&side.lock, GETTERS);
            win()
        };
        match won {
            Ok((won, count, more)) => {
                if self.max_items > 0 {
                    for _ in 0..count {
                        // Behind the release of the lock.
                        if !self.space().notify_one_behind_a_change() {
                            break;
                        }
                    }
                }
                if more && look.is_listed() {
                    // The wake-up that came to us may have stood for more than one item.
                    self.items().notify_one();
                }
                Step::Done(Ok(won))
            }
            Err(NotWon::Empty) => empty(),
            Err(NotWon::NoDescriptors) => {
                // Somebody else may have room for it.
                self.items().notify_one();
                Step::Done(Err(NotTaken::NoDescriptors))
            }
            Err(NotWon::Corrupt) => Step::Done(Err(NotTaken::Corrupt)),
        }
    }
}
