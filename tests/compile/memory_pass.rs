use aioprocessing::SharedMemory;

fn main() {
    aioprocessing::init();
    let memory = SharedMemory::create_anonymous(1).unwrap();
    let view = memory.bytes();
    assert_eq!(view.len(), 1);
    memory.unlink().unwrap();
    drop(memory);
}
