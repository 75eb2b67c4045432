//! Answers as they are to stand on the wire, in `golden.json` by the name of their type.

use serde::Serialize;
use serde_json::{Map, Value};

/// All of them.
pub(super) fn all() -> Map<String, Value> {
    serde_json::from_str(include_str!("golden.json")).unwrap()
}

/// The answer of a type is what the file has under the type's name.
#[track_caller]
pub(super) fn is<T: Serialize>(name: &str, answer: &T) {
    let got = serde_json::to_value(answer).unwrap();
    let all = all();
    let wanted = all.get(name).unwrap_or_else(|| panic!("{name} is not in golden.json; it is {got:#}"));
    assert_eq!(&got, wanted, "{name}");
}
