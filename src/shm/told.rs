//! What a region tells of its tenants, with feature `tracing`; nothing without it.

use super::{Owner, Region};

impl Region {
    /// What `from` held when it died was taken over. Its name may be gone with it.
    pub(super) fn tell_of_a_takeover(&self, _from: Owner, _object: &str) {
        #[cfg(feature = "tracing")]
        {
            let from = self.tenant(_from);
            let (pid, name) = from.map_or((0, String::new()), |from| (from.pid, from.name));
            crate::trace::taken_over(pid, &name, _object, self.id().1);
        }
    }

    /// An item came to this process that had been delivered before.
    pub(crate) fn tell_of_a_redelivery(&self, _object: &str, _attempt: u16) {
        #[cfg(feature = "tracing")]
        if let Some(me) = self.tenant(self.me()) {
            crate::trace::delivered_again(me.pid, &me.name, _object, self.id().1, _attempt);
        }
    }

    /// This process goes on waiting, after the first bounded sleep.
    pub(crate) fn tell_of_a_long_wait(&self) {
        #[cfg(feature = "tracing")]
        if let Some(me) = self.tenant(self.me()) {
            crate::trace::waits_long(me.pid, &me.name, "shared memory", self.id().1);
        }
    }
}
