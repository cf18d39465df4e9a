//! To and from the crate `shared_memory`.

use aioprocessing::{AioProcess, SharedMemory, ShmemError};
use shared_memory::{Shmem, ShmemConf};

aioprocessing::test_support!();

#[allow(unsafe_code, reason = "there is no other access to a Shmem")]
fn first(shmem: &Shmem) -> u8 {
    // SAFETY: mapped, and nobody writes at this moment.
    unsafe { shmem.as_ptr().read_volatile() }
}

#[test]
fn a_block_becomes_a_shmem_that_does_not_own_it() {
    let memory = SharedMemory::create_anonymous(5000).unwrap();
    memory.set(0, 7_u8).unwrap();
    let shmem = Shmem::try_from(&memory).unwrap();
    assert_eq!((first(&shmem), shmem.len(), shmem.is_owner()), (7, 5000, false));
    drop(shmem);
    assert!(memory.is_linked(), "its drop unlinks nothing");
    memory.unlink().unwrap();
    assert!(matches!(Shmem::try_from(&memory), Err(ShmemError::Unlinked { .. })));
}

#[test]
fn a_shmem_becomes_a_block_with_all_that_it_owned() {
    let shmem = ShmemConf::new().size(4096).create().unwrap();
    let attached = ShmemConf::new().os_id(shmem.get_os_id()).open().unwrap();
    let memory = SharedMemory::try_from(shmem).unwrap();
    assert!(memory.is_linked(), "the drop of what owned it unlinks nothing");
    memory.set(0, 9_u8).unwrap();
    assert_eq!(first(&attached), 9);
    let same = SharedMemory::try_from(attached).unwrap();
    assert_eq!((same.name(), same.size()), (memory.name(), 4096));
    same.unlink().unwrap();
    assert!(!memory.is_linked());
}

#[test]
fn what_was_adopted_goes_with_its_process() {
    fn adopt() -> String {
        let shmem = ShmemConf::new().size(10).create().unwrap();
        SharedMemory::try_from(shmem).unwrap().name().to_owned()
    }
    let name = AioProcess::spawn(adopt, ()).unwrap().join().unwrap();
    let begun = std::time::Instant::now();
    while SharedMemory::open(&name).is_ok() {
        assert!(begun.elapsed().as_secs() < 60);
        std::thread::yield_now();
    }
}

#[test]
fn a_name_that_is_anothers_by_now_is_seen() {
    let shmem = ShmemConf::new().size(10).create().unwrap();
    let name = shmem.get_os_id().to_owned();
    SharedMemory::open(&name).unwrap().unlink().unwrap();
    let other = SharedMemory::create(&name, 10).unwrap();
    assert!(matches!(SharedMemory::try_from(shmem), Err(ShmemError::Unlinked { .. })));
    assert!(other.is_linked());
    other.unlink().unwrap();
}
