//! What the rules say now of the models and tools of an agent.

use crate::authn::Caller;
use crate::reply::Failure;
use louver_domain::admission::{self, Refusal};
use louver_domain::endpoints::EndpointKind;

/// The id of a model that may be called there.
pub(crate) fn model(caller: &Caller, kind: EndpointKind, name: &str) -> Result<String, Failure> {
    let known = admission::known_model(&caller.snapshot.catalogue, kind, Some(name));
    let allowed = known.filter(|(index, _)| caller.key.rules.models.contains(*index));
    allowed.map(|(_, model)| model.id.clone()).ok_or(Failure::Refused(Refusal::ModelNotAllowed))
}

/// The id of a model that an agent may have: one that can be called where agents speak.
pub(crate) fn agent_model(caller: &Caller, name: &str) -> Result<String, Failure> {
    model(caller, EndpointKind::Conversations, name)
        .or_else(|_| model(caller, EndpointKind::AgentsCompletions, name))
}

/// Whether the models of guardrails may be called.
pub(crate) fn nested(caller: &Caller, models: &[String]) -> Result<(), Failure> {
    let allowed = |name: &String| {
        let known = caller.snapshot.catalogue.find(name);
        known.is_some_and(|(index, _)| caller.key.rules.models.contains(index))
    };
    models.iter().all(allowed).then_some(()).ok_or(Failure::Refused(Refusal::ModelNotAllowed))
}

/// Whether the tools may be offered.
pub(crate) fn tools(caller: &Caller, tools: &[String]) -> Result<(), Failure> {
    match tools.iter().find(|tool| !caller.key.rules.tools.contains(tool)) {
        Some(tool) => Err(Failure::Refused(Refusal::ToolNotAllowed { tool: tool.clone() })),
        None => Ok(()),
    }
}
