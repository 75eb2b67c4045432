//! `GET /v1/models`: in Mistral's shape, just the models that the key may use, one entry for every name.

use crate::authn::Caller;
use crate::snapshot::visible;
use louver_domain::endpoints::EndpointKind;
use louver_domain::models::{Catalogue, Model};
use louver_mistral::models::{Capabilities, ModelCard, list};
use louver_mistral::query::Query;

/// What the list may be asked by.
pub(crate) const PARAMETERS: &[&str] = &["provider", "model"];

/// The whole list, or what has that name or owner.
pub(crate) fn all(caller: &Caller, asked: &Query) -> Vec<u8> {
    let catalogue = &caller.snapshot.catalogue;
    let models =
        visible(&caller.snapshot, &caller.key).map(|(_, model)| model).filter(|model| model.is_called());
    let cards: Vec<ModelCard<'_>> = models
        .flat_map(|model| names(catalogue, model).map(move |name| card(catalogue, model, name)))
        .filter(|card| asked.wants("model", Some(&card.id)) && asked.wants("provider", Some(&card.owned_by)))
        .collect();
    list(&cards)
}

/// One model by any of its names; `None` when it is unknown or not allowed, which look alike.
pub(crate) fn one(caller: &Caller, name: &str) -> Option<Vec<u8>> {
    let (index, model) = caller.snapshot.catalogue.find(name)?;
    let catalogue = &caller.snapshot.catalogue;
    (caller.key.rules.models.contains(index) && model.is_called())
        .then(|| card(catalogue, model, name).to_bytes())
}

/// The names that calls may use.
fn names<'a>(catalogue: &'a Catalogue, model: &'a Model) -> impl Iterator<Item = &'a str> {
    let all = std::iter::once(model.id.as_str()).chain(model.aliases.iter().map(String::as_str));
    all.filter(|name| !catalogue.is_quarantined(name))
}

fn card<'a>(catalogue: &'a Catalogue, model: &'a Model, name: &'a str) -> ModelCard<'a> {
    let has = |what: &str| model.capabilities.iter().any(|c| c == what);
    let mut card = ModelCard::base(name);
    card.aliases = names(catalogue, model).filter(|other| *other != name).map(Into::into).collect();
    card.name = Some(model.id.as_str().into());
    card.description = Some(model.name.as_str().into());
    card.max_context_length = model.context;
    card.deprecation = model.deprecation.map(|at| at.rfc3339().into());
    card.deprecation_replacement_model = model.replacement.as_deref().map(Into::into);
    let serves = |endpoint| model.serves(endpoint);
    card.capabilities = Capabilities {
        completion_chat: serves(EndpointKind::Chat),
        completion_fim: serves(EndpointKind::Fim),
        function_calling: has("function_calling"),
        vision: has("vision"),
        audio: has("audio"),
        reasoning: has("reasoning"),
        fine_tuning: has("fine_tuning"),
        ocr: serves(EndpointKind::Ocr),
        moderation: serves(EndpointKind::Moderations),
        classification: serves(EndpointKind::Classifications),
        audio_transcription: serves(EndpointKind::Transcriptions),
        audio_transcription_realtime: serves(EndpointKind::RealtimeTranscriptions),
        audio_speech: serves(EndpointKind::Speech),
        unified_resources: false,
    };
    card
}
