//! What a call may do: the rules, in their fixed order, up to the claims on shared counters and budgets.
//!
//! The order is part of the contract: credential, billing, workspace, address, endpoint, model, tokens per request,
//! then rates, then budgets. A rule that fails ends the questions, so that a refusal names the first rule that spoke.

use crate::budgets::{BudgetKind, Scope};
use crate::endpoints::EndpointKind;
use crate::models::{Catalogue, Model, ModelIndex, ModelSet};
use crate::network::Cidr;
use crate::time::Timestamp;
use std::net::IpAddr;
use std::sync::Arc;

/// Everything that decides about a key's calls, worked out once for a snapshot of the rules.
#[derive(Clone, Debug)]
pub struct CallRules {
    /// The organization's bills are paid.
    pub billing_active: bool,
    /// The workspace is archived.
    pub workspace_archived: bool,
    /// Addresses the key may be used from; `None` is any.
    pub addresses: Option<Vec<Cidr>>,
    /// Endpoints the key may call; `None` is all.
    pub endpoints: Option<Vec<EndpointKind>>,
    /// The models allowed by organization ∩ workspace ∩ role ∩ key.
    pub models: ModelSet,
    /// The least of the roles' tokens per request, with the name of that role.
    pub tokens_per_request: Option<(u64, Arc<str>)>,
}

/// What a call asks for, as far as the rules look at it.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The endpoint.
    pub endpoint: EndpointKind,
    /// The model as named; `None` when the name could not be a model's.
    pub model: Option<&'a str>,
    /// Further models that the body names (for guardrails); each must be allowed.
    pub nested_models: &'a [String],
    /// Estimated tokens of input.
    pub input_tokens: u64,
    /// The most tokens of output that the client asked for, per choice.
    pub max_tokens: Option<u64>,
    /// How many choices.
    pub choices: u64,
}

/// What a call that the rules let pass may do.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// The model to send upstream.
    pub model: &'a Model,
    /// Its place in the catalogue.
    pub index: ModelIndex,
    /// The most tokens of output, per choice, that client, role and model allow; 0 where there is no output.
    pub output: u64,
    /// Whether the role needs that number put into the request, since the client set none.
    pub inject: bool,
}

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The organization's billing is not active.
    BillingInactive,
    /// The key's workspace is archived.
    WorkspaceArchived,
    /// The key may not be used from that address.
    AddressNotAllowed,
    /// The key may not call that endpoint.
    EndpointNotAllowed {
        /// The endpoint.
        endpoint: EndpointKind,
    },
    /// The model is unknown, retired, not served there, or not allowed: one answer for all.
    ModelNotAllowed,
    /// The call could use more tokens than the role allows one call.
    TokensPerRequestExceeded {
        /// The role's limit.
        limit: u64,
        /// Estimated input plus allowed output.
        asked: u64,
        /// The role.
        role: Arc<str>,
    },
    /// A tool that only the provider runs, which has no price here.
    ToolNotAllowed {
        /// Its type.
        tool: String,
    },
    /// A rate or the number of calls at the same time is used up.
    RateLimited(RateLimited),
    /// A budget has not enough left for what the call could cost.
    Budget(BudgetRefusal),
    /// What the call could cost cannot be said, and a budget applies.
    UnboundedCost,
}

/// The limits on how fast calls may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateKind {
    /// Calls in any second.
    RequestsPerSecond,
    /// Calls in any 60 seconds.
    RequestsPerMinute,
    /// Tokens in any 60 seconds.
    TokensPerMinute,
    /// Calls at the same time.
    Concurrency,
}

impl RateKind {
    /// The limit that sets it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestsPerSecond => "requests_per_second",
            Self::RequestsPerMinute => "requests_per_minute",
            Self::TokensPerMinute => "tokens_per_minute",
            Self::Concurrency => "max_concurrent_requests",
        }
    }
}

/// A rate that is used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimited {
    /// Where the limit stands.
    pub scope: Scope,
    /// Which of its limits.
    pub kind: RateKind,
    /// The limit.
    pub limit: u64,
    /// What counts now.
    pub used: u64,
    /// What the call would add.
    pub asked: u64,
    /// Whole seconds until it would pass; `None` when no waiting cures it.
    pub retry_after: Option<u64>,
}

