//! What a call may do: the rules, in their fixed order, up to the claims on shared counters and budgets.
//!
//! The order is part of the contract: credential, billing, workspace, address, endpoint, model, tokens per request,
//! then rates, then budgets. A rule that fails ends the questions, so that a refusal names the first rule that spoke.

use crate::budgets::{BudgetKind, Scope};
use crate::endpoints::EndpointKind;
use crate::limits::Region;
use crate::models::{Catalogue, Model, ModelIndex, ModelSet};
use crate::network::Cidr;
use crate::rates::SlidingWindow;
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
    /// Endpoints that organization, workspace, roles and key all allow; `None` is all.
    pub endpoints: Option<Vec<EndpointKind>>,
    /// Types of tools that the provider runs which may be offered.
    pub tools: Vec<String>,
    /// Whether the priority tier may be asked for.
    pub priority: bool,
    /// Hours that a signed URL may live at most; 0 is no signed URLs.
    pub signed_url_hours: u32,
    /// Where calls must be answered; `None` is anywhere.
    pub region: Option<Region>,
    /// Models to try when the one that was asked for cannot be had.
    pub fallback_models: Vec<String>,
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
    /// Types of tools that the provider would run.
    pub tools: &'a [String],
    /// Whether the priority tier is asked for.
    pub priority: bool,
    /// Estimated tokens of input.
    pub input_tokens: u64,
    /// The most tokens of output that the client asked for, per choice.
    pub max_tokens: Option<u64>,
    /// How many choices.
    pub choices: u64,
}

impl Ask<'_> {
    /// Whether the length of the answer was left open.
    pub fn is_open(&self) -> bool {
        self.max_tokens.is_none() && self.endpoint.generates()
    }
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
    /// A tool that the provider runs, and that is not allowed.
    ToolNotAllowed {
        /// Its type.
        tool: String,
    },
    /// A tier of service that is not allowed.
    TierNotAllowed,
    /// A signed URL, and none is allowed.
    SignedUrlNotAllowed,
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
    /// All of them, in the order in which they are asked.
    pub const ALL: [Self; 4] =
        [Self::RequestsPerSecond, Self::RequestsPerMinute, Self::TokensPerMinute, Self::Concurrency];

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

/// A rate as one call meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateAsk {
    /// Which.
    pub kind: RateKind,
    /// The limit.
    pub limit: u64,
    /// What counts now.
    pub used: u64,
    /// What the call would add.
    pub asked: u64,
    /// When it does not pass: whole seconds until it would; `None` when no waiting cures it.
    pub retry_after: Option<u64>,
}

impl RateAsk {
    /// Of a rate that is counted in a sliding window.
    pub fn in_window<const N: usize, const WIDTH: i64>(
        kind: RateKind,
        limit: u64,
        asked: u64,
        window: &mut SlidingWindow<N, WIDTH>,
        now_micros: i64,
    ) -> Self {
        let used = window.used(now_micros);
        let ask = Self { kind, limit, used, asked, retry_after: None };
        if ask.passes() {
            return ask;
        }
        Self { retry_after: window.seconds_until_free(limit, asked, now_micros), ..ask }
    }

    /// Of calls at the same time.
    pub fn at_once(limit: u64, in_flight: u64) -> Self {
        let ask = Self { kind: RateKind::Concurrency, limit, used: in_flight, asked: 1, retry_after: None };
        // Most calls end soon; a limit of zero lets nothing pass, ever.
        Self { retry_after: (!ask.passes() && limit > 0).then_some(1), ..ask }
    }

    /// Whether the call stays within the limit.
    pub const fn passes(&self) -> bool {
        self.used.saturating_add(self.asked) <= self.limit
    }

