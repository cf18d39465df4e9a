//! Blocks and lists in shared memory: the examples of Python's `multiprocessing.shared_memory`.

use aioprocessing::{AioProcess, ShareableItem, ShareableList, SharedMemory, SharedMemoryManager};

fn sum(list: ShareableList, from: usize, to: usize) -> i64 {
    (from..to).map(|index| list.get(index).unwrap().as_int().unwrap()).sum()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    // Two handles on one block. Any program of this user may attach to it by its name, Python's included.
    let one = SharedMemory::create_anonymous(10)?;
    let other = SharedMemory::open(one.name())?;
    one.copy_in(0, &[22, 33, 44, 55])?;
    other.set(4, 100_u8)?;
    let mut bytes = [0; 5];
    one.copy_out(0, &mut bytes)?;
    println!("{bytes:?}");
    one.unlink()?;
    println!("unlinked twice: {}", one.unlink().is_err());

    // A list whose halves are summed by two processes. The manager unlinks it at the end.
    let manager = SharedMemoryManager::new();
    let numbers = manager.list(0..2000)?;
    let lower = AioProcess::spawn(sum, (numbers.clone(), 0, 1000))?;
    let upper = AioProcess::spawn(sum, (numbers, 1000, 2000))?;
    println!("{} + {}", lower.join()?, upper.join()?);

    // Items may change their type, and not the room that they have.
    let list = manager.list(["howdy".into(), (-273.154).into(), true.into(), ShareableItem::None])?;
    list.set(1, "grüezi!")?;
    list.set(3, 7)?;
    println!("{} of {} items: {}", list.count(7)?, list.len(), list.format());
    println!("{}", list.set(0, "too long for it").unwrap_err());
    for item in &list {
        println!("{}", item?);
    }
    Ok(())
}
