//! What a name stands for.

use std::any::type_name;

use serde::{Deserialize, Serialize};

/// The type of a handle, as two programs can compare it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kind {
    /// `AioQueue<Job>`, for people.
    pub(super) text: String,
    /// `AioQueue`; nothing for a type that is not of this crate, such as a struct of handles.
    own: Option<String>,
}

impl Kind {
    pub(super) fn of<T>() -> Self {
        Self::named(type_name::<T>())
    }

    fn named(name: &str) -> Self {
        let (ours, _) = module_path!().split_once("::").unwrap_or((module_path!(), ""));
        let is_ours = name.strip_prefix(ours).is_some_and(|rest| rest.starts_with("::"));
        let text = without_paths(name);
        let own = is_ours.then(|| text.split('<').next().unwrap_or_default().to_owned());
        Self { text, own }
    }

    /// Whether a handle of one can be one of the other. What is in a queue shows when an item is got.
    pub(super) fn fits(&self, other: &Self) -> bool {
        match (&self.own, &other.own) {
            (Some(one), Some(other)) => one == other,
            (None, None) => true,
            _ => false,
        }
    }
}

/// `a::b::Queue<c::Job>` is `Queue<Job>`.
fn without_paths(name: &str) -> String {
    let mut text = String::new();
    for part in name.split_inclusive(|c: char| !c.is_alphanumeric() && c != '_' && c != ':') {
        text.push_str(part.rsplit("::").next().unwrap_or(part));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::Kind;
    use crate::{AioEvent, AioQueue};

    #[test]
    fn kinds_are_named_without_their_paths() {
        struct Mine;
        assert_eq!(Kind::of::<AioQueue<Vec<Mine>>>().text, "AioQueue<Vec<Mine>>");
        assert_eq!(Kind::of::<(AioEvent, Option<u8>)>().text, "(AioEvent, Option<u8>)");
    }

    #[test]
    fn handles_of_other_kinds_do_not_fit() {
        assert!(Kind::of::<AioQueue<u8>>().fits(&Kind::of::<AioQueue<String>>()));
        assert!(!Kind::of::<AioQueue<u8>>().fits(&Kind::of::<AioEvent>()));
        // Of what is not ours, the name says nothing: two programs have two.
        assert!(Kind::named("one::Shared").fits(&Kind::named("other::Shared")));
        assert!(!Kind::named("other::AioEvent").fits(&Kind::of::<AioEvent>()));
    }
}
