//! The public face as it stands in the source, held against the tables that speak of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What lacks a form, and why. The first two: type and operation; `*`: all of that type.
const WITHOUT: &[(&str, &str, &[&str], &str)] = &[
    ("AioCondition", "wait", &["try_"], "it would have given up the lock for nothing"),
    ("AioCondition", "wait_for", &["try_"], "as `wait`"),
    ("AioPool", "apply", &["try_"], "nothing is done at once; a task of `submit` can be asked"),
    ("AioPool", "map", &["try_", "_timeout"], "the time limit is that of each task"),
    ("AioPool", "starmap", &["try_", "_timeout"], "as `map`"),
    ("AioPool", "imap", &["try_", "_timeout"], "it waits for nothing, but what it gives does"),
    ("AioPool", "imap_unordered", &["try_", "_timeout"], "as `imap`"),
    (
        "ProcessPoolExecutor",
        "shutdown",
        &["try_", "_timeout"],
        "Python's, which says by an argument whether it waits",
    ),
    ("Imap", "next", &["", "try_"], "`Iterator::next`; no time at all looks once"),
    ("AsCompleted", "next", &["", "try_"], "`Iterator::next`; no time at all looks once"),
    ("program", "next", &["", "try_"], "`Iterator::next`; no time at all looks once"),
    ("ProgramStream", "next", &["", "try_", "_timeout"], "it is for tasks alone"),
    ("pool", "wait_tasks", &["try_"], "no time at all looks once"),
    ("wait", "wait_any", &["try_", "_timeout"], "the time is an argument, as in Python"),
    ("pipe", "poll", &["try_", "_timeout"], "the time is an argument, as in Python"),
    ("Group", "join", &["try_", "_timeout"], "it has a limit in any case, which `within` sets"),
    ("Supervisor", "run", &["try_", "_timeout"], "it is the program"),
    ("Prefork", "*", &["", "try_", "_timeout"], "it is the program"),
    ("PreforkBuilder", "serve", &["try_", "_timeout"], "as `Prefork`"),
    ("AioManager", "*", &["try_", "_timeout"], "it asks a server, which answers or is gone"),
    ("ObjectProxy", "*", &["try_", "_timeout"], "it asks a server"),
    ("AioDict", "update", &["try_"], "it asks a server"),
    ("AioList", "*", &["try_"], "it asks a server"),
    ("AioManagedArray", "update", &["try_"], "it asks a server"),
    ("AioManagedValue", "update", &["try_"], "it asks a server"),
    ("AioManagedRLock", "try_acquire", &["try_", "_timeout"], "it asks a server"),
];

/// The public methods of every type in a folder, and its functions under the name of the top module.
fn methods(folder: &Path, top: &str, into: &mut BTreeMap<String, BTreeSet<String>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let top = if top.is_empty() { &stem } else { top };
        if path.is_dir() {
            methods(&path, top, into);
            continue;
        }
        let mut of = top.to_owned();
        for line in fs::read_to_string(&path).unwrap().lines() {
            if line.starts_with("impl") {
                let head = line.split(" for ").last().unwrap();
                let head = head.trim_start_matches("impl");
                // What stands between the angle brackets of `impl<…>` is no name of a type.
                let depth = head.char_indices().scan(0, |depth, (at, c)| {
                    *depth += i32::from(c == '<') - i32::from(c == '>');
                    Some((at, *depth))
                });
                let begin = if head.starts_with('<') {
                    depth.skip(1).find(|(_, depth)| *depth == 0).unwrap().0 + 1
                } else {
                    0
                };
                let name = head[begin..].trim_start();
                of = name.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned();
            } else if line.starts_with('}') {
                top.clone_into(&mut of);
            }
            let Some(function) = line.trim_start().strip_prefix("pub ") else { continue };
            let function = function.strip_prefix("async ").unwrap_or(function);
            if let Some(rest) = function.strip_prefix("fn ") {
                let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
                into.entry(of.clone()).or_default().insert(name.to_owned());
            }
        }
    }
}

/// A new operation that waits stands in all four forms, or in the table above.
#[test]
fn no_waiting_operation_lacks_a_form_without_a_reason() {
    let mut all = BTreeMap::new();
    methods(&root().join("src"), "", &mut all);
    let mut operations = 0;
    let mut used = BTreeSet::new();
    for (of, methods) in &all {
        for operation in methods.iter().filter_map(|method| method.strip_prefix("coro_")) {
            operations += 1;
            for (form, name) in [
                ("", operation.to_owned()),
                ("try_", format!("try_{operation}")),
                ("_timeout", format!("{operation}_timeout")),
            ] {
                let mut excuses = WITHOUT.iter().enumerate().filter(|(_, (whose, which, forms, _))| {
                    whose == of && (*which == "*" || *which == operation) && forms.contains(&form)
                });
                if !methods.contains(&name) {
                    let (excuse, _) = excuses.next().unwrap_or_else(|| panic!("{of} has no `{name}`"));
                    used.insert(excuse);
                }
            }
        }
    }
    assert!(operations > 60, "only {operations} were found");
    for (index, row) in WITHOUT.iter().enumerate() {
        assert!(used.contains(&index), "{row:?} is true of nothing any more");
    }
}

