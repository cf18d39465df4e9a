use aioprocessing::SharedMemory;

fn main() {
    let memory = SharedMemory::open("block").unwrap();
    let _: Result<bool, _> = memory.get(0);
}
