use aioprocessing::AioProcess;

fn one() -> u64 {
    1
}

fn main() {
    let pointer: fn() -> u64 = one;
    let _ = AioProcess::builder().spawn(pointer, ());
}
