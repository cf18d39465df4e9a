//! Python's manager demo: a child edits a dictionary and a list that live in a server process, and its parent sees it.

use aioprocessing::{AioDict, AioList, AioManager, AioProcess};
use serde::{Deserialize, Serialize};

/// Keys of several types, as Python's dictionaries have them.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Key {
    Number(i64),
    Text(String),
    Quarters(u32),
}

fn edit(dict: AioDict<Key, Option<String>>, list: AioList<u32>) {
    dict.insert(&Key::Number(1), &Some("1".to_owned())).unwrap();
    dict.insert(&Key::Text("2".to_owned()), &Some("two".to_owned())).unwrap();
    dict.insert(&Key::Quarters(1), &None).unwrap();
    list.update_all(|all| all.reverse()).unwrap();
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let manager = AioManager::start()?;
    let dict = manager.dict()?;
    let list = manager.list(0..10)?;
    AioProcess::spawn(edit, (dict.clone(), list.clone()))?.join()?;
    for (key, value) in dict.items()? {
        println!("{key:?}: {value:?}");
    }
    println!("{:?}", list.to_vec()?);
    manager.shutdown()?;
    Ok(())
}