/// Why a budget refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetState {
    /// It is spent: only the next period or a higher limit helps.
    Exhausted,
    /// Calls in flight hold what is left: some of it will come back.
    Reserved,
    /// A bill was above its bound: a person must look.
    Blocked,
}

/// A budget that has not enough left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetRefusal {
    /// Whose budget.
    pub scope: Scope,
    /// Its window and unit.
    pub kind: BudgetKind,
    /// Why.
    pub state: BudgetState,
    /// Its limit, in nano-dollars or tokens.
    pub limit: i64,
    /// What is used of it.
    pub used: i64,
    /// What the call could use.
    pub asked: i64,
    /// When the next period begins.
    pub resets_at: Timestamp,
}

/// Asks the rules that need no counter, in their order.
pub fn admit<'a>(
    rules: &CallRules,
    catalogue: &'a Catalogue,
    from: IpAddr,
    ask: Ask<'_>,
) -> Result<Grant<'a>, Refusal> {
    may_call(rules, from, ask.endpoint)?;
    let (index, model) = allowed_model(rules, catalogue, ask.endpoint, ask.model)?;
    for nested in ask.nested_models {
        let (index, _) = catalogue.find(nested).ok_or(Refusal::ModelNotAllowed)?;
        rules.models.contains(index).then_some(()).ok_or(Refusal::ModelNotAllowed)?;
    }
    let (output, inject) = output(rules, model, ask)?;
    Ok(Grant { model, index, output, inject })
}

/// Asks the rules that hold for every call, whatever it says: billing, workspace, address, endpoint.
pub fn may_call(rules: &CallRules, from: IpAddr, endpoint: EndpointKind) -> Result<(), Refusal> {
    if !rules.billing_active {
        return Err(Refusal::BillingInactive);
    }
    if rules.workspace_archived {
        return Err(Refusal::WorkspaceArchived);
    }
    if rules.addresses.as_ref().is_some_and(|blocks| !blocks.iter().any(|block| block.contains(from))) {
        return Err(Refusal::AddressNotAllowed);
    }
    match &rules.endpoints {
        Some(allowed) if !allowed.contains(&endpoint) => Err(Refusal::EndpointNotAllowed { endpoint }),
        _ => Ok(()),
    }
}

fn allowed_model<'a>(
    rules: &CallRules,
    catalogue: &'a Catalogue,
    endpoint: EndpointKind,
    name: Option<&str>,
) -> Result<(ModelIndex, &'a Model), Refusal> {
    let found = name.and_then(|name| catalogue.find(name));
    let allowed = found.filter(|(index, model)| rules.models.contains(*index) && model.serves(endpoint));
    allowed.ok_or(Refusal::ModelNotAllowed)
}

