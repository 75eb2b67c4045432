//! The query of a request, read as a Python service does: of a parameter given twice the last one counts.

use serde_json::{Value, json};

use crate::lenient;

/// The parameters of a query, in order.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query; what is no UTF-8 is replaced.
    pub(crate) fn read(query: &str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(&name.replace('+', " ")), decoded(&value.replace('+', " ")))
        };
        Self(pairs.map(pair).collect())
    }

    /// The last value of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rfind(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All values of this name.
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A number.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        lenient::integer(&Value::String(self.get(name)?.to_owned()))
    }

    /// Whether a value is among those wanted, or none are.
    pub(crate) fn wants(&self, name: &str, value: Option<&str>) -> bool {
        let mut wanted = self.all(name).peekable();
        wanted.peek().is_none() || wanted.any(|wanted| Some(wanted) == value)
    }

    /// The things that follow a `page_token`, and the token of those behind them; a token is where they begin.
    pub(super) fn cursor<T>(&self, things: Vec<T>, size: i64) -> (Vec<T>, Option<String>) {
        let size = usize::try_from(self.number("page_size").unwrap_or(size).clamp(1, 1000)).unwrap_or(1);
        let from: usize = self.get("page_token").and_then(|token| token.parse().ok()).unwrap_or(0);
        let next = from.saturating_add(size);
        let more = (next < things.len()).then(|| next.to_string());
        (things.into_iter().skip(from).take(size).collect(), more)
    }

    /// What is said beside a page of so many things.
    pub(super) fn pagination(&self, total: usize, size: i64) -> Value {
        let size = self.number("page_size").unwrap_or(size).clamp(1, 1000);
        let page = self.number("page").unwrap_or(0).max(0);
        let pages = total.div_ceil(usize::try_from(size).unwrap_or(1));
        let more = usize::try_from(page.saturating_add(1)).is_ok_and(|next| next < pages);
        json!({"total_items": total, "total_pages": pages, "current_page": page, "page_size": size,
            "has_more": more})
    }

    /// A page of things: pages are counted from 0.
    pub(crate) fn page<T>(&self, things: Vec<T>, size: i64) -> Vec<T> {
        let size = usize::try_from(self.number("page_size").unwrap_or(size).clamp(1, 1000)).unwrap_or(1);
        let page = usize::try_from(self.number("page").unwrap_or(0)).unwrap_or(0);
        things.into_iter().skip(page.saturating_mul(size)).take(size).collect()
    }
}

/// A text without its percent-encoding; what is none stays.
pub(crate) fn decoded(text: &str) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if let (b'%', Some(high), Some(low)) = (first, digit(tail.first()), digit(tail.get(1))) {
            bytes.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
            rest = tail.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_several_counts() {
        let query = Query::read("page=1&page=%32&purpose=a+b&x&page_size=2");
        assert_eq!(
            (query.number("page"), query.get("purpose"), query.get("x")),
            (Some(2), Some("a b"), Some(""))
        );
        assert_eq!(query.page((0..6).collect(), 100), [4, 5]);
        assert!(
            query.wants("other", None) && query.wants("purpose", Some("a b")) && !query.wants("page", None)
        );
        assert_eq!(query.cursor(vec![0, 1, 2], 9), (vec![0, 1], Some("2".to_owned())));
        assert_eq!(Query::read("page_token=2").cursor(vec![0, 1, 2], 9), (vec![2], None));
        assert_eq!(decoded("a%2Fb%zz%"), "a/b%zz%");
    }
}
