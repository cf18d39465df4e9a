use aioprocessing::{ListItems, ShareableList};

fn items(name: &str) -> ListItems<'static> {
    let list = ShareableList::open(name).unwrap();
    list.iter()
}

fn main() {
    items("list");
}
