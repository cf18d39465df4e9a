//! The layers of ARCHITECTURE.md, held against the source: an arrow may only point down.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Module -> the modules it may name. Read from the table between two marks in ARCHITECTURE.md.
type Table = BTreeMap<String, BTreeSet<String>>;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn table() -> Table {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let body = text
        .split("<!-- layers -->")
        .nth(1)
        .expect("ARCHITECTURE.md has a table between <!-- layers --> marks");
    let rows = body.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let module = cells[0].trim_matches('`').to_owned();
        let may = cells[1].split(',').map(|name| name.trim().trim_matches('`').to_owned());
        (module, may.filter(|name| !name.is_empty() && name != "–").collect())
    })
    .collect()
}

/// Source files with the module path of what is in them.
fn sources(folder: &Path, module: &[String], into: &mut Vec<(PathBuf, Vec<String>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut inner = module.to_vec();
        if path.is_dir() {
            inner.push(stem);
            sources(&path, &inner, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            if stem != "mod" && stem != "lib" {
                inner.push(stem);
            }
            into.push((path, inner));
        }
    }
}

/// Takes comments and text out, so that only code is left.
fn code(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let line = line.trim_start();
        if line.starts_with("//") {
            continue;
        }
        let line = line.split(" // ").next().unwrap_or_default();
        // Every second part lies between quotation marks.
        out.extend(line.split('"').step_by(2));
        out.push('\n');
    }
    out
}

/// The top modules that this text names by `crate::` or `super::`, use trees included.
fn named(text: &str, module: &[String]) -> BTreeSet<String> {
    let text = code(text);
    let mut found = BTreeSet::new();
    for (start, _) in text.match_indices("crate::") {
        let before = text[..start].chars().next_back();
        if !before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            heads(&text[start + "crate::".len()..], &mut found);
        }
    }
    for (start, _) in text.match_indices("super::") {
        let before = &text[..start];
        if before.ends_with("super::")
            || before.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_')
        {
            continue;
        }
        let mut rest = &text[start..];
        let mut at = module.to_vec();
        while let Some(next) = rest.strip_prefix("super::") {
            at.pop();
            rest = next;
        }
        match at.first() {
            Some(top) => found.extend([top.clone()]),
            None => heads(rest, &mut found),
        }
    }
    found
}

/// The first names of a path or of a braced use tree.
fn heads(rest: &str, found: &mut BTreeSet<String>) {
    let Some(tree) = rest.strip_prefix('{') else {
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        // Types and functions of the root itself are names of no module.
        found.extend([name].into_iter().filter(|name| !name.is_empty()));
        return;
    };
    let mut depth = 0;
    let mut is_start = true;
    for (index, c) in tree.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return,
            '}' => depth -= 1,
            ',' if depth == 0 => is_start = true,
            c if c.is_whitespace() => {}
            _ if is_start && depth == 0 => {
                is_start = false;
                heads(&tree[index..], found);
            }
            _ => {}
        }
    }
}

fn violations(table: &Table, files: &[(PathBuf, Vec<String>, String)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, module, text) in files {
        let Some(top) = module.first() else { continue };
        let Some(may) = table.get(top) else {
            wrong.push(format!("{}: the module `{top}` is not in the table", path.display()));
            continue;
        };
        for name in named(text, module) {
            if name != *top && table.contains_key(&name) && !may.contains(&name) {
                wrong.push(format!("{}: `{top}` may not name `{name}`", path.display()));
            }
        }
    }
    wrong
}

fn all() -> Vec<(PathBuf, Vec<String>, String)> {
    let mut files = Vec::new();
    sources(&root().join("src"), &[], &mut files);
    files
        .into_iter()
        .map(|(path, module)| (path.clone(), module, fs::read_to_string(path).unwrap()))
        .collect()
}

#[test]
fn every_arrow_points_down() {
    let wrong = violations(&table(), &all());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_itself_has_no_circle() {
    let table = table();
    let mut done = BTreeSet::new();
    while done.len() < table.len() {
        let before = done.len();
        for (module, may) in &table {
            if may.is_subset(&done) {
                done.insert(module.clone());
            }
        }
        assert!(
            done.len() > before,
            "a circle among {:?}",
            table.keys().filter(|name| !done.contains(*name))
        );
    }
}

/// A control: the check must catch each way of pointing up.
#[test]
fn planted_violations_are_caught() {
    let table = table();
    let plants = [
        ("use crate::queue::AioQueue;", vec!["sys", "futex"]),
        ("use crate::{\n    shm::Region,\n    queue::{AioQueue, GetError},\n};", vec!["wait", "park"]),
        ("fn f() { let _ = crate::process::spawn; }", vec!["raw", "lock"]),
        ("pub(crate) use super::super::sync::AioLock;", vec!["wire", "codec"]),
        ("pub use crate::sync::AioLock as Other;", vec!["shm"]),
        ("use super::super::{process::init};", vec!["sys", "pidfd"]),
    ];
    for (text, module) in plants {
        let module: Vec<String> = module.into_iter().map(str::to_owned).collect();
        let file = (PathBuf::from("planted.rs"), module, text.to_owned());
        assert_eq!(violations(&table, &[file]).len(), 1, "not caught: {text}");
    }
    let harmless = "//! see crate::queue\nfn f() { let _ = \"crate::queue\"; }";
    let file = (PathBuf::from("harmless.rs"), vec!["sys".to_owned()], harmless.to_owned());
    assert!(violations(&table, &[file]).is_empty());
}

#[test]
fn unsafe_stands_in_sys_and_shm_alone() {
    for (path, module, text) in all() {
        let top = module.first().map_or("", String::as_str);
        let text = code(&text);
        let opts_in = text.contains("allow(unsafe_code)");
        assert!(
            !opts_in || matches!(top, "sys" | "shm"),
            "{}: unsafe code is allowed in src/sys and src/shm only",
            path.display()
        );
    }
}

/// The files of `src` that ARCHITECTURE.md says name tokio.
fn files_with_tokio() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let body = text
        .split("<!-- tokio -->")
        .nth(1)
        .expect("ARCHITECTURE.md has a table between <!-- tokio --> marks");
    let cells = body.lines().filter_map(|line| line.strip_prefix("| `")?.split('|').next());
    cells
        .flat_map(|cell| cell.split([',', '`']))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn names_tokio(text: &str) -> bool {
    code(text).contains("tokio::")
}

#[test]
fn tokio_is_named_where_the_table_says() {
    let all = all();
    let naming = all.iter().filter(|(.., text)| names_tokio(text));
    let naming: BTreeSet<String> = naming
        .map(|(path, ..)| path.strip_prefix(root().join("src")).unwrap().display().to_string())
        .collect();
    assert_eq!(naming, files_with_tokio(), "left: what the source does; right: what ARCHITECTURE.md says");
    // Controls.
    assert!(names_tokio("fn f() {\n    tokio::spawn(g());\n}"));
    assert!(!names_tokio(
        "//! As `tokio::spawn`.\n#[cfg(feature = \"tokio\")]\nfn f() { g(\"tokio::net\") }"
    ));
}
