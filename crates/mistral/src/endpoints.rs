//! The routes of Mistral's inference API that exist here: exact raw paths, everything else is absent.

pub mod described;
mod table;

pub use table::{Endpoint, Row};

use std::borrow::Cow;

/// How a request to an endpoint is handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Louver answers by itself.
    Models,
    /// A body in JSON for a model, whose answer is metered.
    Call,
    /// Something that is kept upstream is made, shown, changed or deleted.
    Object,
    /// A form with a file.
    Upload,
    /// A WebSocket.
    Socket,
}

/// An operation that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<'p> {
    /// Which.
    pub endpoint: Endpoint,
    /// The ids in the path, in their order; each matches `^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$`.
    ids: [&'p str; 2],
}

/// What a method and a raw path mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route<'p> {
    /// An operation.
    Asked(Asked<'p>),
    /// The path exists, the method does not: the value of the `Allow` header.
    MethodNotAllowed(String),
    /// No such path.
    NotFound,
}

impl<'p> Asked<'p> {
    /// The first id in the path; empty where there is none.
    pub const fn id(&self) -> &'p str {
        self.ids[0]
    }

    /// The second id in the path; empty where there is none.
    pub const fn second_id(&self) -> &'p str {
        self.ids[1]
    }

    /// The path upstream: made from the template and the ids, never from what the client wrote around them.
    pub fn path(&self) -> String {
        let mut ids = self.ids.iter();
        let mut path = String::with_capacity(64);
        for segment in segments(self.endpoint.path()) {
            path.push('/');
            path.push_str(if is_parameter(segment) {
                ids.next().copied().unwrap_or_default()
            } else {
                segment
            });
        }
        path
    }
}

/// A raw path with the colons of its ids as they are: Mistral's TypeScript client writes `ft:a:b` as `ft%3Aa%3Ab`.
///
/// Nothing else is decoded, and that once. No word of a route has a colon, so this changes ids only; what goes upstream
/// is written from the ids.
pub fn with_colons(raw_path: &str) -> Cow<'_, str> {
    if raw_path.contains("%3A") { raw_path.replace("%3A", ":").into() } else { raw_path.into() }
}

/// Finds the route of a method and a raw path (without the query).
///
/// The path is compared as it stands on the wire: no percent decoding (but [`with_colons`]), no
/// collapsing of slashes or dots, no case folding. A path that another parser
/// could read as one of these, but that is not spelled so, does not exist.
pub fn route<'p>(method: &str, raw_path: &'p str) -> Route<'p> {
    let mut allowed: Vec<&str> = Vec::new();
    for endpoint in Endpoint::ALL.iter().copied() {
        let Some(ids) = matches(endpoint.path(), raw_path) else { continue };
        if method == endpoint.method() {
            return Route::Asked(Asked { endpoint, ids });
        }
        if !allowed.contains(&endpoint.method()) {
            allowed.push(endpoint.method());
        }
    }
    if allowed.is_empty() { Route::NotFound } else { Route::MethodNotAllowed(allowed.join(", ")) }
}

/// The ids in a path that is written as the template says.
fn matches<'p>(template: &str, path: &'p str) -> Option<[&'p str; 2]> {
    let mut found = [""; 2];
    if template == path {
        return Some(found);
    }
    let mut places = found.iter_mut();
    let (mut wanted, mut given) = (segments(template), segments(path));
    if !path.starts_with('/') {
        return None;
    }
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(found),
            (Some(parameter), Some(id)) if is_parameter(parameter) && is_path_id(id) => *places.next()? = id,
            (Some(literal), Some(segment)) if !is_parameter(literal) && literal == segment => {}
            _ => return None,
        }
    }
}

/// What stands between the slashes, behind the first one.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

fn is_parameter(segment: &str) -> bool {
    segment.starts_with('{')
}

