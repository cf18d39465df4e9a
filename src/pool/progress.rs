//! Telling how far a map has come.

use std::fmt;
use std::sync::Arc;

use crate::process::caught;

/// How far a map has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Items whose results are here, failed ones included.
    pub done: usize,
    /// How many there will be, if the iterator said.
    pub total: Option<usize>,
}

/// Whom to tell.
#[derive(Clone, Default)]
pub(super) struct Audience {
    pub(super) has_bar: bool,
    pub(super) listener: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
}

impl fmt::Debug for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audience")
            .field("has_bar", &self.has_bar)
            .field("has_listener", &self.listener.is_some())
            .finish()
    }
}

/// One map's report.
pub(super) struct Report {
    progress: Progress,
    audience: Audience,
    #[cfg(feature = "progress")]
    bar: Option<indicatif::ProgressBar>,
}

impl Report {
    pub(super) fn new(audience: &Audience, total: Option<usize>) -> Self {
        Self {
            progress: Progress { done: 0, total },
            audience: audience.clone(),
            #[cfg(feature = "progress")]
            bar: audience.has_bar.then(|| bar(total)).flatten(),
        }
    }

    /// Whether anybody is told.
    pub(super) fn has_audience(&self) -> bool {
        self.audience.has_bar || self.audience.listener.is_some()
    }

    /// So many more are done.
    pub(super) fn add(&mut self, items: usize) {
        self.progress.done += items;
        #[cfg(feature = "progress")]
        if let Some(bar) = &self.bar {
            bar.inc(items as u64);
        }
        if let Some(listener) = &self.audience.listener {
            // A panic of the listener's is nobody else's business.
            let _ = caught(|| listener(self.progress));
        }
    }
}

/// A bar on standard error, with rate and time left; `None` where that is no terminal.
#[cfg(feature = "progress")]
fn bar(total: Option<usize>) -> Option<indicatif::ProgressBar> {
    use std::io::IsTerminal as _;
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let template = "{bar:40} {pos}/{len} {per_sec} {eta}";
    let style = indicatif::ProgressStyle::with_template(template).ok()?;
    Some(match total {
        Some(total) => indicatif::ProgressBar::new(total as u64).with_style(style),
        None => {
            let style = indicatif::ProgressStyle::with_template("{spinner} {pos} {per_sec}").ok()?;
            indicatif::ProgressBar::new_spinner().with_style(style)
        }
    })
}

#[cfg(feature = "progress")]
impl Drop for Report {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }
}
