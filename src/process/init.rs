//! Where a process finds out whether it is a child.

use std::sync::atomic::{AtomicU8, Ordering};

use super::{child, launch};
use crate::sys::{inherit, signal};

/// Not asked yet.
const NEW: u8 = 0;
/// It is being found out.
const ASKED: u8 = 1;
/// This process may have children.
const PASSED: u8 = 2;

static STATE: AtomicU8 = AtomicU8::new(NEW);

/// Lets this program have child processes. The first line of `main`.
///
/// In a process that was started by [`AioProcess::spawn`](crate::AioProcess::spawn) this runs the function and ends the process; in
/// any other it returns at once, and so does every later call. What stands before it in `main` runs in each child too. It is right
/// inside of `#[tokio::main]` as well: the function then runs on a thread of its own. In test programs, whose `main`
/// is not theirs, [`test_support!`](crate::test_support) takes its place.
///
/// Python: `multiprocessing.freeze_support()`, and what stands behind `if __name__ == "__main__"`.
///
/// # Examples
///
/// ```
/// fn main() {
///     aioprocessing::init();
///     let child = aioprocessing::AioProcess::spawn(|x: u64| x + 1, (1,)).unwrap();
///     assert_eq!(child.join().unwrap(), 2);
/// }
/// ```
#[allow(clippy::needless_doctest_main, reason = "where it stands in main is the point")]
#[doc(alias = "freeze_support")]
pub fn init() {
    if STATE.compare_exchange(NEW, ASKED, Ordering::AcqRel, Ordering::Acquire).is_err() {
        return;
    }
    match launch::inherited().and_then(|(number, inode, parent)| inherit::take(number, inode, parent)) {
        Some(socket) => child::attend(socket),
        None => allow_children(),
    }
}

/// As [`init`], before std has begun.
#[doc(hidden)]
pub fn init_before_main() {
    // std does this before `main`, which a child never reaches.
    signal::ignore_pipe();
    init();
}

/// From here on this process may spawn.
pub(super) fn allow_children() {
    STATE.store(PASSED, Ordering::Release);
}

pub(super) fn may_have_children() -> bool {
    STATE.load(Ordering::Acquire) == PASSED
}

/// Lets the tests of this program spawn processes. Once per test program, outside of any function.
///
/// It does before `main` what [`init`](crate::init) does in its first line: `main` belongs to the test harness. Works
/// with `cargo test`, with nextest, and in a crate that forbids unsafe code.
///
/// # Examples
///
/// ```no_run
/// aioprocessing::test_support!();
///
/// #[test]
/// fn adds() {
///     let child = aioprocessing::AioProcess::spawn(|a: u8, b: u8| a + b, (1, 2)).unwrap();
///     assert_eq!(child.join().unwrap(), 3);
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! test_support {
    () => {
        const _: () = {
            extern "C" fn start() {
                $crate::init_before_main();
            }

            #[used]
            #[unsafe(link_section = ".init_array")]
            static START: extern "C" fn() = start;
        };
    };
}
