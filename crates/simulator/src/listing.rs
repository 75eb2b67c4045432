//! Answers the models endpoints; every alias is an entry of its own, as at Mistral.

use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{config::Model, refusal, reply::Reply, route::Endpoint};

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Shown<'a>>,
}

/// An entry of the list.
#[derive(Serialize)]
#[serde(untagged)]
enum Shown<'a> {
    Base(Box<Card<'a>>),
    Tuned(&'a Map<String, Value>),
}

#[derive(Serialize)]
struct Card<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    owned_by: &'static str,
    capabilities: Capabilities,
    name: &'a str,
    description: &'static str,
    max_context_length: u64,
    aliases: Vec<&'a str>,
    deprecation: Option<()>,
    deprecation_replacement_model: Option<()>,
    default_model_temperature: f32,
    billing_model_name: &'a str,
    r#type: &'static str,
}

#[derive(Serialize, Default)]
struct Capabilities {
    completion_chat: bool,
    function_calling: bool,
    reasoning: bool,
    completion_fim: bool,
    fine_tuning: bool,
    vision: bool,
    ocr: bool,
    classification: bool,
    moderation: bool,
    audio: bool,
    audio_transcription: bool,
    audio_transcription_realtime: bool,
    audio_speech: bool,
}

/// All models, those fine-tuned by the organization last.
pub(crate) fn all(models: &[Model], tuned: &[Map<String, Value>], created: i64) -> Reply {
    let base = models.iter().flat_map(|model| model.names().map(move |name| card(model, name, created)));
    let data = base.map(Box::new).map(Shown::Base).chain(tuned.iter().map(Shown::Tuned));
    Reply::json(StatusCode::OK, &List { object: "list", data: data.collect() })
}

/// One model by its id or an alias.
pub(crate) fn one(models: &[Model], name: &str, created: i64) -> Reply {
    match models.iter().find(|model| model.names().any(|known| known == name)) {
        Some(model) => Reply::json(StatusCode::OK, &card(model, name, created)),
        None => refusal::no_model(name),
    }
}

fn card<'a>(model: &'a Model, name: &'a str, created: i64) -> Card<'a> {
    let at = |endpoint: Endpoint| model.endpoints.contains(&endpoint);
    let chat = at(Endpoint::Chat);
    Card {
        id: name,
        object: "model",
        created,
        owned_by: "mistralai",
        capabilities: Capabilities {
            completion_chat: chat,
            function_calling: chat,
            completion_fim: at(Endpoint::Fim),
            ocr: at(Endpoint::Ocr),
            classification: at(Endpoint::Classifications) || at(Endpoint::ChatClassifications),
            moderation: at(Endpoint::Moderations) || at(Endpoint::ChatModerations),
            audio_transcription: at(Endpoint::Transcriptions),
            audio_transcription_realtime: at(Endpoint::Realtime),
            audio_speech: at(Endpoint::Speech),
            ..Capabilities::default()
        },
        name: &model.id,
        description: "A simulated model; no model answers.",
        max_context_length: model.context,
        aliases: model.names().filter(|other| *other != name).collect(),
        deprecation: None,
        deprecation_replacement_model: None,
        default_model_temperature: 0.3,
        billing_model_name: &model.id,
        r#type: "base",
    }
}
