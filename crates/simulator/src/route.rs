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
    /// `POST /v1/moderations`
    Moderations,
    /// `POST /v1/chat/moderations`
    ChatModerations,
    /// `POST /v1/classifications`
    Classifications,
    /// `POST /v1/chat/classifications`
    ChatClassifications,
    /// `POST /v1/ocr`
    Ocr,
    /// `POST /v1/audio/transcriptions`
    Transcriptions,
    /// `GET /v1/audio/transcriptions/realtime`, a WebSocket
    Realtime,
    /// `POST /v1/audio/speech`
    Speech,
    /// `POST /v1/responses`
    Responses,
    /// `POST /v1/responses/input_tokens`
    ResponseTokens,
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

/// The endpoints that take a body and answer from a model.
const INFERENCE: [(&str, Endpoint); 12] = [
    ("/v1/chat/completions", Endpoint::Chat),
    ("/v1/fim/completions", Endpoint::Fim),
    ("/v1/embeddings", Endpoint::Embeddings),
    ("/v1/moderations", Endpoint::Moderations),
    ("/v1/chat/moderations", Endpoint::ChatModerations),
    ("/v1/classifications", Endpoint::Classifications),
    ("/v1/chat/classifications", Endpoint::ChatClassifications),
    ("/v1/ocr", Endpoint::Ocr),
    ("/v1/audio/transcriptions", Endpoint::Transcriptions),
    ("/v1/audio/speech", Endpoint::Speech),
    ("/v1/responses", Endpoint::Responses),
    ("/v1/responses/input_tokens", Endpoint::ResponseTokens),
];

impl Endpoint {
    /// Whether it shows models, rather than uses them.
    pub(crate) fn lists(self) -> bool {
        matches!(self, Self::Models | Self::Model)
    }

    /// The endpoint of inference at this path, which a batch may name, too.
    pub(crate) fn inference(path: &str) -> Option<Self> {
        INFERENCE.into_iter().find(|(known, _)| *known == path).map(|(_, endpoint)| endpoint)
    }

    /// Whether it takes a body and answers from a model.
    pub(crate) fn infers(self) -> bool {
        INFERENCE.iter().any(|(_, endpoint)| *endpoint == self)
    }
}

/// The endpoint meant; the query plays no part. As in a Python service a path may be percent-encoded.
pub(crate) fn endpoint(method: &Method, uri: &Uri) -> Endpoint {
    if let Some(noun) = stored::noun(method, uri) {
        return Endpoint::Stored(noun);
    }
    if *method == Method::POST {
        let path = decoded(uri.path());
        return path.and_then(|path| Endpoint::inference(&path)).unwrap_or_default();
    }
    match (method, decoded(uri.path()).as_deref()) {
        (&Method::GET, Some("/v1/models")) => Endpoint::Models,
        (&Method::GET, Some("/v1/audio/transcriptions/realtime")) => Endpoint::Realtime,
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
    decoded(id)
}

/// A text without its percent-encoding, unless that is no UTF-8 or no encoding.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
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

/// The value of a parameter of the query; of one given twice the last one counts.
pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = query.rsplit('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let plain = |text: &str| decoded(&text.replace('+', " "));
    pairs.filter(|(key, _)| plain(key).as_deref() == Some(name)).find_map(|(_, value)| plain(value))
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
        assert_eq!(of(Method::POST, "/v1/%63hat/completions"), Endpoint::Chat);
        assert_eq!(of(Method::POST, "//v1/chat/completions"), Endpoint::Other);
        for (path, endpoint) in INFERENCE {
            assert_eq!(of(Method::POST, path), endpoint);
            assert!(endpoint.infers());
        }
    }

    #[test]
    fn of_a_parameter_given_twice_the_last_counts() {
        assert_eq!(parameter("model=a&x=1&%6dodel=b+c%2B", "model").as_deref(), Some("b c+"));
        assert_eq!(parameter("Model=a", "model"), None);
    }
}
