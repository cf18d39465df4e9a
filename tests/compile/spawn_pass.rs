#![forbid(unsafe_code)]

use aioprocessing::AioProcess;

aioprocessing::test_support!();

fn twice(x: u64) -> u64 {
    2 * x
}

fn main() {
    aioprocessing::init();
    assert_eq!(AioProcess::spawn(twice, (21,)).unwrap().join().unwrap(), 42);
    assert_eq!(AioProcess::spawn(|x: u64| twice(x), (21,)).unwrap().join().unwrap(), 42);
    assert_eq!(AioProcess::spawn_async(async |x: u64| twice(x), (21,)).unwrap().join().unwrap(), 42);
}
