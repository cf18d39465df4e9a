//! A reload: one place after the other gets a new worker, and the one before it leaves when that accepts.

use super::Master;

impl Master {
    /// The successor accepts: now the one before it may leave.
    pub(super) fn succeed(&mut self, index: usize, killing: u64) {
        let place = &mut self.places[index];
        let before = std::mem::replace(&mut place.current, place.next.take());
        if let Some(mut before) = before {
            before.leave(false, killing);
            self.leaving.push(before);
        }
        self.reload = Some(index + 1);
    }

    pub(super) fn go_on_reloading(&mut self, now: u64) {
        if self.reload.is_none() && std::mem::take(&mut self.is_reload_asked) {
            self.reload = Some(0);
        }
        while let Some(index) = self.reload {
            let Some(place) = self.places.get(index) else {
                // All are new. Asked again meanwhile, it begins anew.
                self.reload = std::mem::take(&mut self.is_reload_asked).then_some(0);
                continue;
            };
            if place.next.is_some() {
                return;
            }
            // A place without a worker gets a new one anyway.
            if place.current.is_some() {
                match self.begin(index, now) {
                    Ok(hand) => {
                        self.places[index].next = Some(hand);
                        return;
                    }
                    Err(error) => {
                        self.fail(Some(error.to_string()));
                        self.reload = None;
                        return;
                    }
                }
            }
            self.reload = Some(index + 1);
        }
    }
}
