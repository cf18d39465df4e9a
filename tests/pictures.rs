//! The pictures of the guides are the same in the repository, as files, and in the documentation, as links that hold them.
#![allow(missing_docs)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// `[name]: data:…`, a link of Markdown's with the whole picture in it.
fn link(name: &str, picture: &str) -> String {
    let mut link = format!("[{name}]: data:image/svg+xml,");
    for byte in picture.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => link.push(char::from(byte)),
            _ => write!(link, "%{byte:02X}").unwrap(),
        }
    }
    link + "\n\n"
}

/// `AIOPROCESSING_PICTURES=1 cargo test --test pictures` writes the links anew.
#[test]
fn links_hold_the_pictures() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut count = 0;
    for entry in fs::read_dir(docs.join("pictures")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "link") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap();
        let expected = link(name, &fs::read_to_string(path.with_extension("svg")).unwrap());
        if std::env::var_os("AIOPROCESSING_PICTURES").is_some() {
            fs::write(&path, &expected).unwrap();
        }
        assert!(
            fs::read_to_string(&path).unwrap() == expected,
            "{name}.link is not {name}.svg; AIOPROCESSING_PICTURES=1 cargo test --test pictures makes it so"
        );
        count += 1;
    }
    assert!(count >= 7, "there are fewer pictures than there were");
}
