//! A child sets a number and turns the signs of an array: the shared memory example of Python's multiprocessing.

use aioprocessing::{AioArray, AioProcess, AioValue};

fn f(number: AioValue<f64>, array: AioArray<i32>) {
    number.set(2.5);
    for element in array.lock().unwrap().iter_mut() {
        *element = -*element;
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let number = AioValue::new(0.0)?;
    let array = AioArray::from_slice(&(0..10).collect::<Vec<i32>>())?;

    let child: AioProcess<()> = AioProcess::spawn(f, (number.clone(), array.clone()))?;
    child.join()?;

    println!("{}", number.get());
    println!("{:?}", &array.lock()?[..]);
    Ok(())
}
