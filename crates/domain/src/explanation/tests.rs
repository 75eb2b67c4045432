//! Tables of calls and the rules that they meet, and the law that an explanation and an admission agree.

use super::*;
use crate::admission::admit;
use crate::endpoints::EndpointKind;
use crate::id::{KeyId, OrganizationId, UserId, WorkspaceId};
use crate::keys::{ApiKey, KeyStatus, Owner, PublicId};
use crate::limits::{Limits, Mode};
use crate::model_roles::ModelRole;
use crate::models::{Model, ModelStatus};
use crate::money::Money;
use crate::network::Cidr;
use crate::organizations::Organization;
use crate::users::User;
use crate::workspaces::Workspace;
use proptest::prelude::*;

/// A key of a person with a model role, with all that stands above it.
struct World {
    organization: Organization,
    workspace: Workspace,
    user: User,
    roles: Vec<ModelRole>,
    key: ApiKey,
    catalogue: Catalogue,
    price: Option<Price>,
    address: Option<IpAddr>,
    books: Books,
}

fn now() -> Timestamp {
    Timestamp::parse("2026-11-21T10:00:00Z").unwrap()
}

fn model(id: &str, endpoint: EndpointKind) -> Model {
    Model {
        id: id.into(),
        aliases: vec![format!("{id}-latest")],
        family: id.into(),
        name: id.into(),
        context: 32_000,
        endpoints: vec![endpoint],
        capabilities: vec![],
        status: ModelStatus::Active,
        deprecation: None,
        replacement: None,
        upstream: None,
        workspace_id: None,
    }
}

fn key(at: Timestamp) -> ApiKey {
    ApiKey {
        id: KeyId::from_bytes([5; 16]),
        organization_id: OrganizationId::from_bytes([1; 16]),
        workspace_id: WorkspaceId::from_bytes([2; 16]),
        owner: Owner::User(UserId::from_bytes([3; 16])),
        name: "first".into(),
        description: None,
        public_id: PublicId::parse("abcdefABCDEF").unwrap(),
        fingerprint: [6; 32],
        last_four: "wxyz".into(),
        limits: Limits::default(),
        role: None,
        allowed_cidrs: None,
        created_at: at,
        expires_at: None,
        last_used_at: None,
        created_by: None,
        enabled_at: None,
        canary: false,
        status: KeyStatus::Active,
    }
}

impl World {
    fn new() -> Self {
        let at = now();
        let (organization_id, workspace_id) =
            (OrganizationId::from_bytes([1; 16]), WorkspaceId::from_bytes([2; 16]));
        let user_id = UserId::from_bytes([3; 16]);
        Self {
            organization: Organization {
                id: organization_id,
                name: "Acme".into(),
                billing_active: true,
                limits: Limits::default(),
                created_at: at,
            },
            workspace: Workspace {
                id: workspace_id,
                organization_id,
                name: "dev".into(),
                description: None,
                is_default: true,
                icon: None,
                limits: Limits::default(),
                created_at: at,
                archived_at: None,
            },
            user: User {
                id: user_id,
                organization_id,
                email: "a@example.com".into(),
                name: None,
                first_name: None,
                last_name: None,
                roles: vec![],
                removed_at: None,
                limits: Limits::default(),
                created_at: at,
            },
            roles: vec![ModelRole {
                name: "intern".into(),
                allowed_models: vec!["small".into(), "embed".into()],
                allowed_endpoints: None,
                allowed_tools: None,
                allowed_service_tiers: None,
                max_signed_url_hours: None,
                max_tokens_per_request: Some(500),
                daily_token_budget: None,
                builtin: false,
            }],
            key: key(at),
            catalogue: Catalogue::new(vec![
                model("small", EndpointKind::Chat),
                model("large", EndpointKind::Chat),
                model("embed", EndpointKind::Embeddings),
            ]),
            price: Money::parse_usd("1").map(|one| Price::of_tokens(at, one, one, one)),
            address: Some("10.0.0.1".parse().unwrap()),
            books: Books::default(),
        }
    }

    fn chain(&self) -> Chain<'_> {
        Chain {
            organization: &self.organization,
            workspace: &self.workspace,
            user: Some(&self.user),
            roles: self.roles.iter().collect(),
            key: &self.key,
        }
    }

    fn explain(&self, ask: Ask<'_>) -> Explanation {
        let chain = self.chain();
        let question = Question {
            chain: &chain,
            missing_role: None,
            ask,
            address: self.address,
            catalogue: &self.catalogue,
            units: Units::default(),
            tools: Some(Money::ZERO),
            price: self.price.as_ref(),
            now: now(),
        };
        explain(&question, &self.books)
    }

    /// Puts every budget of the chain into the books: so much used and held, the rest free.
    fn use_budgets(&mut self, used: i64, reserved: i64, blocked: bool) {
        let budgets: Vec<Budget> =
            self.chain().stages().into_iter().flat_map(|stage| stage.budgets).collect();
        for budget in budgets {
            let free = budget.limit.saturating_sub(used).saturating_sub(reserved).max(0);
            let free = if blocked { 0 } else { free };
            let resets_at = budget.kind.window().period(&budget.zone, now()).ends;
            self.books.budgets.insert(budget.id, BudgetInUse { used, reserved, free, blocked, resets_at });
        }
    }
}

