//! Python's custom manager demo: a class with its public methods, and the same class with a list of methods of one's choice.
//! `manager_functions` is the rest of that demo.

use aioprocessing::{AioManager, manager_object};

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
}

manager_object! {
    proxy Foo1 for Foo {
        fn f, coro_f(&self) -> String;
        fn g, coro_g(&self) -> String;
    }
}

manager_object! {
    proxy Foo2 for Foo {
        fn g, coro_g(&self) -> String;
        fn _h, coro_h(&self) -> String;
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let manager = AioManager::start()?;
    let (foo1, foo2) = (Foo1::create(&manager, || Foo, ())?, Foo2::create(&manager, || Foo, ())?);
    println!("{}\n{}\n{}\n{}", foo1.f()?, foo1.g()?, foo2.g()?, foo2._h()?);
    Ok(manager.shutdown()?)
}
