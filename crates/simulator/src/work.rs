//! One call at work: what an endpoint knows besides the request, and which endpoint does it.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::{
    cache::Prompts,
    completion,
    config::{Config, Model},
    embedding,
    fault::Plan,
    lenient::Problem,
    moderation, ocr,
    prose::Random,
    refusal,
    reply::Reply,
    request, responses,
    route::Endpoint,
    speech, transcription,
};

/// What an endpoint of inference knows besides the request.
pub(crate) struct Work<'a> {
    pub(crate) config: &'a Config,
    pub(crate) plan: &'a Plan,
    /// The prompts that came before.
    pub(crate) prompts: &'a Prompts,
    pub(crate) bearer: &'a str,
    /// The call's number.
    pub(crate) call: u64,
}

impl Work<'_> {
    /// Answers a request at an endpoint of inference. `file` is the file of a form.
    pub(crate) fn infer(&self, endpoint: Endpoint, body: Option<&Value>, file: Option<&Bytes>) -> Reply {
        let body = match body {
            None => return refusal::unprocessable(&[Problem::no_json()]),
            Some(Value::Object(body)) => body,
            Some(other) => return refusal::unprocessable(&[Problem::no_object(other)]),
        };
        self.reply(endpoint, body, file).unwrap_or_else(|refusal| refusal)
    }

    fn reply(
        &self,
        endpoint: Endpoint,
        body: &Map<String, Value>,
        file: Option<&Bytes>,
    ) -> Result<Reply, Reply> {
        match endpoint {
            Endpoint::Chat => completion::reply(&valid(request::chat(body))?, endpoint, self),
            Endpoint::Fim => completion::reply(&valid(request::fim(body))?, endpoint, self),
            Endpoint::Embeddings => embedding::reply(&valid(request::embeddings(body))?, self),
            Endpoint::Moderations
            | Endpoint::ChatModerations
            | Endpoint::Classifications
            | Endpoint::ChatClassifications => moderation::reply(endpoint, body, self),
            Endpoint::Ocr => ocr::reply(body, self),
            Endpoint::Transcriptions => transcription::reply(body, file, self),
            Endpoint::Speech => speech::reply(body, self),
            Endpoint::Responses => responses::reply(body, self),
            Endpoint::ResponseTokens => responses::count(body, self),
            Endpoint::Realtime
            | Endpoint::Models
            | Endpoint::Model
            | Endpoint::Stored(_)
            | Endpoint::Other => Err(refusal::no_route()),
        }
    }

    /// The model of this name at this endpoint.
    pub(crate) fn model(&self, name: &str, endpoint: Endpoint) -> Result<&Model, Reply> {
        self.config.model(name, endpoint).ok_or_else(|| refusal::invalid_model(name))
    }

    /// The context of a model that can take so many tokens here.
    pub(crate) fn context(&self, model: &str, endpoint: Endpoint, tokens: u64) -> Result<u64, Reply> {
        let context = self.model(model, endpoint)?.context;
        if tokens > context { Err(refusal::too_long(tokens, context)) } else { Ok(context) }
    }

    /// The numbers that belong to these ones under the simulator's seed.
    pub(crate) fn random(&self, parts: &[u64]) -> Random {
        let mut all = vec![self.config.seed];
        all.extend_from_slice(parts);
        Random::of(&all)
    }

    /// The time in unix seconds.
    pub(crate) fn now(&self) -> i64 {
        (self.config.now)()
    }
}

/// What was read, or the refusal of it.
pub(crate) fn valid<T>(read: Result<T, Vec<Problem>>) -> Result<T, Reply> {
    read.map_err(|problems| refusal::unprocessable(&problems))
}
