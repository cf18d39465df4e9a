//! `dl_iterate_phdr(3)`: the image (executable or library) that this crate was linked into, its build, and places in it
//! as offsets that mean the same in every process that runs the same build.

#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::OnceLock;

/// `PT_GNU_EH_FRAME`: a sorted table of where every function lies.
const GNU_EH_FRAME: u32 = 0x6474_e550;
/// `NT_GNU_BUILD_ID`.
const GNU_BUILD_ID: u32 = 3;

/// A part of the image as the linker laid it out, relative to the image's base.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Segment {
    kind: u32,
    flags: u32,
    range: Range<usize>,
}

impl Segment {
    fn is_loaded(&self) -> bool {
        self.kind == libc::PT_LOAD
    }

    fn holds(&self, range: &Range<usize>) -> bool {
        self.range.start <= range.start && range.end <= self.range.end
    }
}

/// An image in this process.
#[derive(Debug)]
pub(crate) struct Image {
    base: usize,
    segments: Vec<Segment>,
    build: Build,
}

/// Which build an image is of: what the linker wrote, or else a hash of its layout. Equal builds have equal offsets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Build {
    Id(Vec<u8>),
    Layout(u64),
}

impl Build {
    const ID: u8 = 0;
    const LAYOUT: u8 = 1;

    pub(crate) fn write(&self, into: &mut Vec<u8>) {
        match self {
            Self::Id(id) => {
                into.push(Self::ID);
                into.extend_from_slice(id);
            }
            Self::Layout(hash) => {
                into.push(Self::LAYOUT);
                into.extend_from_slice(&hash.to_le_bytes());
            }
        }
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first()? {
            (&Self::ID, id) => Some(Self::Id(id.to_vec())),
            (&Self::LAYOUT, hash) => Some(Self::Layout(u64::from_le_bytes(hash.try_into().ok()?))),
            _ => None,
        }
    }
}

/// Lies in the image that is meant.
static ANCHOR: u8 = 0;

/// The image with this crate in it. `None` if the loader does not know it.
pub(crate) fn own() -> Option<&'static Image> {
    static OWN: OnceLock<Option<Image>> = OnceLock::new();
    OWN.get_or_init(|| find((&raw const ANCHOR).addr())).as_ref()
}

impl Image {
    pub(crate) fn build(&self) -> &Build {
        &self.build
    }

    /// The offset of something static, if all of it lies within the image.
    pub(crate) fn offset_of<T>(&self, place: &'static T) -> Option<u64> {
        let start = std::ptr::from_ref(place).addr().checked_sub(self.base)?;
        self.loaded(start, size_of::<T>())?;
        u64::try_from(start).ok()
    }

    /// The address of that offset, if `T` would lie within the image there and be aligned.
    pub(crate) fn address<T>(&self, offset: u64) -> Option<usize> {
        let start = usize::try_from(offset).ok()?;
        self.loaded(start, size_of::<T>())?;
        let address = self.base.checked_add(start)?;
        address.is_multiple_of(align_of::<T>()).then_some(address)
    }

    /// The same address, if `T` would lie within the image there and be aligned.
    pub(crate) fn place_of<T>(&self, address: usize) -> Option<usize> {
        self.loaded(address.checked_sub(self.base)?, size_of::<T>())?;
        address.is_multiple_of(align_of::<T>()).then_some(address)
    }

    /// The bytes there, if they lie in a part of the image that is never written to.
    pub(crate) fn constant(&self, address: usize, length: usize) -> Option<&'static [u8]> {
        let start = address.checked_sub(self.base)?;
        let segment = self.loaded(start, length)?;
        self.bytes(segment)?.get(start - segment.range.start..)?.get(..length)
    }

    /// Whether code of this image lies at an address.
    pub(crate) fn is_code(&self, address: usize) -> bool {
        address
            .checked_sub(self.base)
            .and_then(|start| self.loaded(start, 1))
            .is_some_and(|segment| segment.flags & libc::PF_X != 0)
    }

    fn loaded(&self, start: usize, size: usize) -> Option<&Segment> {
        let range = start..start.checked_add(size)?;
        self.segments.iter().find(|segment| segment.is_loaded() && segment.holds(&range))
    }

    /// The bytes of a segment that is part of what was loaded for reading.
    fn bytes(&self, segment: &Segment) -> Option<&'static [u8]> {
        let loaded = self.loaded(segment.range.start, segment.range.len())?;
        if loaded.flags & libc::PF_R == 0 || loaded.flags & libc::PF_W != 0 {
            return None;
        }
        let start = std::ptr::with_exposed_provenance::<u8>(self.base.checked_add(segment.range.start)?);
        // SAFETY: the loader mapped this range for reading and not for writing; the image holds this very code, so it is
        // not unloaded under us.
        Some(unsafe { std::slice::from_raw_parts(start, segment.range.len()) })
    }

    fn of_kind(&self, kind: u32) -> impl Iterator<Item = &'static [u8]> {
        self.segments
            .iter()
            .filter(move |segment| segment.kind == kind)
            .filter_map(|segment| self.bytes(segment))
    }

    fn find_build(&self) -> Build {
        if let Some(id) = self.of_kind(libc::PT_NOTE).find_map(build_id) {
            return Build::Id(id.to_vec());
        }
        let mut hasher = DefaultHasher::new();
        self.segments.hash(&mut hasher);
        self.of_kind(GNU_EH_FRAME).for_each(|table| table.hash(&mut hasher));
        Build::Layout(hasher.finish())
    }
}

