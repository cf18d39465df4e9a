//! Python's `multiprocessing.shared_memory` and ours, on the same bytes.

mod kit;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use aioprocessing::{ShareableItem, ShareableList, SharedMemory};
use kit::Watchdog;

aioprocessing::test_support!();

/// What every script begins with. Python unlinks at its end what it has only attached to, unless it is kept from that.
const PRELUDE: &str = r#"
import sys
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory, ShareableList
def attached(memory):
    resource_tracker.unregister(memory._name, "shared_memory")
    return memory
def say(*what):
    print(*what, flush=True)
def hear():
    return sys.stdin.readline().rstrip("\n")
"#;

/// A Python program that is talked to line by line.
struct Python {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Python {
    /// `None`, and a line that says so, where there is no Python.
    fn start(script: &str, args: &[&str]) -> Option<Self> {
        let mut command = Command::new("python3");
        command.arg("-c").arg(format!("{PRELUDE}\n{script}")).args(args);
        match command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() {
            Ok(mut child) => {
                let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
                Some(Self { child, stdin, stdout: BufReader::new(stdout) })
            }
            Err(error) => {
                println!("skipped: python3 cannot be run ({error})");
                None
            }
        }
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn say(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").unwrap();
    }

    fn end(self) {
        let Self { mut child, stdin, .. } = self;
        drop(stdin);
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn case_123_python_attaches_to_a_block_of_ours() {
    let _watchdog = Watchdog::new("python attaches");
    let memory = SharedMemory::create_anonymous(5000).unwrap();
    memory.copy_in(0, b"from rust").unwrap();
    let script = r#"
memory = attached(SharedMemory(sys.argv[1]))
say(memory.size, bytes(memory.buf[:9]))
memory.buf[4990:5000] = b"from pytho"
say("written")
memory.close()
"#;
    let Some(mut python) = Python::start(script, &[memory.name()]) else { return };
    assert_eq!(python.hear(), "5000 b'from rust'");
    assert_eq!(python.hear(), "written");
    python.end();
    assert_eq!(memory.get::<[u8; 10]>(4990).unwrap(), *b"from pytho");
    assert!(memory.is_linked());
    memory.unlink().unwrap();
}

#[test]
fn case_123_a_block_of_pythons_is_attached_to() {
    let _watchdog = Watchdog::new("python creates");
    let script = r#"
memory = SharedMemory(create=True, size=3000)
memory.buf[:11] = b"from python"
say(memory.name)
hear()
say(bytes(memory.buf[2991:]))
memory.close()
memory.unlink()
"#;
    let Some(mut python) = Python::start(script, &[]) else { return };
    let memory = SharedMemory::open(&python.hear()).unwrap();
    assert_eq!(memory.size(), 3000);
    assert_eq!(memory.get::<[u8; 11]>(0).unwrap(), *b"from python");
    memory.copy_in(2991, b"from rust").unwrap();
    assert!(SharedMemory::create(memory.name(), 1).unwrap_err().is_exists());
    python.say("");
    assert_eq!(python.hear(), "b'from rust'");
    python.end();
    assert!(!memory.is_linked());
    assert!(memory.unlink().unwrap_err().is_not_found());
}

#[test]
fn case_128_python_reads_and_writes_a_list_of_ours() {
    let _watchdog = Watchdog::new("python reads a list");
    let items: [ShareableItem; 9] = [
        "howdy".into(),
        "größer als gedacht".into(),
        b"bytes".into(),
        (-7).into(),
        2.5.into(),
        true.into(),
        ShareableItem::None,
        b"ends in zero\0\0".into(),
        "12345678".into(),
    ];
    let list = ShareableList::new(items).unwrap();
    let script = r#"
items = ShareableList(name=sys.argv[1])
attached(items.shm)
say(ascii(list(items)))
say(items.format, len(items), items.index(2.5), items.count(None))
items[0] = 12
items[1] = "kürzer"
items[3] = "eight by"
items[4] = None
items[6] = 1.25
items[7] = b"sixteen bytes in"
say("written")
hear()
say(ascii(list(items)))
items.shm.close()
"#;
    let Some(mut python) = Python::start(script, &[list.name()]) else { return };
    assert_eq!(
        python.hear(),
        r"['howdy', 'gr\xf6\xdfer als gedacht', b'bytes', -7, 2.5, True, None, b'ends in zero', '12345678']"
    );
    assert_eq!(python.hear(), "8s24s8sqdxxxxxxx?xxxxxx?x14sx16s 9 4 1");
    assert_eq!(python.hear(), "written");
    let expected: [ShareableItem; 9] = [
        12.into(),
        "kürzer".into(),
        b"bytes".into(),
        "eight by".into(),
        ShareableItem::None,
        true.into(),
        1.25.into(),
        b"sixteen bytes in".into(),
        "12345678".into(),
    ];
    assert_eq!(list.iter().collect::<Result<Vec<_>, _>>().unwrap(), expected);
    list.set(7, b"rust\0").unwrap();
    list.set(8, false).unwrap();
    python.say("");
    assert_eq!(python.hear(), r"[12, 'k\xfcrzer', b'bytes', 'eight by', None, True, 1.25, b'rust', False]");
    python.end();
    list.unlink().unwrap();
}

/// With what Python's own makes of text that needs more bytes than it has characters, and of zeroes.
#[test]
fn case_128_a_list_of_pythons_is_read_and_written() {
    let _watchdog = Watchdog::new("a list of python's");
    let script = r#"
items = ShareableList(["text", b"bytes", 1 << 62, -0.5, False, None, b"\0\0", "x" * 100])
say(items.shm.name)
hear()
say(list(items))
hear()
items.shm.close()
items.shm.unlink()
"#;
    let Some(mut python) = Python::start(script, &[]) else { return };
    let list = ShareableList::open(&python.hear()).unwrap();
    let expected: [ShareableItem; 8] = [
        "text".into(),
        b"bytes".into(),
        (1_i64 << 62).into(),
        (-0.5).into(),
        false.into(),
        ShareableItem::None,
        b"".into(),
        "x".repeat(100).into(),
    ];
    assert_eq!(list.iter().collect::<Result<Vec<_>, _>>().unwrap(), expected);
    assert_eq!(list.format(), "8s8sqdxxxxxxx?xxxxxx?x8s104s");
    list.set(0, 1).unwrap();
    list.set(1, "Text").unwrap();
    list.set(5, b"12345678").unwrap();
    list.set(7, ShareableItem::None).unwrap();
    python.say("");
    assert_eq!(python.hear(), r"[1, 'Text', 4611686018427387904, -0.5, False, b'12345678', b'', None]");
    python.say("");
    python.end();
}

/// Python cuts such text off, in the middle of a character too: that is an error with the bytes in it.
#[test]
fn case_128_text_that_python_cut_off() {
    let _watchdog = Watchdog::new("cut off");
    let script = r#"
items = ShareableList(["üüüüüüü"])
say(items.shm.name)
hear()
items.shm.close()
items.shm.unlink()
"#;
    let Some(mut python) = Python::start(script, &[]) else { return };
    let list = ShareableList::open(&python.hear()).unwrap();
    match list.get(0) {
        // A Python that measures in bytes.
        Ok(item) => assert!("üüüüüüü".starts_with(item.as_str().unwrap())),
        Err(error) => assert!(error.to_string().contains("UTF-8"), "{error}"),
    }
    python.say("");
    python.end();
}
