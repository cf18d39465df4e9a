//! Values with locks of their own, and an array of structs: Python's `with value.get_lock(): value.value += 1`.

use aioprocessing::{AioArray, AioProcess, AioValue, plain};

plain! {
    #[derive(Debug, PartialEq)]
    struct Point { x: f64, y: f64 }
}

fn modify(count: AioValue<u64>, total: AioValue<f64>, points: AioArray<Point>) {
    for _ in 0..1000 {
        // Read and written under the lock: no addition is lost.
        count.with_lock(|count| *count += 1).unwrap();
        // The same in one step, without a lock.
        total.fetch_add(0.5);
    }
    for point in points.lock().unwrap().iter_mut() {
        *point = Point { x: point.x * point.x, y: point.y * point.y };
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let (count, total) = (AioValue::new(0)?, AioValue::new(0.0)?);
    let points = AioArray::from_slice(&[Point { x: 1.5, y: -2.0 }, Point { x: 3.0, y: 0.5 }])?;

    let children: Vec<AioProcess<()>> = (0..2)
        .map(|_| AioProcess::spawn(modify, (count.clone(), total.clone(), points.clone())))
        .collect::<Result<_, _>>()?;
    for child in &children {
        child.join()?;
    }

    println!("{} {}", count.get(), total.get());
    for point in points.lock()?.iter() {
        println!("{point:?}");
    }
    Ok(())
}
