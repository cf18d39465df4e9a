//! How often the out-of-memory killer has killed.

/// The count of `/proc/vmstat`, of the whole system, limits of containers included. `None` where it can't be read.
pub(crate) fn kills() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/vmstat").ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}