fn ask(model: &str) -> Ask<'_> {
    Ask {
        endpoint: EndpointKind::Chat,
        model: Some(model),
        nested_models: &[],
        tools: &[],
        priority: false,
        input_tokens: 100,
        max_tokens: Some(50),
        choices: 1,
    }
}

fn usd(text: &str) -> Limits {
    Limits { monthly_budget_usd: Money::parse_usd(text), ..Limits::default() }
}

fn kind(explanation: &Explanation) -> &'static str {
    explanation.refusal().map_or("", |refused| refused.kind)
}

#[test]
fn every_rule_is_listed_in_the_order_of_the_contract() {
    let mut world = World::new();
    let rates = Limits {
        requests_per_second: Some(5),
        requests_per_minute: Some(60),
        tokens_per_minute: Some(10_000),
        max_concurrent_requests: Some(3),
        ..usd("50")
    };
    world.organization.limits = rates.clone();
    world.workspace.limits = Limits { hourly_budget_usd: Money::parse_usd("1"), ..rates.clone() };
    world.user.limits = rates.clone();
    world.key.limits = rates;
    world.roles[0].daily_token_budget = Some(100_000);
    world.use_budgets(0, 0, false);
    let explanation = world.explain(ask("small"));
    let level = |entry: &Entry| entry.scope.as_ref().map_or("-", |scope| scope.level.as_str());
    let order: Vec<(&str, &str)> = explanation.rules.iter().map(|e| (e.rule, level(e))).collect();
    let mut wanted = vec![
        ("credential", "key"),
        ("billing", "organization"),
        ("workspace", "workspace"),
        ("address", "key"),
        ("endpoint", "key"),
        ("model", "-"),
        ("allowed_models", "organization"),
        ("allowed_models", "workspace"),
        ("allowed_models", "model_role"),
        ("allowed_models", "key"),
        ("allowed_tools", "key"),
        ("allowed_service_tiers", "key"),
        ("max_tokens_per_request", "model_role"),
        ("price", "-"),
    ];
    for level in ["key", "user", "workspace", "organization"] {
        wanted.extend([
            ("requests_per_second", level),
            ("requests_per_minute", level),
            ("tokens_per_minute", level),
            ("max_concurrent_requests", level),
        ]);
    }
    wanted.extend([
        ("monthly_budget_usd", "key"),
        ("daily_token_budget", "model_role"),
        ("monthly_budget_usd", "user"),
        ("hourly_budget_usd", "workspace"),
        ("monthly_budget_usd", "workspace"),
        ("monthly_budget_usd", "organization"),
    ]);
    assert_eq!(order, wanted);
    assert_eq!(explanation.refusal(), None);
    assert!(explanation.rules.iter().all(|entry| entry.allowed == Some(true)), "{explanation:#?}");
    assert_eq!(explanation.max_tokens_sent, Some(50));
    let bound = explanation.bound.unwrap();
    assert_eq!((bound.input, bound.output, bound.cost.nanos()), (100, 50, 150_000));
}

