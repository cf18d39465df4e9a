//! tokio in a child.

use super::function::Ran;
use super::message::Failure;

/// Runs a future on a current-thread runtime of its own.
pub(super) fn run(future: impl Future<Output = Ran>) -> Ran {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        Failure::Setting("tokio runtime".to_owned(), error.raw_os_error().unwrap_or(libc::EIO))
    })?;
    let ran = runtime.block_on(future);
    // The process is about to end: nothing that still blocks there is waited for.
    runtime.shutdown_background();
    ran
}

/// Whether a runtime drives this thread, which can't drive another.
pub(super) fn is_here() -> bool {
    tokio::runtime::Handle::try_current().is_ok()
}
