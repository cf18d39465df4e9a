//! External programs, several at a time, driven by whoever is inside of a call.

mod description;
mod desk;
mod error;
mod event;
mod input;
mod output;
mod programs;
mod run;
mod running;

pub use description::Program;
pub use error::ProgramError;
pub use event::{OutputStream, ProgramEvent, ProgramOutput};
pub use input::ProgramInput;
pub use programs::Programs;
#[cfg(feature = "tokio")]
pub use run::ProgramStream;
pub use run::{ProgramEvents, ProgramResults};