    /// The refusal of a call that does not pass.
    pub const fn refusal(self, scope: Scope) -> RateLimited {
        let Self { kind, limit, used, asked, retry_after } = self;
        RateLimited { scope, kind, limit, used, asked, retry_after }
    }
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

impl BudgetState {
    /// Why a budget refuses a call that `asked` for more than could be had of it at once. `used` is used for good.
    pub const fn of(blocked: bool, limit: i64, used: i64, asked: i64) -> Self {
        if blocked {
            Self::Blocked
        } else if exceeds(limit, used, asked) {
            Self::Exhausted
        } else {
            Self::Reserved
        }
    }
}

/// Whether a call that `asked` for so much goes beyond a budget's limit.
pub const fn exceeds(limit: i64, used: i64, asked: i64) -> bool {
    used.saturating_add(asked) > limit
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
    let (index, model) = known_model(catalogue, ask.endpoint, ask.model).ok_or(Refusal::ModelNotAllowed)?;
    rules.models.contains(index).then_some(()).ok_or(Refusal::ModelNotAllowed)?;
    for nested in ask.nested_models {
        let (index, _) = catalogue.find(nested).ok_or(Refusal::ModelNotAllowed)?;
        rules.models.contains(index).then_some(()).ok_or(Refusal::ModelNotAllowed)?;
    }
    may_use(rules, &ask)?;
    let tokens = PerRequest::of(rules, model.context, ask);
    tokens.refusal(rules).map_or(Ok(()), Err)?;
    Ok(Grant { model, index, output: tokens.output, inject: tokens.inject })
}

/// Asks whether the tools and the tier of a call are allowed.
pub fn may_use(rules: &CallRules, ask: &Ask<'_>) -> Result<(), Refusal> {
    if let Some(tool) = ask.tools.iter().find(|tool| !rules.tools.contains(tool)) {
        return Err(Refusal::ToolNotAllowed { tool: tool.clone() });
    }
    if ask.priority && !rules.priority { Err(Refusal::TierNotAllowed) } else { Ok(()) }
}

/// The rules that hold for every call, whatever it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// The organization's billing is active.
    Billing,
    /// The key's workspace is not archived.
    Workspace,
    /// The key may be used from the address.
    Address,
    /// The key may call the endpoint.
    Endpoint,
}

impl Gate {
    /// All of them, in the order in which they are asked.
    pub const ALL: [Self; 4] = [Self::Billing, Self::Workspace, Self::Address, Self::Endpoint];

    /// Asks one.
    pub fn ask(self, rules: &CallRules, from: IpAddr, endpoint: EndpointKind) -> Result<(), Refusal> {
        let (passes, refusal) = match self {
            Self::Billing => (rules.billing_active, Refusal::BillingInactive),
            Self::Workspace => (!rules.workspace_archived, Refusal::WorkspaceArchived),
            Self::Address => {
                let inside = |blocks: &Vec<Cidr>| blocks.iter().any(|block| block.contains(from));
                (rules.addresses.as_ref().is_none_or(inside), Refusal::AddressNotAllowed)
            }
            Self::Endpoint => {
                let named = |allowed: &Vec<EndpointKind>| allowed.contains(&endpoint);
                (rules.endpoints.as_ref().is_none_or(named), Refusal::EndpointNotAllowed { endpoint })
            }
        };
        if passes { Ok(()) } else { Err(refusal) }
    }
}

/// Asks the rules that hold for every call, whatever it says: billing, workspace, address, endpoint.
pub fn may_call(rules: &CallRules, from: IpAddr, endpoint: EndpointKind) -> Result<(), Refusal> {
    Gate::ALL.into_iter().try_for_each(|gate| gate.ask(rules, from, endpoint))
}

/// The model of that name, when the catalogue has it and the endpoint serves it.
pub fn known_model<'a>(
    catalogue: &'a Catalogue,
    endpoint: EndpointKind,
    name: Option<&str>,
) -> Option<(ModelIndex, &'a Model)> {
    catalogue.find(name?).filter(|(_, model)| model.serves(endpoint))
}

/// The tokens of one call, as the roles' limit on them sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerRequest {
    /// Estimated input plus the output that the client named, or at least one token of each choice.
    pub asked: u64,
    /// The most tokens of output, per choice, that client, role and model allow; 0 where there is no output.
    pub output: u64,
    /// Whether that number must be put into the request, since the client set none and a role limits it.
    pub inject: bool,
}

impl PerRequest {
    /// Of a call to a model of that context.
    pub fn of(rules: &CallRules, context: u64, ask: Ask<'_>) -> Self {
        let Ask { input_tokens, choices, .. } = ask;
        if !ask.endpoint.generates() {
            return Self { asked: input_tokens, output: 0, inject: false };
        }
        if let Some(max_tokens) = ask.max_tokens {
            let asked = input_tokens.saturating_add(max_tokens.saturating_mul(choices));
            return Self { asked, output: max_tokens.min(context), inject: false };
        }
        let most = context.saturating_sub(input_tokens).max(1);
        let asked = input_tokens.saturating_add(choices);
        let Some((limit, _)) = &rules.tokens_per_request else {
            return Self { asked, output: most, inject: false };
        };
        let left = limit.saturating_sub(input_tokens).checked_div(choices).unwrap_or(0);
        Self { asked, output: left.max(1).min(most), inject: true }
    }

    /// What the roles' limit says to it.
    pub fn refusal(&self, rules: &CallRules) -> Option<Refusal> {
        let (limit, role) = rules.tokens_per_request.as_ref()?;
        let exceeded =
            || Refusal::TokensPerRequestExceeded { limit: *limit, asked: self.asked, role: Arc::clone(role) };
        (self.asked > *limit).then(exceeded)
    }
}

#[cfg(test)]
mod tests;
