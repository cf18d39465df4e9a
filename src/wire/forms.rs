//! Families of errors: those of the forms of one operation.

/// The three errors of one operation: what goes wrong at any time, and beside it the one thing that each form may meet.
macro_rules! errors {
    (
        $(#[$doc:meta])* $name:ident $({ $(#[$own_doc:meta])* $own:ident, $is_own:ident })? => { $($common:tt)* }
    ) => {
        errors!(@enum $(#[$doc])* $name [$($(#[$own_doc])* $own,)?] { $($common)* });

        $(
            impl $name {
                #[doc = concat!("Whether it is [`", stringify!($own), "`](Self::", stringify!($own), ").")]
                #[must_use]
                pub fn $is_own(&self) -> bool {
                    matches!(self, Self::$own)
                }
            }
        )?
    };
    (@enum $(#[$doc:meta])* $name:ident [$($own:tt)*] { $($common:tt)* }) => {
        $(#[$doc])*
        #[derive(Debug, thiserror::Error)]
        #[non_exhaustive]
        pub enum $name {
            $($own)*
            $($common)*
        }
    };
}
pub(crate) use errors;
