use aioprocessing::SharedMemory;

fn main() {
    let memory = SharedMemory::open("block").unwrap();
    let view = memory.bytes();
    drop(memory);
    println!("{view:?}");
}
