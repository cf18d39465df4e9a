//! The exceptions in docs/cancel-safety.md, held against what the source says of each function.
#![allow(missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What is said under `# Cancel safety` of one function.
#[derive(Clone, Debug)]
struct Section {
    file: PathBuf,
    /// The type that it belongs to; none of a free function, and where a macro makes the type.
    owner: Option<String>,
    name: String,
    text: String,
}

impl Section {
    fn path(&self) -> String {
        match &self.owner {
            Some(owner) => format!("{owner}::{}", self.name),
            None => self.name.clone(),
        }
    }

    /// One sentence, and one that says that nothing has happened.
    fn has_had_no_effect(&self) -> bool {
        let ways = [
            "Cancel safe.",
            "Cancel safe: ",
            "Dropped, it has had no effect.",
            "Dropped before it is done, it has taken no",
            "Dropped before it is done, it has put nothing",
            "Dropped before it is done, it has borrowed nothing",
            "Dropped before it is done, it has changed nothing",
            "Dropped before it is done, it has set nothing",
            "Dropped before it is done, it has not taken the lock",
        ];
        ways.iter().any(|way| self.text.starts_with(way)) && !self.text.contains(". ")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `impl<T: Plain> AioOnce<T> {` is of `AioOnce`.
fn owner(line: &str) -> Option<String> {
    let mut rest = line.strip_prefix("impl")?;
    if rest.starts_with('<') {
        let mut depth = 0;
        let end = rest.char_indices().find(|(_, c)| {
            depth += i32::from(*c == '<') - i32::from(*c == '>');
            depth == 0
        })?;
        rest = &rest[end.0 + 1..];
    }
    let named = rest.rsplit(" for ").next()?.trim_start();
    let name: String = named.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

fn sections(file: &Path, text: &str) -> Vec<Section> {
    let (mut found, mut of) = (Vec::new(), None);
    let mut lines = text.lines().map(str::trim_start).zip(text.lines()).peekable();
    while let Some((line, whole)) = lines.next() {
        if line.starts_with("impl") {
            of = owner(line);
        }
        if whole == "}" {
            of = None;
        }
        if line != "/// # Cancel safety" {
            continue;
        }
        let mut said = Vec::new();
        while let Some((line, _)) =
            lines.next_if(|(line, _)| line.starts_with("///") && !line.starts_with("/// # "))
        {
            said.extend(line.trim_start_matches('/').split_whitespace());
        }
        // What follows the documentation: attributes, then the function.
        let function = lines.by_ref().find(|(line, _)| !line.starts_with("//") && line.contains("fn "));
        let function =
            function.unwrap_or_else(|| panic!("{}: a section without a function", file.display())).0;
        let name = function.split("fn ").nth(1).unwrap();
        let name = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '$').collect();
        found.push(Section { file: file.to_owned(), owner: of.clone(), name, text: said.join(" ") });
    }
    found
}

fn walk(folder: &Path, into: &mut Vec<Section>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, into);
        } else {
            into.extend(sections(&path, &fs::read_to_string(&path).unwrap()));
        }
    }
}

fn all() -> Vec<Section> {
    let mut found = Vec::new();
    walk(&root().join("src"), &mut found);
    found
}

/// What the first column names.
fn table() -> BTreeSet<String> {
    let guide = fs::read_to_string(root().join("docs/cancel-safety.md")).unwrap();
    let table =
        guide.split("\n## ").find(|part| part.starts_with("The exceptions")).expect("a table of exceptions");
    let cells = table.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// Whose section "As there." or "As [`coro_get`](Self::coro_get)." means.
fn meant<'a>(section: &Section, all: &'a [Section]) -> Result<&'a Section, String> {
    let named = section.text.split('`').nth(1);
    let found = match named {
        None => all.iter().find(|other| {
            other.file == section.file && other.name == section.name && other.owner != section.owner
        }),
        Some(path) => all
            .iter()
            .find(|other| other.path() == path || other.name == path && other.owner == section.owner),
    };
    found.ok_or_else(|| {
        format!("{}: {} refers to nothing: {}", section.file.display(), section.path(), section.text)
    })
}

/// Functions that are no exception and not in the table either, and references that mean nothing.
fn missing(sections: &[Section], all: &[Section], table: &BTreeSet<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    for section in sections {
        let mut means = section;
        while means.text.starts_with("As ") {
            match meant(means, all) {
                Ok(other) => means = other,
                Err(error) => {
                    wrong.push(error);
                    break;
                }
            }
        }
        // A macro's are methods of all objects in managers.
        let name = if section.name.starts_with('$') { "coro_" } else { section.name.as_str() };
        if !means.has_had_no_effect() && !table.contains(name) && !table.contains(&section.path()) {
            wrong.push(format!("{}: {}: {}", section.file.display(), section.path(), means.text));
        }
    }
    wrong
}

#[test]
fn every_exception_is_in_the_table() {
    let all = all();
    assert!(all.len() >= 50, "there are fewer sections than there were: {}", all.len());
    let wrong = missing(&all, &all, &table());
    assert!(wrong.is_empty(), "not in docs/cancel-safety.md:\n{}", wrong.join("\n"));
}

/// A control: what the check is there for must not pass it.
#[test]
fn planted_exceptions_are_caught() {
    let plants = [
        ("fn coro_planted() {", "Dropped, it leaves a mess.", 1),
        ("pub async fn coro_planted() {", "Cancel safe: it takes nothing. On Sundays it does.", 1),
        ("fn coro_planted() {", "As [`AioPool::coro_map`].", 1),
        ("fn coro_planted() {", "As [`coro_nowhere`](Self::coro_nowhere).", 2),
        ("fn coro_planted() {", "Dropped before it is done, it has taken nothing.", 0),
        ("fn coro_planted() {", "As [`AioEvent::coro_wait`].", 0),
    ];
    let (all, table) = (all(), table());
    for (function, said, count) in plants {
        let text = format!(
            "impl<T> Planted<T> {{\n    /// # Cancel safety\n    ///\n    /// {said}\n    {function}"
        );
        let sections = sections(Path::new("planted.rs"), &text);
        assert_eq!(sections[0].path(), "Planted::coro_planted");
        assert_eq!(missing(&sections, &all, &table).len(), count, "{said}");
    }
}