/// Checks the tokens of one call against the role. Answers the most output of one choice, and whether it must be put
/// into the request.
fn output(rules: &CallRules, model: &Model, ask: Ask<'_>) -> Result<(u64, bool), Refusal> {
    let embeds = ask.endpoint == EndpointKind::Embeddings;
    let most = if embeds { 0 } else { model.context.saturating_sub(ask.input_tokens).max(1) };
    let asked = ask.max_tokens.map(|max_tokens| max_tokens.min(model.context));
    let Some((limit, role)) = &rules.tokens_per_request else { return Ok((asked.unwrap_or(most), false)) };
    let exceeded =
        |asked| Err(Refusal::TokensPerRequestExceeded { limit: *limit, asked, role: Arc::clone(role) });
    if embeds {
        return if ask.input_tokens <= *limit { Ok((0, false)) } else { exceeded(ask.input_tokens) };
    }
    if let Some(max_tokens) = ask.max_tokens {
        let all = ask.input_tokens.saturating_add(max_tokens.saturating_mul(ask.choices));
        return if all <= *limit { Ok((asked.unwrap_or(most), false)) } else { exceeded(all) };
    }
    let left = limit.saturating_sub(ask.input_tokens).checked_div(ask.choices).unwrap_or(0);
    if left == 0 {
        return exceeded(ask.input_tokens.saturating_add(ask.choices));
    }
    Ok((left.min(most), true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ModelStatus;

    fn catalogue() -> Catalogue {
        let model = |id: &str, endpoint| Model {
            id: id.into(),
            aliases: vec![format!("{id}-latest")],
            family: id.into(),
            name: id.into(),
            context: 1000,
            endpoints: vec![endpoint],
            capabilities: vec![],
            status: ModelStatus::Active,
            deprecation: None,
            replacement: None,
        };
        Catalogue::new(vec![
            model("small", EndpointKind::Chat),
            model("large", EndpointKind::Chat),
            model("embed", EndpointKind::Embeddings),
        ])
    }

    fn rules(catalogue: &Catalogue) -> CallRules {
        CallRules {
            billing_active: true,
            workspace_archived: false,
            addresses: None,
            endpoints: None,
            models: catalogue.allowed(Some(&["small".into(), "embed".into()])),
            tokens_per_request: Some((500, "analyst".into())),
        }
    }

    fn ask(model: &str) -> Ask<'_> {
        Ask {
            endpoint: EndpointKind::Chat,
            model: Some(model),
            nested_models: &[],
            input_tokens: 100,
            max_tokens: None,
            choices: 1,
        }
    }

    fn decide(change: impl Fn(&mut CallRules), ask: Ask<'_>) -> Result<(String, Option<u64>), Refusal> {
        let catalogue = catalogue();
        let mut rules = rules(&catalogue);
        change(&mut rules);
        admit(&rules, &catalogue, "10.0.0.1".parse().unwrap(), ask)
            .map(|g| (g.model.id.clone(), g.inject.then_some(g.output)))
    }

    #[test]
    fn the_first_rule_that_fails_speaks() {
        let over = Ask { max_tokens: Some(9_999), ..ask("large") };
        assert_eq!(
            decide(
                |r| {
                    r.billing_active = false;
                    r.workspace_archived = true
                },
                over
            ),
            Err(Refusal::BillingInactive)
        );
        assert_eq!(
            decide(
                |r| {
                    r.workspace_archived = true;
                    r.endpoints = Some(vec![])
                },
                over
            ),
            Err(Refusal::WorkspaceArchived)
        );
        assert_eq!(
            decide(|r| r.addresses = Cidr::parse("10.0.0.2").map(|c| vec![c]), over),
            Err(Refusal::AddressNotAllowed)
        );
        assert_eq!(
            decide(|r| r.endpoints = Some(vec![EndpointKind::Fim]), over),
            Err(Refusal::EndpointNotAllowed { endpoint: EndpointKind::Chat })
        );
        assert_eq!(decide(|_| (), over), Err(Refusal::ModelNotAllowed));
    }

    #[test]
    fn unknown_forbidden_misplaced_and_nested_models_are_refused_alike() {
        for name in ["large", "large-latest", "nope", "embed", "Small", ""] {
            assert_eq!(decide(|_| (), ask(name)), Err(Refusal::ModelNotAllowed), "{name}");
        }
        assert_eq!(decide(|_| (), Ask { model: None, ..ask("") }), Err(Refusal::ModelNotAllowed));
        let nested = ["large".to_owned()];
        assert_eq!(
            decide(|_| (), Ask { nested_models: &nested, ..ask("small") }),
            Err(Refusal::ModelNotAllowed)
        );
        assert_eq!(decide(|_| (), ask("small-latest")).unwrap().0, "small");
    }

    #[test]
    fn tokens_per_request_counts_input_and_every_choice() {
        let with = |max_tokens, choices| {
            decide(|_| (), Ask { max_tokens, choices, ..ask("small") }).map(|(_, inject)| inject)
        };
        assert_eq!(with(Some(400), 1), Ok(None));
        assert_eq!(with(None, 1), Ok(Some(400)));
        assert_eq!(with(None, 3), Ok(Some(133)));
        for (max_tokens, choices, asked) in
            [(Some(401), 1, 501), (Some(201), 2, 502), (Some(u64::MAX), 2, u64::MAX)]
        {
            let refusal = Refusal::TokensPerRequestExceeded { limit: 500, asked, role: "analyst".into() };
            assert_eq!(with(max_tokens, choices), Err(refusal));
        }
        let long = decide(|_| (), Ask { input_tokens: 500, ..ask("small") });
        assert!(matches!(long, Err(Refusal::TokensPerRequestExceeded { .. })), "nothing left for an answer");
        assert_eq!(decide(|r| r.tokens_per_request = None, ask("small")).unwrap().1, None);
    }
}