/// A new future stands in the table of those that go to another thread.
#[test]
fn every_future_stands_in_a_table() {
    let mut all = BTreeMap::new();
    methods(&root().join("src"), "", &mut all);
    let table = fs::read_to_string(root().join("tests/futures.rs")).unwrap();
    let mut wanted: BTreeMap<&str, usize> = BTreeMap::new();
    // These two are behind a macro and behind a feature.
    for (_, methods) in all.iter().filter(|(of, _)| !["ObjectProxy", "Group"].contains(&of.as_str())) {
        for method in methods.iter().filter(|method| method.starts_with("coro_")) {
            *wanted.entry(method).or_default() += 1;
        }
    }
    assert!(wanted.len() > 35, "only {} were found", wanted.len());
    for (method, types) in wanted {
        let rows = ["(", "::<"].map(|end| table.matches(&format!("{method}{end}")).count());
        assert!(rows[0] + rows[1] >= types, "of {types} `{method}` some are not in tests/futures.rs");
    }
}

/// What folders of the source say, one behind the other.
fn source(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { source(&path, into) } else { into.push_str(&fs::read_to_string(path).unwrap()) }
    }
}

/// A new handle, guard or error stands in the tables that the compiler holds.
#[test]
fn every_handle_guard_and_error_stands_in_a_table() {
    let (mut all, tables) = (String::new(), fs::read_to_string(root().join("tests/tables.rs")).unwrap());
    source(&root().join("src"), &mut all);
    let public = all.split("pub use ").skip(1).map(|rest| rest.split(';').next().unwrap());
    let names: BTreeSet<&str> = public
        .flat_map(words)
        .filter(|name| name.ends_with("Error") || name.starts_with("Aio"))
        // These two have functions and are nothing.
        .filter(|name| !["AioClient", "AioPipe"].contains(name))
        .collect();
    let stands = |name: &str| {
        let rows =
            ["::<", "::<fixture::"].map(|before| [">", "<"].map(|after| format!("{before}{name}{after}")));
        rows.concat().iter().any(|row| tables.contains(row))
    };
    let missing: Vec<_> = names.iter().filter(|name| !stands(name)).collect();
    assert!(missing.is_empty(), "not in tests/tables.rs: {missing:?}");
    assert!(names.len() > 100, "only {} were found", names.len());
}

/// Names that others gave: of Rust, of other crates, of arguments and examples.
const NOT_OURS: &[&str] = &[
    "AsFd",
    "CancelledError",
    "Deserialize",
    "Job",
    "Result",
    "Serialize",
    "Sink",
    "Stream",
    "args",
    "await",
    "job",
    "jobs",
    "let",
    "logging",
    "main",
    "manager",
    "manager_functions",
    "object",
    "spawn_blocking",
    "struct",
    "tracing",
    "true",
    "while",
];

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| word.len() > 1)
}

/// What the source gives names to: methods and functions, macros, and all that begins with a capital.
fn names(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names(&path, into);
            continue;
        }
        for line in fs::read_to_string(&path).unwrap().lines().map(str::trim_start) {
            if line.starts_with("//") {
                continue;
            }
            into.extend(words(line).filter(|word| word.starts_with(char::is_uppercase)).map(str::to_owned));
            // As the macros of managers have them: a name and its twins.
            let twins = line.split_once(", coro_").map(|(names, _)| names).filter(|names| {
                let mut names = words(names);
                let first = names.next().unwrap_or_default();
                line.starts_with(first) && names.all(|twin| twin == format!("{first}_timeout"))
            });
            let named = line.strip_prefix("macro_rules! ").or(twins);
            into.extend(named.and_then(|name| words(name).next()).map(str::to_owned));
        }
    }
}

/// Whoever comes from Python finds what the guide sends him to.
#[test]
fn every_name_that_the_guide_from_python_gives_is_there() {
    let mut all = BTreeMap::new();
    methods(&root().join("src"), "", &mut all);
    let mut ours: BTreeSet<String> = all.into_values().flatten().collect();
    names(&root().join("src"), &mut ours);
    let guide = fs::read_to_string(root().join("docs/from-python.md")).unwrap();
    let (mut found, mut missing) = (0, BTreeSet::new());
    for row in guide.lines().filter(|line| line.starts_with("| ")) {
        let here = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        // Every second part lies between backticks; what lies between quotation marks there is anybody's.
        let code = here.split('`').skip(1).step_by(2).flat_map(|code| code.split('"').step_by(2));
        for word in code.flat_map(words).filter(|word| !NOT_OURS.contains(word)) {
            if ours.contains(word) {
                found += 1;
            } else {
                missing.insert(word);
            }
        }
    }
    assert!(missing.is_empty(), "docs/from-python.md names what is not there: {missing:?}");
    assert!(found > 150, "only {found} names were found");
}