#[test]
fn each_rule_refuses_by_itself_and_the_rest_is_still_listed() {
    type Change = fn(&mut World);
    let cases: [(&str, &str, u16, Change); 13] = [
        ("credential", "authentication_error", 401, |w| w.key.status = KeyStatus::Disabled),
        ("credential", "authentication_error", 401, |w| w.key.expires_at = Some(now())),
        ("billing", "billing_inactive", 402, |w| w.organization.billing_active = false),
        ("workspace", "workspace_archived", 403, |w| w.workspace.archived_at = Some(now())),
        ("address", "address_not_allowed", 403, |w| {
            w.key.allowed_cidrs = Cidr::parse("10.0.0.2").map(|block| vec![block]);
        }),
        ("endpoint", "endpoint_not_allowed", 403, |w| {
            w.key.limits.allowed_endpoints = Some(vec![EndpointKind::Embeddings]);
        }),
        ("model", "model_not_allowed", 403, |w| w.catalogue = Catalogue::new(vec![])),
        ("allowed_models", "model_not_allowed", 403, |w| {
            w.workspace.limits.allowed_models = Some(vec!["large".into()]);
        }),
        ("max_tokens_per_request", "tokens_per_request_exceeded", 403, |w| {
            w.roles[0].max_tokens_per_request = Some(149);
        }),
        ("price", "unbounded_cost", 403, |w| {
            w.price = None;
            w.key.limits = usd("50");
        }),
        ("requests_per_minute", "rate_limited", 429, |w| w.user.limits.requests_per_minute = Some(0)),
        ("monthly_budget_usd", "budget_exhausted", 429, |w| w.workspace.limits = usd("0.000149999")),
        ("daily_token_budget", "token_budget_exhausted", 429, |w| {
            w.roles[0].daily_token_budget = Some(149);
        }),
    ];
    let usual = World::new().explain(ask("small")).rules.len();
    for (rule, kind, status, change) in cases {
        let mut world = World::new();
        change(&mut world);
        world.use_budgets(0, 0, false);
        let explanation = world.explain(ask("small"));
        let refused = explanation.refusal().unwrap_or_else(|| panic!("{rule}: {explanation:#?}"));
        assert_eq!((refused.kind, refused.status), (kind, status), "{rule}");
        let speaks = explanation.rules.iter().find(|entry| entry.allowed == Some(false)).unwrap();
        assert_eq!(speaks.rule, rule);
        assert!(explanation.rules.len() >= usual, "{rule}: {explanation:#?}");
        assert_eq!(explanation.max_tokens_sent, None, "{rule}: nothing is sent");
    }
}

#[test]
fn tools_tiers_and_units_are_asked_as_calls_are() {
    let mut world = World::new();
    let tools = ["web_search".to_owned(), "connector".to_owned()];
    let call = Ask { tools: &tools, priority: true, ..ask("small") };
    let of = |explanation: &Explanation, rule: &str| {
        explanation.rules.iter().find(|entry| entry.rule == rule).cloned().unwrap()
    };
    world.organization.limits.allowed_tools = Some(vec!["web_search".into()]);
    let told = world.explain(call);
    assert_eq!(kind(&told), "tool_not_allowed");
    let (tool, tier) = (of(&told, "allowed_tools"), of(&told, "allowed_service_tiers"));
    assert_eq!((tool.allowed, tool.list), (Some(false), Some(vec!["web_search".to_owned()])));
    assert_eq!((tier.allowed, tier.list), (Some(false), Some(vec![])), "each speaks for itself");
    world.organization.limits.allowed_tools = Some(tools.to_vec());
    world.organization.limits.allowed_service_tiers = Some(vec![crate::limits::ServiceTier::Priority]);
    world.workspace.limits.region = Some(crate::limits::Region::Eu);
    let told = world.explain(call);
    assert_eq!(told.refusal(), None);
    assert_eq!(of(&told, "region").list, Some(vec!["eu".to_owned()]));
    assert_eq!(told.bound.unwrap().cost.nanos(), 262_500, "175 per cent of 150 tokens at a dollar a million");

    world.key.limits = usd("50");
    world.use_budgets(0, 0, false);
    let chain = world.chain();
    let question = Question {
        chain: &chain,
        missing_role: None,
        ask: call,
        address: world.address,
        catalogue: &world.catalogue,
        units: Units { tool_calls: 2, ..Units::default() },
        tools: Some(Money::from_nanos(60_000_000)),
        price: world.price.as_ref(),
        now: now(),
    };
    let bound = explain(&question, &world.books).bound.unwrap();
    assert_eq!(bound.input, 3 * 32_000, "each call of a tool is another turn of the whole context");
    assert_eq!(bound.cost.nanos(), 60_000_000 + (96_000 + 3 * 50) * 1_750);
    let unpriced = explain(&Question { tools: None, ..question }, &world.books);
    assert_eq!(kind(&unpriced), "unbounded_cost");
    assert!(of(&unpriced, "price").detail.unwrap().starts_with("a tool has no price"));
}

#[test]
fn limits_in_the_shadow_refuse_nothing_and_say_so() {
    let mut world = World::new();
    let shadow = Some(Mode::Shadow);
    world.key.limits = Limits { requests_per_minute: Some(0), mode: shadow, ..usd("0.0001") };
    world.use_budgets(0, 0, false);
    let explanation = world.explain(ask("small"));
    assert_eq!(explanation.refusal(), None);
    for rule in ["requests_per_minute", "monthly_budget_usd"] {
        let entry = explanation.rules.iter().find(|entry| entry.rule == rule).unwrap();
        assert_eq!((entry.allowed, entry.would_refuse, entry.enforced), (Some(true), true, Some(false)));
    }
}

