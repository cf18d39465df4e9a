use aioprocessing::AioProcess;

fn twice(x: u64) -> u64 {
    2 * x
}

fn main() {
    let _ = AioProcess::spawn(twice, 21);
}
