//! Which servers may serve a call: the region by policy, else the one that its model names, else the first. Never the
//! client's choice, and never another one because the right one is missing.

use crate::credentials::FIRST_SERVER;
use crate::reply::Failure;
use crate::settings::{ServerKind, UpstreamTarget};
use louver_domain::admission::CallRules;
use louver_domain::endpoints::EndpointKind;
use louver_domain::limits::Region;
use louver_domain::models::Model;
use smallvec::SmallVec;

/// Places of servers in the settings.
pub(crate) type Servers = SmallVec<[usize; 2]>;

/// Refuses what no region has: objects that the provider keeps, and what runs on them.
/// Source: docs.mistral.ai, "Regional inference".
pub(crate) fn may_ask(rules: &CallRules, endpoint: EndpointKind) -> Result<(), Failure> {
    match rules.region {
        Some(region) if !is_regional(endpoint) => Err(Failure::NotInRegion { region }),
        _ => Ok(()),
    }
}

const fn is_regional(endpoint: EndpointKind) -> bool {
    match endpoint {
        EndpointKind::AgentsCompletions
        | EndpointKind::Conversations
        | EndpointKind::Agents
        | EndpointKind::Files
        | EndpointKind::BatchJobs
        | EndpointKind::Libraries
        | EndpointKind::FineTunedModels => false,
        EndpointKind::Chat
        | EndpointKind::Fim
        | EndpointKind::Embeddings
        | EndpointKind::Models
        | EndpointKind::Moderations
        | EndpointKind::ChatModerations
        | EndpointKind::Classifications
        | EndpointKind::ChatClassifications
        | EndpointKind::Ocr
        | EndpointKind::Transcriptions
        | EndpointKind::RealtimeTranscriptions
        | EndpointKind::Speech
        | EndpointKind::Responses => true,
    }
}

/// The servers that may serve a call to `model`, in the order of the settings; `tools`: whether the provider would run
/// tools in it, which no region does.
pub(crate) fn of_call(
    servers: &[UpstreamTarget],
    rules: &CallRules,
    model: &Model,
    endpoint: EndpointKind,
    tools: bool,
) -> Result<Servers, Failure> {
    may_ask(rules, endpoint)?;
    if let (Some(region), true) = (rules.region, tools) {
        return Err(Failure::NotInRegion { region });
    }
    let named = |server: &UpstreamTarget| match (&model.upstream, rules.region) {
        (Some(name), None) => server.name.as_deref() == Some(name),
        (Some(name), Some(region)) => server.name.as_deref() == Some(name) && is_in(server, region),
        (None, Some(region)) => server.kind == ServerKind::Mistral && is_in(server, region),
        (None, None) => server.name.is_none(),
    };
    // What the provider keeps is known by its credential, which is one of the first server.
    let keeps = |place: usize| is_regional(endpoint) || place == FIRST_SERVER;
    let fitting = servers.iter().enumerate().filter(|(place, server)| keeps(*place) && named(server));
    let places: Servers = fitting.map(|(place, _)| place).collect();
    if places.is_empty() {
        return Err(Failure::NoServer { region: rules.region });
    }
    Ok(places)
}

fn is_in(server: &UpstreamTarget, region: Region) -> bool {
    server.region == Some(region)
}

/// Whether a server charges what regions cost more.
pub(crate) fn is_dearer(servers: &[UpstreamTarget], place: usize) -> bool {
    servers.get(place).is_some_and(|server| server.kind == ServerKind::Mistral && server.region.is_some())
}

/// The name of a server; `None` is the first one.
pub(crate) fn place_of(servers: &[UpstreamTarget], name: Option<&str>) -> Option<usize> {
    match name {
        None => Some(FIRST_SERVER),
        Some(name) => servers.iter().position(|server| server.name.as_deref() == Some(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use louver_domain::models::{Catalogue, ModelStatus};

    fn server(name: Option<&str>, kind: ServerKind, region: Option<Region>) -> UpstreamTarget {
        UpstreamTarget {
            name: name.map(Into::into),
            kind,
            region,
            keyless: false,
            host: "localhost".into(),
            port: 1,
            authority: HeaderValue::from_static("localhost:1"),
            tls: None,
            default_credential: None,
        }
    }

    fn servers() -> Vec<UpstreamTarget> {
        vec![
            server(None, ServerKind::Mistral, None),
            server(Some("eu"), ServerKind::Mistral, Some(Region::Eu)),
            server(Some("lab"), ServerKind::Compatible, Some(Region::Eu)),
            server(Some("other"), ServerKind::Mistral, None),
        ]
    }

    fn asked(
        upstream: Option<&str>,
        region: Option<Region>,
        endpoint: EndpointKind,
        tools: bool,
    ) -> Vec<usize> {
        let catalogue = Catalogue::default();
        let rules = CallRules {
            billing_active: true,
            workspace_archived: false,
            addresses: None,
            endpoints: None,
            tools: vec![],
            priority: false,
            signed_url_hours: 0,
            region,
            fallback_models: vec![],
            models: catalogue.allowed(None),
            tokens_per_request: None,
        };
        let model = Model {
            id: "m".into(),
            aliases: vec![],
            family: "m".into(),
            name: "m".into(),
            context: 1,
            endpoints: vec![],
            capabilities: vec![],
            status: ModelStatus::Active,
            deprecation: None,
            replacement: None,
            upstream: upstream.map(Into::into),
            workspace_id: None,
        };
        of_call(&servers(), &rules, &model, endpoint, tools)
            .map_or_else(|_| vec![99], |places| places.to_vec())
    }

    #[test]
    fn policy_and_model_choose_the_server_and_nothing_stands_in_for_it() {
        let chat = EndpointKind::Chat;
        assert_eq!(asked(None, None, chat, true), [0], "a named server serves only who names it");
        assert_eq!(asked(Some("lab"), None, chat, true), [2]);
        assert_eq!(asked(Some("gone"), None, chat, false), [99]);
        assert_eq!(asked(None, Some(Region::Eu), chat, false), [1], "not one that only speaks the same API");
        assert_eq!(asked(None, Some(Region::Us), chat, false), [99], "never the global one instead");
        assert_eq!(asked(Some("lab"), Some(Region::Eu), chat, false), [2]);
        assert_eq!(asked(Some("other"), Some(Region::Eu), chat, false), [99]);
        assert_eq!(asked(None, Some(Region::Eu), chat, true), [99], "no region runs tools");
        for kept in
            [EndpointKind::Files, EndpointKind::Agents, EndpointKind::Conversations, EndpointKind::BatchJobs]
        {
            assert_eq!(asked(None, Some(Region::Eu), kept, false), [99]);
            assert_eq!(asked(None, None, kept, false), [0]);
            assert_eq!(asked(Some("other"), None, kept, false), [99], "the first server keeps what is kept");
        }
        assert!(is_dearer(&servers(), 1) && !is_dearer(&servers(), 0) && !is_dearer(&servers(), 2));
    }
}
