//! The rest of Python's custom manager demo: a module of functions as an object in a manager, and a generator behind a proxy
//! of its own, which an object of the manager hands out.

use aioprocessing::{AioManager, manager_object};

struct Operator;

impl Operator {
    fn pow(&self, a: u64, b: u32) -> Option<u64> {
        a.checked_pow(b)
    }
    fn squares(&self, n: u64) -> Option<SquaresProxy> {
        SquaresProxy::keep(Squares(0..n)).ok()
    }
}

struct Squares(std::ops::Range<u64>);

impl Squares {
    fn next(&mut self) -> Option<u64> {
        self.0.next().map(|i| i * i)
    }
}

manager_object! { proxy SquaresProxy for Squares { fn next, coro_next(&self) -> Option<u64>; } }
manager_object! { proxy OperatorProxy for Operator {
    fn pow, coro_pow(&self, a: u64, b: u32) -> Option<u64>;
    fn squares, coro_squares(&self, n: u64) -> Option<SquaresProxy>;
} }

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let manager = AioManager::start()?;
    let operator = OperatorProxy::create(&manager, || Operator, ())?;
    println!("{:?} {:?}", operator.pow(2, 94)?, operator.pow(2, 10)?);
    let squares = operator.squares(5)?.ok_or("the manager keeps no more")?;
    std::iter::from_fn(|| squares.next().ok()?).for_each(|square| println!("<{square}>"));
    Ok(manager.shutdown()?)
}
