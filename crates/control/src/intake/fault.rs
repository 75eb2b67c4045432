//! From serde's words to a fault that names the field and never repeats the value.

use crate::error::{Fault, Step};
use louver_domain::keys::looks_like_key;
use serde_path_to_error::{Error, Path, Segment};

/// The longest name of an unknown field that is repeated to the caller.
const LONGEST_NAME: usize = 64;

/// The fault behind an error of shape.
pub(crate) fn of(error: &Error<serde_json::Error>) -> Fault {
    let text = error.inner().to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    let mut loc = steps(error.path());
    if let Some(name) = quoted(text, "missing field `") {
        loc.push(Step::Name(name));
        return Fault { loc, message: "is required".into(), kind: "missing" };
    }
    if let Some(name) = quoted(text, "unknown field `") {
        if loc.last() != Some(&Step::Name(name.clone())) && is_plain(&name) {
            loc.push(Step::Name(name));
        }
        return Fault { loc, message: "is not a known field".into(), kind: "extra_forbidden" };
    }
    // serde says "invalid type: <the value>, expected <what>"; only the last part is ours to repeat.
    let said = ["invalid type: ", "invalid value: ", "invalid length ", "unknown variant `"];
    let text = text.replace("expected u64", "expected a whole number, zero or more");
    let message = match said.iter().any(|start| text.starts_with(start)) {
        true => {
            format!("expected {}", text.rsplit_once("expected ").map_or("something else", |(_, what)| what))
        }
        false => format!("expected {text}"),
    };
    Fault { loc, message, kind: "type_error" }
}

fn quoted(text: &str, start: &str) -> Option<String> {
    // The name ends at the last quote before what was expected instead, so that a quote inside does not cut it.
    let rest = text.strip_prefix(start)?;
    let rest =
        rest.split_once("`, expected ").or_else(|| rest.split_once("`, there are ")).map_or(rest, |(n, _)| n);
    Some(rest.trim_end_matches('`').to_owned())
}

fn steps(path: &Path) -> Vec<Step> {
    let mut loc = vec![Step::Name("body".into())];
    for segment in path {
        match segment {
            Segment::Seq { index } => loc.push(Step::Index(*index)),
            Segment::Map { key } if is_plain(key) => loc.push(Step::Name(key.clone())),
            Segment::Map { .. } | Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    loc
}

fn is_plain(name: &str) -> bool {
    name.len() <= LONGEST_NAME && !looks_like_key(name) && !name.chars().any(char::is_control)
}
