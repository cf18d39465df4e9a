//! Python's custom manager demo: a class with its public methods, the same class with a chosen list of methods, a generator, and
//! a module of functions, all of them objects in a manager.

use aioprocessing::AioManager;

struct Foo;

impl Foo {
    fn f(&self) -> String {
        "you called Foo.f()".to_owned()
    }
    fn g(&self) -> String {
        "you called Foo.g()".to_owned()
    }
    fn _h(&self) -> String {
        "you called Foo._h()".to_owned()
    }
    fn squares(&self, n: u64) -> Result<SquaresProxy, String> {
        let all: Vec<u64> = (0..n).map(|i| i * i).collect();
        SquaresProxy::keep(Squares(all.into_iter())).map_err(|error| error.to_string())
    }
}

struct Squares(std::vec::IntoIter<u64>);

impl Squares {
    fn next(&mut self) -> Option<u64> {
        self.0.next()
    }
}

struct Operator;

impl Operator {
    fn add(&self, a: i64, b: i64) -> Option<i64> {
        a.checked_add(b)
    }
    fn pow(&self, a: i64, b: u32) -> Option<i64> {
        a.checked_pow(b)
    }
}

aioprocessing::manager_object! {
    proxy Foo1 for Foo {
        fn f, coro_f(&self) -> String;
        fn g, coro_g(&self) -> String;
    }
}

aioprocessing::manager_object! {
    proxy Foo2 for Foo {
        fn g, coro_g(&self) -> String;
        fn _h, coro_h(&self) -> String;
        fn squares, coro_squares(&self, n: u64) -> Result<SquaresProxy, String>;
    }
}

aioprocessing::manager_object! {
    proxy SquaresProxy for Squares {
        fn next, coro_next(&self) -> Option<u64>;
    }
}

aioprocessing::manager_object! {
    proxy OperatorProxy for Operator {
        fn add, coro_add(&self, a: i64, b: i64) -> Option<i64>;
        fn pow, coro_pow(&self, a: i64, b: u32) -> Option<i64>;
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let manager = AioManager::start()?;
    let foo1 = Foo1::create(&manager, || Foo, ())?;
    println!("{}\n{}", foo1.f()?, foo1.g()?);
    let foo2 = Foo2::create(&manager, || Foo, ())?;
    println!("{}\n{}", foo2.g()?, foo2._h()?);
    let squares = foo2.squares(5)??;
    while let Some(square) = squares.next()? {
        print!("<{square}> ");
    }
    println!();
    let operator = OperatorProxy::create(&manager, || Operator, ())?;
    println!("{:?} {:?} {:?}", operator.add(23, 45)?, operator.pow(2, 94)?, operator.pow(2, 10)?);
    manager.shutdown()?;
    Ok(())
}
