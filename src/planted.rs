//! Bugs on purpose.
//!
//! A test of a crash or a race is worth what it catches. `planted!(NAME, shipped, bug)` is `shipped` in every build but
//! those with `--cfg aioprocessing_planted`; there the process whose `AIOPROCESSING_PLANT` is `NAME`, or a list with
//! commas in which it stands, runs `bug` instead, and a control must fail. `planted!(NAME, { bug })` is nothing, or the bug.

/// The shipped expression, or in a process that asks for it the bug.
#[cfg(not(aioprocessing_planted))]
macro_rules! planted {
    ($name:literal, $shipped:expr, $bug:expr) => {
        $shipped
    };
    ($name:literal, $bug:block) => {};
}

#[cfg(aioprocessing_planted)]
macro_rules! planted {
    ($name:literal, $shipped:expr, $bug:expr) => {
        if $crate::planted::is($name) { $bug } else { $shipped }
    };
    ($name:literal, $bug:block) => {
        if $crate::planted::is($name) $bug
    };
}

pub(crate) use planted;

#[cfg(aioprocessing_planted)]
pub(crate) fn is(name: &str) -> bool {
    static ASKED: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let asked = ASKED.get_or_init(|| std::env::var("AIOPROCESSING_PLANT").ok());
    asked.as_ref().is_some_and(|names| names.split(',').any(|asked| asked == name))
}
