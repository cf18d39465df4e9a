use aioprocessing::AioProcess;

fn main() {
    let captured = 7_u64;
    let _ = AioProcess::spawn(move |x: u64| x + captured, (1,));
}
