//! What names and descriptions may look like: nothing that reads as another name.

use crate::error::ControlError;
use louver_domain::folding::{caseless, composed};

const LONGEST_NAME: usize = 255;
const LONGEST_DESCRIPTION: usize = 2000;

/// Characters that are not seen, or that turn the text around them.
const UNSEEN: [(char, char); 19] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
    ('\u{e000}', '\u{f8ff}'),
];

fn is_unseen(character: char) -> bool {
    UNSEEN.iter().any(|(first, last)| (*first..=*last).contains(&character))
}

/// Checks a name for people: 1 to 255 characters, seen as they are, without spaces around.
pub(crate) fn check(field: &str, name: &str) -> Result<(), ControlError> {
    let count = name.chars().count();
    if count == 0 || count > LONGEST_NAME {
        return Err(ControlError::field(field, "must have 1 to 255 characters"));
    }
    if name.trim() != name {
        return Err(ControlError::field(field, "must not begin or end with a space"));
    }
    if name.chars().any(|c| c.is_control() || is_unseen(c)) {
        return Err(ControlError::field(field, "must not hold control, invisible or direction characters"));
    }
    if name.chars().any(|c| c.is_whitespace() && c != ' ') {
        return Err(ControlError::field(field, "must not hold another space than the usual one"));
    }
    Ok(())
}

/// A name for people as it is stored: checked, and with its accents composed.
pub(crate) fn read(field: &str, name: &str) -> Result<String, ControlError> {
    let name = composed(name);
    check(field, &name)?;
    Ok(name)
}

/// Refuses a name that one of the others differs from in case or composition only.
pub(crate) fn must_be_new<'a>(
    name: &str,
    others: impl IntoIterator<Item = &'a str>,
    sentence: &str,
) -> Result<(), ControlError> {
    let wanted = caseless(name);
    match others.into_iter().any(|other| caseless(other) == wanted) {
        true => Err(ControlError::Conflict(sentence.to_owned())),
        false => Ok(()),
    }
}

/// Checks a description for people; lines and tabs are allowed.
pub(crate) fn check_description(text: Option<&str>) -> Result<(), ControlError> {
    let Some(text) = text else { return Ok(()) };
    if text.chars().count() > LONGEST_DESCRIPTION {
        return Err(ControlError::field("description", "must have at most 2,000 characters"));
    }
    if text.chars().any(|c| (c.is_control() && !"\n\r\t".contains(c)) || is_unseen(c)) {
        return Err(ControlError::field(
            "description",
            "must not hold control, invisible or direction characters",
        ));
    }
    Ok(())
}

/// Checks an icon: what is seen, and what joins or colours the parts of an emoji. Its length is the wire's to judge.
pub(crate) fn check_icon(icon: Option<&str>) -> Result<(), ControlError> {
    let part_of_emoji = |c: char| matches!(c, '\u{200d}' | '\u{fe0e}' | '\u{fe0f}');
    let hidden = |c: char| c.is_control() || (is_unseen(c) && !part_of_emoji(c));
    match icon.is_some_and(|icon| icon.chars().any(hidden)) {
        true => Err(ControlError::field("icon", "must not hold control, invisible or direction characters")),
        false => Ok(()),
    }
}

/// Checks a mail address as far as that makes sense without sending to it, and writes it in small letters.
pub(crate) fn read_email(field: &str, email: &str) -> Result<String, ControlError> {
    check(field, email)?;
    // Letters of other scripts look like these, and a comma parts addresses; domains have a form in plain letters.
    let local_sound = |c: char| c.is_ascii_graphic() && c != ',';
    let domain_sound = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let sound = email.split_once('@').is_some_and(|(local, domain)| {
        let there = !local.is_empty() && !domain.is_empty();
        there && local.chars().all(local_sound) && domain.chars().all(domain_sound)
    });
    sound
        .then(|| email.to_ascii_lowercase())
        .ok_or_else(|| ControlError::field(field, "expected a mail address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_seen_as_they_are() {
        for good in ["a", "Dev team — small models only", "été", "数据", &"x".repeat(255)] {
            assert!(check("name", good).is_ok(), "{good}");
        }
        for bad in [
            "",
            " a",
            "a ",
            "a\n",
            "a\u{202e}b",
            "a\u{200b}b",
            "\u{feff}a",
            "\u{0}",
            "a\u{a0}b",
            "a\u{3000}b",
            &"x".repeat(256),
        ] {
            assert!(check("name", bad).is_err(), "{bad:?}");
        }
        assert_eq!(read("name", "e\u{301}te\u{301}").unwrap(), "été");
        assert!(must_be_new("Été", ["été"], "").is_err() && must_be_new("Ete", ["été"], "").is_ok());
        assert_eq!(read_email("email", "Ann@Example.org").unwrap(), "ann@example.org");
        for bad in ["ann", "@x", "a@", "a@b@c", "a b@c", "a,b@c", "а@c", "a@bücher.de", "a@b_c", "\u{212a}@c"]
        {
            assert!(read_email("email", bad).is_err(), "{bad}");
        }
    }
}