/// Whether an id may stand in a path.
pub fn is_path_id(id: &str) -> bool {
    let mut bytes = id.bytes();
    id.len() <= 128
        && bytes.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_routes_and_is_written_again() {
        for endpoint in Endpoint::ALL.iter().copied() {
            let path: String = endpoint.path().replace(['{', '}'], "");
            let Route::Asked(asked) = route(endpoint.method(), &path) else { panic!("{path}") };
            assert_eq!((asked.endpoint, asked.path()), (endpoint, path));
        }
        let longest = "a".repeat(128);
        for id in ["ft:open:x-1.2_3", &longest] {
            let path = format!("/v1/models/{id}");
            let Route::Asked(asked) = route("GET", &path) else { panic!("{path}") };
            assert_eq!((asked.endpoint, asked.id(), asked.second_id()), (Endpoint::GetModel, id, ""));
        }
    }

    #[test]
    fn two_operations_are_never_one() {
        for (place, endpoint) in Endpoint::ALL.iter().enumerate() {
            for other in &Endpoint::ALL[place + 1..] {
                assert_ne!((endpoint.method(), endpoint.path()), (other.method(), other.path()));
                assert_ne!(endpoint.row().operation, other.row().operation);
            }
        }
    }

    #[test]
    fn other_methods_name_the_right_one() {
        for method in ["GET", "post", "HEAD", "OPTIONS", "PUT", "DELETE", "CONNECT", "TRACE", "", "POST "] {
            for path in ["/v1/chat/completions", "/v1/fim/completions", "/v1/embeddings"] {
                assert_eq!(route(method, path), Route::MethodNotAllowed("POST".into()), "{method} {path}");
            }
        }
        for method in ["POST", "get", "HEAD", "PATCH"] {
            for path in ["/v1/models", "/v1/models/mistral-small-latest"] {
                let Route::MethodNotAllowed(allowed) = route(method, path) else { panic!("{method} {path}") };
                assert!(allowed.split(", ").any(|allowed| allowed == "GET"), "{method} {path}");
            }
        }
    }

    #[test]
    fn colons_are_read_in_both_spellings_and_nothing_else_is() {
        let path = with_colons("/v1/models/ft%3Aopen%3Ax-1");
        let Route::Asked(asked) = route("GET", &path) else { panic!() };
        assert_eq!((asked.id(), asked.path().as_str()), ("ft:open:x-1", "/v1/models/ft:open:x-1"));
        for path in
            ["/v1/models/a%253Ab", "/v1/models/a%3ab", "/v1/models/%3Aa", "/v1/models/a%2Fb", "/v1%3Amodels"]
        {
            assert_eq!(route("GET", &with_colons(path)), Route::NotFound, "{path}");
        }
        for path in TRICKS {
            assert_eq!(with_colons(path), *path);
        }
    }

    #[test]
    fn words_in_a_path_come_before_ids() {
        let Route::Asked(asked) = route("GET", "/v1/agents/pages") else { panic!() };
        assert_eq!((asked.endpoint, asked.id()), (Endpoint::ListAgentPages, ""));
        assert_eq!(route("PUT", "/v1/agents/pages"), Route::MethodNotAllowed("GET, PATCH, DELETE".into()));
    }

    const TRICKS: &[&str] = &[
        "",
        "/",
        "*",
        "v1/chat/completions",
        "//v1/chat/completions",
        "/v1//chat/completions",
        "/v1//chat",
        "/v1/./chat/completions",
        "/v1/x/../chat/completions",
        "/v1/chat/../chat/completions",
        "/v1/%63hat/completions",
        "/v1/chat%2fcompletions",
        "/v1/chat%2Fcompletions",
        "/v1/%2e%2e/v1/chat/completions",
        "/v1/chat/completions/",
        "/v1/chat/completions;x=1",
        "/v1;x=1/chat/completions",
        "/v1/chat\\completions",
        "\\v1\\chat\\completions",
        "/v1/chat/completions%00",
        "/v1/chat/completions\0",
        "/V1/chat/completions",
        "/v1/Chat/Completions",
        "/v1/chat/completions ",
        " /v1/chat/completions",
        "/v1/chat/completions\t",
        "/v1/chat/completions\r\n",
        "/v1/chat/completions?model=x",
        "/v1/chat/completions#stream",
        "http://api.mistral.ai/v1/chat/completions",
        "https://evil.test/v1/chat/completions",
        "//evil.test/v1/chat/completions",
        "\\\\evil.test/x",
        "/v1/chat/%c0%afcompletions",
        "/v1/chat/completions%2f",
        "/v2/chat/completions",
        "/v1/chat",
        "/v1/completions",
        "/v1/messages",
        "/v1/client/sessions",
        "/v1/embeddings/",
        "/v1/fim/completions/",
        "/v1/chat/completions\u{ff0f}",
        "/v1/ch\u{0430}t/completions",
        "/chat/completions",
        "/v1/models/",
        "/v1/models//",
        "/v1/models/a/b",
        "/v1/models/%61",
        "/v1/models/a%00",
        "/v1/models/..",
        "/v1/models/.",
        "/v1/models/-a",
        "/v1/models/a\\b",
        "/v1/models/a;b",
        "/v1/models/a b",
        "/v1/models/a?b",
        "/v1/models/a\0",
        "/v1/models/é",
        "/v1/models/a\n",
        "/v1/models/_a",
        "/v1/models/a/",
        "/v1//models/a",
        "/v1/models/%2e%2e",
        "/v1/Models",
    ];

    #[test]
    fn path_tricks_find_nothing() {
        for path in TRICKS {
            for method in ["GET", "POST"] {
                assert_eq!(route(method, path), Route::NotFound, "{method} {path:?}");
            }
        }
        let long = format!("/v1/models/{}", "a".repeat(129));
        assert_eq!(route("GET", &long), Route::NotFound);
    }
}
