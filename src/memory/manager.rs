use parking_lot::Mutex;

use super::error::CreateMemoryError;
use super::handle::SharedMemory;
use super::item::ShareableItem;
use super::list::ShareableList;
use super::list_error::CreateListError;

/// Creates blocks and lists, and unlinks all of them at its end: Python's `multiprocessing.managers.SharedMemoryManager`.
///
/// Python's is a server process of its own. This one needs none: the names go when it is dropped or
/// [shut down](Self::shutdown), and with its process at the latest, by the tracker of [`SharedMemory`].
///
/// # If a process dies
///
/// What holds for each [block](SharedMemory).
///
/// # Examples
///
/// ```
/// use aioprocessing::{AioProcess, ShareableItem, ShareableList, SharedMemoryManager};
///
/// fn sum(list: ShareableList, from: usize, to: usize) -> i64 {
///     list.iter().take(to).skip(from).filter_map(|item| item.unwrap().as_int()).sum()
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     aioprocessing::init();
///     let manager = SharedMemoryManager::new();
///     let list = manager.list(0..2000)?;
///     let half = AioProcess::spawn(sum, (list.clone(), 0, 1000))?;
///     assert_eq!(half.join()? + sum(list, 1000, 2000), 1_999_000);
///     Ok(())
/// }
/// ```
#[derive(Debug, Default)]
pub struct SharedMemoryManager {
    created: Mutex<Vec<SharedMemory>>,
}

impl SharedMemoryManager {
    /// One that has created nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a block, as [`SharedMemory::create_anonymous`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn memory(&self, size: usize) -> Result<SharedMemory, CreateMemoryError> {
        let memory = SharedMemory::create_anonymous(size)?;
        self.created.lock().push(memory.clone());
        Ok(memory)
    }

    /// Creates a list, as [`ShareableList::new`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn list<T: Into<ShareableItem>>(
        &self,
        items: impl IntoIterator<Item = T>,
    ) -> Result<ShareableList, CreateListError> {
        let list = ShareableList::new(items)?;
        self.created.lock().push(list.memory().clone());
        Ok(list)
    }

    /// Unlinks all that it has created. Views of it stay as they are. It may go on creating.
    pub fn shutdown(&self) {
        let created = std::mem::take(&mut *self.created.lock());
        for memory in created {
            // Somebody else may have done it, and what is another's by now is not to go.
            let _ = memory.unlink();
        }
    }
}

impl Drop for SharedMemoryManager {
    fn drop(&mut self) {
        self.shutdown();
    }
}
