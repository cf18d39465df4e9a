//! On which CPU a process runs.

/// Where the two sides of a case run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// On different CPUs.
    Cross,
    /// Both on one.
    Same,
    /// Wherever the system puts them.
    Free,
}

impl Mode {
    pub const ALL: [Self; 3] = [Self::Cross, Self::Same, Self::Free];

    pub fn name(self) -> &'static str {
        match self {
            Self::Cross => "cross",
            Self::Same => "same",
            Self::Free => "free",
        }
    }

    pub fn of(name: &str) -> Self {
        Self::ALL.into_iter().find(|mode| mode.name() == name).expect("a mode")
    }

    /// Puts the calling process in its place: the one that measures is on the first side.
    pub fn take_place(self, is_first: bool) {
        match self {
            Self::Cross => pin(usize::from(!is_first)),
            Self::Same => pin(0),
            Self::Free => {}
        }
    }
}

/// As `cross` needs.
pub fn has_two_cpus() -> bool {
    std::thread::available_parallelism().is_ok_and(|count| count.get() > 1)
}

fn pin(cpu: usize) {
    // SAFETY: a set of CPUs is plain bits, for which zero is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the number is below the 1,024 that a set holds.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the set is valid for the call.
    let done = unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) };
    assert_eq!(done, 0, "cannot pin to CPU {cpu}");
}
