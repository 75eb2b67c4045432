//! Header values of the shape `head; name=value; name="value"`, read in the one way that all parsers agree
//! on.

/// No header of a form has more.
const MAX_PARAMETERS: usize = 8;

/// A header value, taken apart.
pub(super) struct Parameters<'a> {
    /// What stands before the first `;`, without blanks at its end.
    pub(super) head: &'a str,
    /// Names as written, and values without their quotes; no name stands here twice, in whatever case.
    pub(super) list: Vec<(&'a str, &'a str)>,
}

/// Whether `text` is a token (RFC 9110, 5.6.2).
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Takes a value apart.
///
/// # Errors
/// What is wrong, for people: a parameter given twice, an extended one (`name*`), an escape, a control
/// character, or anything that is not of this grammar.
pub(super) fn parse(text: &str) -> Result<Parameters<'_>, &'static str> {
    if text.chars().any(char::is_control) {
        return Err("a header of the form has a control character");
    }
    let (head, mut rest) = text.split_at(text.find(';').unwrap_or(text.len()));
    let mut parameters = Parameters { head: head.trim_end_matches(' '), list: Vec::new() };
    while let Some(parameter) = rest.strip_prefix(';') {
        let (name, value, behind) = one(parameter.trim_start_matches(' '))?;
        if parameters.list.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            return Err("a header of the form has the same parameter twice");
        }
        if parameters.list.len() >= MAX_PARAMETERS {
            return Err("a header of the form has too many parameters");
        }
        parameters.list.push((name, value));
        rest = behind.trim_start_matches(' ');
    }
    if rest.is_empty() { Ok(parameters) } else { Err("the parameters of a header of the form are malformed") }
}

/// One parameter from its name on: name, value, and what follows.
fn one(text: &str) -> Result<(&str, &str, &str), &'static str> {
    let (name, value) = text.split_once('=').ok_or("a parameter in a header of the form has no value")?;
    if !is_token(name) {
        return Err("a parameter in a header of the form has a malformed name");
    }
    // Whether `name*` or `name` wins differs from parser to parser; RFC 7578, 4.2 forbids it.
    if name.contains('*') {
        return Err("extended parameters, as `filename*`, are not allowed in a form");
    }
    let (value, behind) = match value.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').ok_or("a quoted value in a header of the form has no end")?,
        None => value.split_at(value.bytes().position(|byte| !is_token_byte(byte)).unwrap_or(value.len())),
    };
    // To some parsers `\"` ends the value, to others it does not.
    if value.contains('\\') {
        return Err("a quoted value in a header of the form has a backslash");
    }
    Ok((name, value, behind))
}
