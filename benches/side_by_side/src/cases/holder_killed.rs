use super::Case;
use crate::place::Mode;

pub const KILLS_FOR_P50: usize = 60;
pub const KILLS_FOR_P99: usize = 100;

/// The next owner is asleep when the holder is killed.
const fn case(name: &'static str, about: &'static str) -> Case {
    let (payloads, modes): (&[usize], &[Mode]) = (&[0], &[Mode::Free]);
    Case { name, about, metric: "latency", unit: "ms", is_more_better: false, payloads, modes, seconds: 0.0 }
}

pub const P50: Case =
    case("holder_killed_p50", "from killing the holder of a lock to the next owner, the median of 60 kills");
pub const P99: Case = case(
    "holder_killed_p99",
    "from killing the holder of a lock to the next owner, the second slowest of 100 kills",
);
