//! The strict reading of a query string: known names, each at most once unless it is a list, and nothing that two
//! readers could disagree on.

/// What is wrong with a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A broken escape, or bytes that are no UTF-8 or no text.
    #[error("the query is not well formed")]
    Malformed,
    /// A name that the endpoint does not know; cut to 128 bytes.
    #[error("the query parameter {0:?} is not known here")]
    Unknown(String),
    /// A name that stands there twice.
    #[error("the query parameter {0:?} is there twice")]
    Twice(&'static str),
}

/// The parameters of a query, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(&'static str, String)>);

/// Reads a query (what stands behind the `?`) whose parameters must be among `known`. Names are compared as they stand
/// on the wire; values are decoded once, `+` being a space.
///
/// # Errors
/// See [`QueryError`].
pub fn read(query: Option<&str>, known: &[&'static str]) -> Result<Query, QueryError> {
    read_lists(query, known, &[])
}

/// Reads a query as [`read`] does; parameters that are among `lists` too may stand there several times.
///
/// # Errors
/// See [`QueryError`].
pub fn read_lists(
    query: Option<&str>,
    known: &[&'static str],
    lists: &[&'static str],
) -> Result<Query, QueryError> {
    let mut found: Vec<(&'static str, String)> = Vec::new();
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(name) = known.iter().find(|known| **known == name).copied() else {
            let shown = name.get(..name.floor_char_boundary(128)).unwrap_or_default();
            return Err(QueryError::Unknown(shown.to_owned()));
        };
        if !lists.contains(&name) && found.iter().any(|(seen, _)| *seen == name) {
            return Err(QueryError::Twice(name));
        }
        found.push((name, decoded(value).ok_or(QueryError::Malformed)?));
    }
    Ok(Query(found))
}

impl Query {
    /// A query of our own with one parameter.
    pub fn of(name: &'static str, value: &str) -> Self {
        Self(vec![(name, value.to_owned())])
    }

    /// The value of a parameter, the first of a list.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// The values of a list.
    pub fn all<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q str> {
        self.0.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// Whether a value is among those of a list, or the list is empty.
    pub fn wants(&self, name: &str, value: Option<&str>) -> bool {
        let mut wanted = self.all(name).peekable();
        wanted.peek().is_none() || wanted.any(|wanted| Some(wanted) == value)
    }

    /// The query as it goes upstream, with its `?`; empty when there is none.
    pub fn written(&self) -> String {
        let mut out = String::new();
        for (name, value) in &self.0 {
            out.push(if out.is_empty() { '?' } else { '&' });
            out.push_str(name);
            out.push('=');
            encode(value, &mut out);
        }
        out
    }
}

fn decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit =
                    |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                high.checked_mul(16)?.checked_add(low)?
            }
            other => other,
        });
    }
    let text = String::from_utf8(bytes).ok()?;
    (!text.chars().any(char::is_control)).then_some(text)
}

fn encode(value: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().map_or('0', char::from);
            out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_parameters_are_read_once_and_written_again() {
        let read = |query| read(Some(query), &["page", "model"]);
        let query = read("page=2&model=a%20b+c%26d").unwrap();
        assert_eq!(
            (query.get("page"), query.get("model"), query.get("x")),
            (Some("2"), Some("a b c&d"), None)
        );
        assert_eq!(query.written(), "?page=2&model=a%20b%20c%26d");
        assert_eq!(read("").unwrap().written(), "");
        assert_eq!(Query::of("model", "a&b=c").written(), "?model=a%26b%3Dc");
        assert_eq!(read("page=1&page=1"), Err(QueryError::Twice("page")));
        for unknown in ["Page=1", "%70age=1", "page[]=1", "x", "page%3d1", "page;model=1"] {
            assert!(matches!(read(unknown), Err(QueryError::Unknown(_))), "{unknown}");
        }
        for broken in ["page=%", "page=%4", "page=%zz", "page=%ff", "page=%00", "page=%0d%0a"] {
            assert_eq!(read(broken), Err(QueryError::Malformed), "{broken}");
        }
    }

    #[test]
    fn only_lists_have_several_values() {
        let query =
            read_lists(Some("source=api&page=1&source=a%20b"), &["page", "source"], &["source"]).unwrap();
        assert_eq!(query.all("source").collect::<Vec<_>>(), ["api", "a b"]);
        assert_eq!((query.get("source"), query.all("name").count()), (Some("api"), 0));
        assert!(query.wants("source", Some("a b")) && query.wants("name", None));
        assert!(!query.wants("source", Some("b")) && !query.wants("source", None));
        assert_eq!(query.written(), "?source=api&page=1&source=a%20b");
        let twice = read_lists(Some("page=1&page=1"), &["page", "source"], &["source"]);
        assert_eq!(twice, Err(QueryError::Twice("page")));
    }
}
