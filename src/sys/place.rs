//! Source positions that another process of the same build can read: a `&'static Location` as its distance from a static
//! of this crate.
//!
//! What comes back is a number from shared memory and may be anything. So nothing is made of it before its words were read as
//! plain integers and found to describe text in the read-only part of this image.

#![allow(unsafe_code)]

use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::Location;
use std::sync::OnceLock;

use super::image;

static ANCHOR: u64 = 0;

const WORDS: usize = size_of::<Location<'static>>() / size_of::<usize>();
const LONGEST_PATH: usize = 4096;

/// The position as a distance, zero if it is too far away.
#[inline]
pub(crate) fn note(location: &'static Location<'static>) -> u32 {
    let distance = std::ptr::from_ref(location).addr().wrapping_sub((&raw const ANCHOR).addr()).cast_signed();
    i32::try_from(distance).unwrap_or(0).cast_unsigned()
}

/// A number for the build of this program; zero if it can't be told.
pub(crate) fn build() -> u64 {
    static BUILD: OnceLock<u64> = OnceLock::new();
    *BUILD.get_or_init(|| {
        let mut hasher = DefaultHasher::new();
        match image::own() {
            Some(image) => image.build().hash(&mut hasher),
            None => return 0,
        }
        hasher.finish()
    })
}

/// `file:line:column` of a note made by a process with this build number. `None` if this is another program, or the note is
/// none.
pub(crate) fn read(build: u64, note: u32) -> Option<String> {
    if note == 0 || build == 0 || build != self::build() {
        return None;
    }
    let distance = isize::try_from(note.cast_signed()).ok()?;
    let address = (&raw const ANCHOR).addr().wrapping_add_signed(distance);
    let layout = Layout::of_this_compiler()?;
    let words = words(image::own()?.place_of::<Location<'static>>(address)?);
    let text =
        image::own()?.text(words[layout.pointer], words[layout.length].checked_sub(layout.terminator)?)?;
    let (line, column) = halves(words[layout.numbers], layout.line_first);
    Some(format!("{text}:{line}:{column}"))
}

/// Where in a `Location` its parts stand: the compiler may order them as it likes, but does so the same way for all.
#[derive(Clone, Copy, Debug)]
struct Layout {
    pointer: usize,
    length: usize,
    numbers: usize,
    line_first: bool,
    /// Bytes at the end of the text that are not part of it.
    terminator: usize,
}

impl Layout {
    #[track_caller]
    fn of_this_compiler() -> Option<Self> {
        let known = Location::caller();
        let words = words(std::ptr::from_ref(known).addr());
        let file = known.file();
        let pointer = words.iter().position(|&word| word == file.as_ptr().addr())?;
        let (length, terminator) = [0, 1].into_iter().find_map(|extra| {
            let at = words.iter().position(|&word| word == file.len() + extra)?;
            Some((at, extra))
        })?;
        let numbers = (0..WORDS).find(|&at| at != pointer && at != length)?;
        let expected = (known.line(), known.column());
        let line_first =
            [true, false].into_iter().find(|&first| halves(words[numbers], first) == expected)?;
        Some(Self { pointer, length, numbers, line_first, terminator })
    }
}

/// `address` must be that of a `Location`-sized, aligned stretch of this image.
fn words(address: usize) -> [usize; WORDS] {
    let start = std::ptr::with_exposed_provenance::<usize>(address);
    std::array::from_fn(|index| {
        // SAFETY: the stretch is `WORDS` words long (from the caller).
        let word = unsafe { start.add(index) };
        // SAFETY: it lies in memory that the loader mapped for this image and is aligned (from the caller). Volatile, because a
        // wrong note may point at data that changes.
        unsafe { word.read_volatile() }
    })
}

fn halves(word: usize, line_first: bool) -> (u32, u32) {
    let (low, high) = (word as u32, (word >> 32) as u32);
    if line_first { (low, high) } else { (high, low) }
}

impl image::Image {
    /// The text at an address, if it is text, and lies in the part of the image that is never written to.
    fn text(&self, address: usize, length: usize) -> Option<&'static str> {
        (length <= LONGEST_PATH).then_some(())?;
        std::str::from_utf8(self.constant(address, length)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_as_text() {
        let here = Location::caller();
        assert_eq!(read(build(), note(here)), Some(here.to_string()));
    }

    #[test]
    fn other_builds_and_wild_notes_are_nothing() {
        let here = note(Location::caller());
        assert_eq!(read(build() ^ 1, here), None);
        assert_eq!(read(0, here), None);
        // Whatever a peer writes there, it is read as integers and judged.
        for wild in (0..u32::MAX).step_by(99_991) {
            let _ = read(build(), wild);
        }
        for near in 0..4096 {
            let _ = read(build(), here.wrapping_add(near));
        }
    }
}
