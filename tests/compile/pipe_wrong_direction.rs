use aioprocessing::AioPipe;

fn main() {
    let (receiver, sender) = AioPipe::<u8>::simplex().unwrap();
    sender.send(&1).unwrap();
    receiver.send(&2).unwrap();
}
