//! How often the out-of-memory killer has killed.

/// The count of `/proc/vmstat`, of the whole system, limits of containers included. `None` where it can't be read.
fn kills() -> Option<u64> {
    count(&std::fs::read_to_string("/proc/vmstat").ok()?)
}

fn count(vmstat: &str) -> Option<u64> {
    vmstat.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

/// Tells whether there was a kill since the last look.
#[derive(Debug)]
pub(crate) struct Watch {
    kills: fn() -> Option<u64>,
    seen: Option<u64>,
}

impl Watch {
    pub(crate) fn begin() -> Self {
        Self { kills, seen: kills() }
    }

    pub(crate) fn was_there_a_kill(&mut self) -> bool {
        let now = (self.kills)();
        let before = std::mem::replace(&mut self.seen, now);
        before.is_some() && now > before
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn the_kernel_s_line_is_found_and_no_other() {
        assert_eq!(count("pgpgin 12\noom_kill 34\noom_kill_x 5\n"), Some(34));
        assert_eq!(count("oom_killer 7\n"), None);
        assert_eq!(count("oom_kill many\n"), None);
        assert_eq!(count(""), None);
    }

    thread_local! {
        static REPORT: Cell<Option<u64>> = const { Cell::new(None) };
    }

    #[test]
    fn a_kill_is_told_of_once_and_only_if_the_count_before_is_known() {
        let mut watch = Watch { kills: || REPORT.get(), seen: Some(3) };
        let mut after = |report| {
            REPORT.set(report);
            watch.was_there_a_kill()
        };
        assert_eq!(
            [Some(3), Some(4), Some(4), Some(6), None, Some(7), Some(7)].map(&mut after),
            [false, true, false, true, false, false, false]
        );
    }
}