#[test]
fn a_budget_that_others_hold_is_reserved_and_a_spent_one_is_exhausted() {
    for (used, reserved, blocked, wanted) in [
        (0, 850_000, false, ""),
        (0, 850_001, false, "budget_reserved"),
        (850_001, 0, false, "budget_exhausted"),
        (0, 0, true, "budget_exhausted"),
    ] {
        let mut world = World::new();
        world.key.limits = usd("0.001");
        world.use_budgets(used, reserved, blocked);
        let explanation = world.explain(ask("small"));
        assert_eq!(kind(&explanation), wanted, "{used} {reserved} {blocked}");
        let entry = explanation.rules.last().unwrap();
        assert_eq!((entry.used, entry.reserved), (Some(used), Some(reserved)));
        assert_eq!(
            (entry.asked, entry.resets_at.unwrap().rfc3339().as_str()),
            (Some(150_000), "2026-12-01T00:00:00Z")
        );
    }
}

#[test]
fn an_open_answer_is_kept_short_for_role_and_budget_as_a_call_is() {
    let open = Ask { max_tokens: None, ..ask("small") };
    let mut world = World::new();
    assert_eq!(world.explain(open).max_tokens_sent, Some(400), "what the role leaves");
    world.roles.clear();
    assert_eq!(world.explain(open).max_tokens_sent, None, "nothing counts tokens");
    world.key.limits = usd("0.0161");
    world.use_budgets(0, 0, false);
    assert_eq!(world.explain(open).max_tokens_sent, Some(2_000), "an eighth of 16,000");
    world.key.limits = usd("0.001");
    world.use_budgets(0, 0, false);
    assert_eq!(kind(&world.explain(open)), "budget_exhausted", "too little for an answer of use");
}

#[test]
fn what_cannot_be_asked_is_neither_allowed_nor_refused() {
    let mut world = World::new();
    world.key.limits = usd("50");
    world.use_budgets(0, 0, false);
    let explanation = world.explain(ask("nope"));
    let of = |rule: &str| explanation.rules.iter().rfind(|entry| entry.rule == rule).unwrap().allowed;
    assert_eq!((of("model"), of("allowed_models"), of("monthly_budget_usd")), (Some(false), None, None));
    assert_eq!(explanation.bound, None);
    world.address = None;
    world.key.allowed_cidrs = Cidr::parse("10.0.0.0/8").map(|block| vec![block]);
    let explanation = world.explain(ask("small"));
    assert_eq!(explanation.rules[3].allowed, None);
    assert_eq!(explanation.refusal(), None);
}

proptest! {
    /// Up to rates and budgets, the first refusal is the one that admission gives.
    #[test]
    fn an_explanation_refuses_as_admission_does(
        bits in prop::collection::vec(any::<bool>(), 12),
        name in 0_usize..5,
        input_tokens in 0_u64..700,
        max_tokens in prop::option::of(1_u64..700),
        choices in 1_u64..4,
    ) {
        let mut world = World::new();
        world.organization.billing_active = bits[0] || bits[1];
        world.workspace.archived_at = (bits[1] && bits[2]).then(now);
        world.key.allowed_cidrs = if bits[3] { Cidr::parse("10.0.0.0/30").map(|block| vec![block]) } else { None };
        world.key.limits.allowed_endpoints = bits[4].then(|| vec![EndpointKind::Chat]);
        world.key.limits.allowed_models = bits[5].then(|| vec!["small".into()]);
        world.organization.limits.allowed_models = bits[6].then(|| vec!["small".into(), "large".into()]);
        if bits[7] {
            world.roles.clear();
        }
        let name = ["small", "large-latest", "embed", "nope", ""][name];
        let offered = ["web_search".to_owned()];
        let tools: &[String] = if bits[8] { &offered } else { &[] };
        world.organization.limits.allowed_tools = bits[9].then(|| vec!["web_search".into()]);
        world.workspace.limits.allowed_tools = bits[10].then(|| vec!["connector".into()]);
        world.organization.limits.allowed_service_tiers = bits[9].then(|| vec![crate::limits::ServiceTier::Priority]);
        let asked = Ask { input_tokens, max_tokens, choices, tools, priority: bits[11], ..ask(name) };
        let explanation = world.explain(asked);
        let rules = world.chain().call_rules(&world.catalogue);
        let admitted = admit(&rules, &world.catalogue, world.address.unwrap(), asked);
        let told = explanation.refusal().cloned();
        prop_assert_eq!(told, admitted.as_ref().err().map(Refused::from));
        if let Ok(grant) = admitted {
            prop_assert_eq!(explanation.bound.unwrap().output, grant.output * choices);
        }
    }
}
