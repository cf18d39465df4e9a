use super::*;
use crate::shm::InPlace;
use crate::shm::atomic::AtomicU64;
use crate::shm::owner::SLOTS;
use crate::shm::shared;

shared! {
    struct Thing[8] {
        word: AtomicU64,
    }
}

impl Object for Thing {
    const KIND: u32 = u32::MAX;
}

fn region(bells: usize) -> (Arc<Region>, u64) {
    let mut plan = Plan::new(bells);
    let offset = plan.place::<Thing>(1);
    // Mapped, and not in the file yet.
    plan.room(1 << 20);
    (plan.create().unwrap(), offset)
}

#[test]
fn a_directory_that_points_behind_the_file_is_refused() {
    let (region, offset) = region(1);
    assert!(region.object::<Thing>(offset).is_ok());
    let behind = region.map.length() as u64 - 4096;
    region.header().directory[0].offset.store(behind, Ordering::Relaxed);
    // To touch it would be SIGBUS.
    assert!(region.object::<Thing>(behind).is_err());
}

#[test]
fn data_that_a_scribbled_directory_puts_askew_is_refused() {
    let mut plan = Plan::new(1);
    let offset = InPlace::<u128>::plan(&mut plan, 16).unwrap();
    let region = plan.create().unwrap();
    InPlace::<u128>::create(&region, offset, 16).unwrap();
    region.header().directory[0].offset.store(offset + 8, Ordering::Relaxed);
    assert!(InPlace::<u128>::open(&region, offset + 8).is_err());
}

/// What another process would make of it, which does not map it yet.
fn attach(region: &Region, bells: usize) -> Result<Arc<Region>, AttachError> {
    let mut descriptors = region.descriptors().unwrap();
    descriptors.truncate(1 + bells);
    REGIONS.lock().as_mut().unwrap().remove(&region.id);
    Region::attach(descriptors)
}

#[test]
fn a_region_has_a_bell_for_whatever_is_made_of_it() {
    let (region, _) = region(1);
    assert!(std::ptr::eq(region.bell(7), region.bell(0)));
    region.header().bells.store(0, Ordering::Relaxed);
    assert!(matches!(attach(&region, 0), Err(AttachError::NotARegion(_))));
}

#[test]
fn a_holder_that_died_unseen_is_told_of_when_its_slot_is_taken() {
    let (region, _) = region(1);
    let (gone, others) = (memfd::reopen(region.fd()).unwrap(), memfd::reopen(region.fd()).unwrap());
    assert!(slot_at(&region.map, 1).claim(&gone, 1, "gone", 0).unwrap().is_some());
    region.header().slots_used.store(2, Ordering::Relaxed);
    // The kernel frees its byte, and nobody looks.
    drop(gone);
    for byte in 2..SLOTS {
        assert!(crate::sys::ofd::try_lock(&others, u64::from(byte)).unwrap());
    }
    let before = region.deaths();
    assert_eq!(attach(&region, 1).unwrap().me().slot(), 1);
    assert_ne!(region.deaths(), before, "those who wait for what it held must look again");
}
