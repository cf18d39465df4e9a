//! The first lines of Python's `multiprocessing` documentation: `Pool(5).map(f, [1, 2, 3])`.

use aioprocessing::AioPool;

fn square(x: u64) -> u64 {
    x * x
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let pool = AioPool::new(5)?;
    println!("{:?}", pool.map(square, [1, 2, 3])?);
    Ok(())
}
