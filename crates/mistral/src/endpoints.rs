//! The routes of Mistral's inference API that exist here: exact raw paths, everything else is absent.

pub mod described;

/// One operation of the inference API that the gateway knows how to price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Endpoint {
    /// `POST /v1/chat/completions`.
    ChatCompletions,
    /// `POST /v1/fim/completions`.
    FimCompletions,
    /// `POST /v1/embeddings`.
    Embeddings,
    /// `GET /v1/models`.
    ListModels,
    /// `GET /v1/models/{id}`.
    GetModel,
}

/// What a method and a raw path mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route<'p> {
    /// An operation without path parameters.
    Call(Endpoint),
    /// [`Endpoint::GetModel`] with the id from the path, which matches
    /// `^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$`.
    Model(&'p str),
    /// The path exists, the method does not: the value of the `Allow` header.
    MethodNotAllowed(&'static str),
    /// No such path.
    NotFound,
}

impl Endpoint {
    /// Every endpoint, in a fixed order.
    pub const ALL: [Self; 5] =
        [Self::ChatCompletions, Self::FimCompletions, Self::Embeddings, Self::ListModels, Self::GetModel];

    /// The name used in policies, ledgers and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat.completions",
            Self::FimCompletions => "fim.completions",
            Self::Embeddings => "embeddings",
            Self::ListModels => "models",
            Self::GetModel => "models.get",
        }
    }

    /// The endpoint with that [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|endpoint| endpoint.name() == name)
    }

    /// The one method it answers to.
    pub const fn method(self) -> &'static str {
        match self {
            Self::ChatCompletions | Self::FimCompletions | Self::Embeddings => "POST",
            Self::ListModels | Self::GetModel => "GET",
        }
    }

    /// The path, the same here and upstream; for [`Endpoint::GetModel`] the part before the id.
    pub const fn path(self) -> &'static str {
        match self {
            Self::ChatCompletions => "/v1/chat/completions",
            Self::FimCompletions => "/v1/fim/completions",
            Self::Embeddings => "/v1/embeddings",
            Self::ListModels => "/v1/models",
            Self::GetModel => "/v1/models/",
        }
    }
}

/// Finds the route of a method and a raw path (without the query).
///
/// The path is compared as it stands on the wire: no percent decoding, no
/// collapsing of slashes or dots, no case folding. A path that another parser
/// could read as one of these, but that is not spelled so, does not exist.
pub fn route<'p>(method: &str, raw_path: &'p str) -> Route<'p> {
    for endpoint in
        [Endpoint::ChatCompletions, Endpoint::FimCompletions, Endpoint::Embeddings, Endpoint::ListModels]
    {
        if raw_path == endpoint.path() {
            return allowed(endpoint, method, Route::Call(endpoint));
        }
    }
    match raw_path.strip_prefix(Endpoint::GetModel.path()) {
        Some(id) if is_path_id(id) => allowed(Endpoint::GetModel, method, Route::Model(id)),
        _ => Route::NotFound,
    }
}

fn allowed<'p>(endpoint: Endpoint, method: &str, route: Route<'p>) -> Route<'p> {
    if method == endpoint.method() { route } else { Route::MethodNotAllowed(endpoint.method()) }
}

fn is_path_id(id: &str) -> bool {
    let mut bytes = id.bytes();
    id.len() <= 128
        && bytes.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_paths_route() {
        assert_eq!(route("POST", "/v1/chat/completions"), Route::Call(Endpoint::ChatCompletions));
        assert_eq!(route("POST", "/v1/fim/completions"), Route::Call(Endpoint::FimCompletions));
        assert_eq!(route("POST", "/v1/embeddings"), Route::Call(Endpoint::Embeddings));
        assert_eq!(route("GET", "/v1/models"), Route::Call(Endpoint::ListModels));
        assert_eq!(route("GET", "/v1/models/ft:open:x-1.2_3"), Route::Model("ft:open:x-1.2_3"));
        let longest = "a".repeat(128);
        assert_eq!(route("GET", &format!("/v1/models/{longest}")), Route::Model(&longest));
    }

    #[test]
    fn other_methods_name_the_right_one() {
        for method in ["GET", "post", "HEAD", "OPTIONS", "PUT", "DELETE", "CONNECT", "TRACE", "", "POST "] {
            for path in ["/v1/chat/completions", "/v1/fim/completions", "/v1/embeddings"] {
                assert_eq!(route(method, path), Route::MethodNotAllowed("POST"), "{method} {path}");
            }
        }
        for method in ["POST", "get", "HEAD", "DELETE", "PATCH"] {
            for path in ["/v1/models", "/v1/models/mistral-small-latest"] {
                assert_eq!(route(method, path), Route::MethodNotAllowed("GET"), "{method} {path}");
            }
        }
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
        "/v1/responses",
        "/v1/agents/completions",
        "/v1/conversations",
        "/v1/ocr",
        "/v1/files",
        "/v1/batch/jobs",
        "/v1/client/sessions",
        "/v1/moderations",
        "/v1/embeddings/",
        "/v1/fim/completions/",
        "/v1/audio/speech",
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

    #[test]
    fn names_go_both_ways() {
        for endpoint in Endpoint::ALL {
            assert_eq!(Endpoint::from_name(endpoint.name()), Some(endpoint));
        }
        assert_eq!(Endpoint::from_name("Chat.completions"), None);
    }
}
