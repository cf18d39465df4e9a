use super::Peer;

/// Named, because it is the nearest to this crate in kind.
pub const CROSSMIST: Peer = Peer {
    name: "crossmist",
    check: || Err("1.1.2 panics on Rust 1.95 as published".to_owned()),
    measures: &[],
    except: &[],
    child: None,
};
