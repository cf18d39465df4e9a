//! An operation in the face of a side.

/// `either!(side, blocking, coro)`: one of two expressions; `coro` is a future, driven on a runtime of its own.
macro_rules! either {
    ($side:expr, $blocking:expr, $coro:expr $(,)?) => {
        match $side {
            $crate::kit::sides::Side::Blocking => $blocking,
            #[cfg(feature = "tokio")]
            $crate::kit::sides::Side::Coro => $crate::kit::runtime().block_on($coro),
            #[cfg(not(feature = "tokio"))]
            $crate::kit::sides::Side::Coro => unreachable!("not in ALL"),
        }
    };
}

#[allow(unused_imports, reason = "each test program uses a part of the kit")]
pub(crate) use either;
