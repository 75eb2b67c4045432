//! Which of the simulator's endpoints a method and path mean.

use http::{Method, Uri};
use serde::Deserialize;

use crate::stored::{self, Noun};

/// An endpoint of the simulator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `POST /v1/chat/completions`
    Chat,
    /// `POST /v1/fim/completions`
    Fim,
    /// `POST /v1/embeddings`
    Embeddings,
    /// `GET /v1/models`
    Models,
    /// `GET /v1/models/{id}`
    Model,
    /// What is stored: files, batches, agents and the like.
    Stored(Noun),
    /// Whatever else was asked; answered with 404.
    #[default]
    Other,
}

impl Endpoint {
    /// Whether it shows models, rather than uses them.
    pub(crate) fn lists(self) -> bool {
        matches!(self, Self::Models | Self::Model)
    }
}

/// The endpoint meant; the query plays no part.
pub(crate) fn endpoint(method: &Method, uri: &Uri) -> Endpoint {
    if let Some(noun) = stored::noun(method, uri) {
        return Endpoint::Stored(noun);
    }
    match (method, uri.path()) {
        (&Method::POST, "/v1/chat/completions") => Endpoint::Chat,
        (&Method::POST, "/v1/fim/completions") => Endpoint::Fim,
        (&Method::POST, "/v1/embeddings") => Endpoint::Embeddings,
        (&Method::GET, "/v1/models") => Endpoint::Models,
        (&Method::GET, _) if model_id(uri).is_some() => Endpoint::Model,
        _ => Endpoint::Other,
    }
}

/// The model named in a path `/v1/models/{id}`, percent-decoded.
pub(crate) fn model_id(uri: &Uri) -> Option<String> {
    let id = uri.path().strip_prefix("/v1/models/")?;
    if id.is_empty() || id.contains('/') {
        return None;
    }
    let mut bytes = Vec::with_capacity(id.len());
    let mut rest = id.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_paths_are_routes() {
        let of = |method, path: &str| endpoint(&method, &path.parse().unwrap());
        assert_eq!(of(Method::POST, "/v1/chat/completions?x=1"), Endpoint::Chat);
        assert_eq!(of(Method::POST, "/v1/chat/completions/"), Endpoint::Other);
        assert_eq!(of(Method::GET, "/v1/chat/completions"), Endpoint::Other);
        assert_eq!(of(Method::GET, "/v1/models/a%2Fb"), Endpoint::Model);
        assert_eq!(model_id(&"/v1/models/a%2Fb".parse().unwrap()).unwrap(), "a/b");
        assert_eq!(of(Method::GET, "/v1/models/a/b"), Endpoint::Other);
        assert_eq!(of(Method::GET, "/v1/models/%zz"), Endpoint::Other);
    }
}