/// Walks notes: {name length, contents length, kind, name, contents}, the latter two padded to four bytes.
fn build_id(mut notes: &'static [u8]) -> Option<&'static [u8]> {
    loop {
        let (head, rest) = notes.split_first_chunk::<12>()?;
        let word = |at: usize| Some(u32::from_ne_bytes(head.get(at..at + 4)?.try_into().ok()?));
        let (name_length, length) = (usize::try_from(word(0)?).ok()?, usize::try_from(word(4)?).ok()?);
        let contents = rest.get(name_length.checked_next_multiple_of(4)?..)?;
        if word(8)? == GNU_BUILD_ID && rest.get(..name_length)? == b"GNU\0" {
            return contents.get(..length);
        }
        notes = contents.get(length.checked_next_multiple_of(4)?..)?;
    }
}

struct Search {
    address: usize,
    found: Option<Image>,
}

fn find(address: usize) -> Option<Image> {
    let mut search = Search { address, found: None };
    // SAFETY: the callback gets the pointer to `search`, which outlives the call and is used by nobody else meanwhile.
    unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut search).cast()) };
    let mut image = search.found?;
    image.build = image.find_build();
    Some(image)
}

extern "C" fn look(info: *mut libc::dl_phdr_info, _size: usize, search: *mut c_void) -> c_int {
    // SAFETY: the loader hands over a valid description that lives as long as this call.
    let info = unsafe { &*info };
    // SAFETY: `find` passes a pointer to its own `Search`.
    let search = unsafe { &mut *search.cast::<Search>() };
    if info.dlpi_phdr.is_null() {
        return 0;
    }
    // SAFETY: the description says that so many headers lie there.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    let segments = headers.iter().map(|header| {
        let start = usize::try_from(header.p_vaddr).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::try_from(header.p_memsz).unwrap_or(usize::MAX));
        Segment { kind: header.p_type, flags: header.p_flags, range: start..end }
    });
    let base = usize::try_from(info.dlpi_addr).unwrap_or(usize::MAX);
    let image = Image { base, segments: segments.collect(), build: Build::Layout(0) };
    let is_it = search.address.checked_sub(base).is_some_and(|start| image.loaded(start, 1).is_some());
    if is_it {
        search.found = Some(image);
    }
    c_int::from(is_it)
}

#[cfg(test)]
mod tests {
    use super::{build_id, own};

    static WORDS: [u64; 4] = [1, 2, 3, 4];

    #[test]
    fn a_static_has_an_offset_that_leads_back() {
        let image = own().unwrap();
        let offset = image.offset_of(&WORDS).unwrap();
        assert_eq!(image.address::<[u64; 4]>(offset), Some((&raw const WORDS).addr()));
        assert_eq!(image.address::<[u64; 4]>(offset + 1), None, "misaligned");
        assert_eq!(image.address::<u8>(u64::MAX), None);
        assert_eq!(image.address::<u64>(1 << 40), None);
    }

    #[test]
    fn the_heap_is_not_in_the_image() {
        let leaked: &'static u64 = Box::leak(Box::new(7));
        assert_eq!(own().unwrap().offset_of(leaked), None);
    }

    #[test]
    fn code_is_told_from_data() {
        let image = own().unwrap();
        assert!(image.is_code((own as fn() -> _ as *const ()).addr()));
        assert!(!image.is_code((&raw const WORDS).addr()));
    }

    #[test]
    fn damaged_notes_are_no_build_id() {
        assert_eq!(build_id(&[]), None);
        assert_eq!(build_id(&[0xff; 64]), None);
        assert_eq!(build_id(b"\x04\0\0\0\x40\0\0\0\x03\0\0\0GNU\0abc"), None);
        let good = b"\x04\0\0\0\x02\0\0\0\x01\0\0\0GNU\0xy\0\0\x04\0\0\0\x03\0\0\0\x03\0\0\0GNU\0abc\0";
        assert_eq!(build_id(good), Some(b"abc".as_slice()));
    }
}
