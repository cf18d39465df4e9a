//! Functions that can be called in another process: a type without values, named by a constant in the image.

use std::any::{TypeId, type_name};
use std::os::fd::OwnedFd;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::message::Failure;
use crate::sys::entry::{self, Entry};
use crate::wire::{Packed, Postcard, pack_away, unpack};

/// Descriptors of one call, either way: so many packets fit into a socket that nobody reads yet.
const MOST_DESCRIPTORS: usize = 64 * crate::sys::socket::MOST_DESCRIPTORS;

/// What running a function in the child gives.
pub(super) type Ran = Result<Packed, Failure>;

/// A function that [`AioProcess::spawn`](crate::AioProcess::spawn) can run with arguments `A`, a tuple of 0 to 12.
///
/// Implemented for `fn` items and for closures that capture nothing.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be run in a process with the arguments `{A}`",
    label = "not a function of these arguments",
    note = "the arguments are a tuple, `(one,)` for a single one; write out the types of a closure's arguments"
)]
pub trait ProcessFn<A>: Copy + 'static {
    /// What the function returns.
    type Output;

    /// Calls the function.
    fn call(self, args: A) -> Self::Output;
}

/// An `async` function that [`AioProcess::spawn_async`](crate::AioProcess::spawn_async) can run with arguments `A`, a tuple
/// of 0 to 12.
///
/// Implemented for `async fn` items and for closures that capture nothing and return a future.
#[cfg(feature = "tokio")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be run in a process with the arguments `{A}`",
    label = "not an async function of these arguments",
    note = "the arguments are a tuple, `(one,)` for a single one; write out the types of a closure's arguments"
)]
pub trait AsyncProcessFn<A>: Copy + 'static {
    /// What the future resolves to.
    type Output;
    /// What the function returns.
    type Future: Future<Output = Self::Output>;

    /// Calls the function.
    fn call(self, args: A) -> Self::Future;
}

macro_rules! functions {
    ($($name:ident)*) => {
        impl<F, R, $($name,)*> ProcessFn<($($name,)*)> for F
        where
            F: Fn($($name),*) -> R + Copy + 'static,
        {
            type Output = R;

            #[allow(non_snake_case)]
            fn call(self, ($($name,)*): ($($name,)*)) -> R {
                self($($name),*)
            }
        }

        #[cfg(feature = "tokio")]
        impl<F, R, $($name,)*> AsyncProcessFn<($($name,)*)> for F
        where
            F: Fn($($name),*) -> R + Copy + 'static,
            R: Future,
        {
            type Output = R::Output;
            type Future = R;

            #[allow(non_snake_case)]
            fn call(self, ($($name,)*): ($($name,)*)) -> R {
                self($($name),*)
            }
        }
    };
}

functions!();
functions!(A);
functions!(A B);
functions!(A B C);
functions!(A B C D);
functions!(A B C D E);
functions!(A B C D E G);
functions!(A B C D E G H);
functions!(A B C D E G H I);
functions!(A B C D E G H I J);
functions!(A B C D E G H I J K);
functions!(A B C D E G H I J K L);
functions!(A B C D E G H I J K L M);

/// The entry of `F` with arguments `A`, as a constant that the compiler puts into the image.
struct Callable<F, A>(std::marker::PhantomData<(F, A)>);

impl<F, A> Callable<F, A>
where
    F: ProcessFn<A, Output: Serialize>,
    A: DeserializeOwned + 'static,
{
    const ENTRY: &'static Entry<Ran> = &Entry::new(TypeId::of::<(F, A)>, type_name::<F>, Self::run);

    fn run(bytes: &[u8], descriptors: Vec<OwnedFd>) -> Ran {
        let args = arguments::<A>(bytes, descriptors)?;
        output(&entry::function::<F>().call(args))
    }
}

#[cfg(feature = "tokio")]
struct AsyncCallable<F, A>(std::marker::PhantomData<(F, A)>);

#[cfg(feature = "tokio")]
impl<F, A> AsyncCallable<F, A>
where
    F: AsyncProcessFn<A, Output: Serialize>,
    A: DeserializeOwned + 'static,
{
    const ENTRY: &'static Entry<Ran> = &Entry::new(TypeId::of::<(F, A, u8)>, type_name::<F>, Self::run);

    fn run(bytes: &[u8], descriptors: Vec<OwnedFd>) -> Ran {
        super::runtime::run(async move {
            // Inside of the runtime: an argument may want to be registered there.
            let args = arguments::<A>(bytes, descriptors)?;
            output(&entry::function::<F>().call(args).await)
        })
    }
}

fn arguments<A: DeserializeOwned>(bytes: &[u8], descriptors: Vec<OwnedFd>) -> Result<A, Failure> {
    unpack::<Postcard, A>(bytes, descriptors).map_err(|error| Failure::Arguments(error.to_string()))
}

fn output<R: Serialize>(value: &R) -> Ran {
    pack_away::<Postcard, R>(value, MOST_DESCRIPTORS).map_err(|error| Failure::Output(error.to_string()))
}

/// A call that is ready to be made elsewhere.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) entry: &'static Entry<Ran>,
    pub(super) args: Packed,
}

impl Call {
    pub(super) fn new<F, A>(_: F, args: &A) -> Result<Self, crate::EncodeError>
    where
        F: ProcessFn<A, Output: Serialize>,
        A: Serialize + DeserializeOwned + 'static,
    {
        Self::of(Callable::<F, A>::ENTRY, args)
    }

    #[cfg(feature = "tokio")]
    pub(super) fn new_async<F, A>(_: F, args: &A) -> Result<Self, crate::EncodeError>
    where
        F: AsyncProcessFn<A, Output: Serialize>,
        A: Serialize + DeserializeOwned + 'static,
    {
        Self::of(AsyncCallable::<F, A>::ENTRY, args)
    }

    fn of<A: Serialize>(entry: &'static Entry<Ran>, args: &A) -> Result<Self, crate::EncodeError> {
        Ok(Self { entry, args: pack_away::<Postcard, A>(args, MOST_DESCRIPTORS)? })
    }
}
