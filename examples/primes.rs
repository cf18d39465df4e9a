//! Six numbers by trial division: the example of Python's `ProcessPoolExecutor`.

use aioprocessing::ProcessPoolExecutor;

const PRIMES: [u64; 6] =
    [112272535095293, 112582705942171, 112272535095293, 115280095190773, 115797848077099, 1099726899285419];

fn is_prime(n: u64) -> bool {
    if n < 2 {
        return false;
    }
    if n.is_multiple_of(2) {
        return n == 2;
    }
    (3..=n.isqrt()).step_by(2).all(|i| !n.is_multiple_of(i))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let executor = ProcessPoolExecutor::new(aioprocessing::cpu_count())?;
    for (number, prime) in PRIMES.into_iter().zip(executor.map(is_prime, PRIMES)) {
        println!("{number} {}", prime?);
    }
    executor.shutdown(true, false)?;
    Ok(())
}
