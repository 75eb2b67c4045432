//! The replay: each rule by itself in a table, and all of them together against a reference that keeps every call.

use super::*;
use crate::endpoints::EndpointKind;
use crate::limits::Mode;
use crate::models::{Model, ModelStatus};
use proptest::prelude::*;

const START: &str = "2026-11-21T10:00:00Z";

fn start() -> Timestamp {
    Timestamp::parse(START).unwrap()
}

fn catalogue() -> Catalogue {
    let model = |id: &str| Model {
        id: id.into(),
        aliases: vec![],
        family: id.into(),
        name: id.into(),
        context: 1000,
        endpoints: vec![EndpointKind::Chat],
        capabilities: vec![],
        status: ModelStatus::Active,
        deprecation: None,
        replacement: None,
        upstream: None,
        workspace_id: None,
    };
    Catalogue::new(vec![model("small"), model("large")])
}

fn key(number: u8) -> KeyId {
    KeyId::from_bytes([number; 16])
}

fn workspace(number: u8) -> WorkspaceId {
    WorkspaceId::from_bytes([number; 16])
}

fn user(number: u8) -> UserId {
    UserId::from_bytes([number; 16])
}

/// A call at so many milliseconds after the start: 10 tokens in, 5 out, one dollar, one second long.
fn call(millis: i64) -> PastCall {
    PastCall {
        request_id: RequestId::from_bytes(u128::try_from(millis + 1).unwrap().to_be_bytes()),
        at: Timestamp::from_micros(start().micros() + millis * 1000),
        workspace_id: workspace(1),
        key_id: key(1),
        user_id: Some(user(1)),
        role: Some("analyst".into()),
        model: "small".into(),
        tokens: Tokens { input: 10, cached: 4, output: 5 },
        cost: Money::parse_usd("1").unwrap(),
        total_micros: 1_000_000,
    }
}

fn draft(limits: Limits) -> Draft {
    Draft { organization: limits, catalogue: catalogue(), ..Draft::default() }
}

fn role(change: impl Fn(&mut ModelRole)) -> ModelRole {
    let mut role = ModelRole {
        name: "analyst".into(),
        allowed_models: vec!["*".into()],
        allowed_endpoints: None,
        allowed_tools: None,
        allowed_service_tiers: None,
        max_signed_url_hours: None,
        max_tokens_per_request: None,
        daily_token_budget: None,
        builtin: true,
    };
    change(&mut role);
    role
}

fn run(draft: &Draft, calls: &[PastCall]) -> Outcome {
    let mut simulation = Simulation::new(draft, start());
    calls.iter().for_each(|call| simulation.replay(call));
    simulation.finish()
}

/// Which of the calls are refused, by their milliseconds, and the rule that did it.
fn refused(draft: &Draft, calls: &[PastCall]) -> (Vec<i64>, Vec<&'static str>) {
    let mut simulation = Simulation::new(draft, start());
    let mut moments = vec![];
    for call in calls {
        let before = simulation.outcome.refused.calls;
        simulation.replay(call);
        if simulation.outcome.refused.calls > before {
            moments.push((call.at.micros() - start().micros()) / 1000);
        }
    }
    let rules = simulation.finish().rules;
    (moments, rules.keys().map(|rule| rule.limit).collect())
}

#[test]
fn each_limit_refuses_by_its_own_window() {
    let usd = |text| Money::parse_usd(text);
    let none = Limits::default;
    // The start is 14 hours before midnight, and nine and a half days before the next month.
    let hour = 3_600_000;
    for (limits, moments, expected) in [
        (
            Limits { requests_per_second: Some(2), ..none() },
            vec![0, 100, 200, 999, 1000, 1100],
            vec![200, 999, 1000],
        ),
        (
            Limits { requests_per_minute: Some(2), ..none() },
            vec![0, 30_000, 59_000, 60_999, 61_000],
            vec![59_000, 60_999],
        ),
        // A refused call counts towards nothing.
        (
            Limits { tokens_per_minute: Some(44), ..none() },
            vec![0, 1000, 2000, 3000, 62_000],
            vec![2000, 3000],
        ),
        (
            Limits { max_concurrent_requests: Some(1), ..none() },
            vec![0, 500, 999, 1000, 1999, 2000],
            vec![500, 999, 1999],
        ),
        (Limits { hourly_budget_usd: usd("2"), ..none() }, vec![0, 1, 2, hour - 1, hour], vec![2, hour - 1]),
        (
            Limits { daily_budget_usd: usd("2.5"), ..none() },
            vec![0, hour, 2 * hour, 14 * hour - 1, 14 * hour],
            vec![2 * hour, 14 * hour - 1],
        ),
        (
            Limits { monthly_budget_usd: usd("1"), ..none() },
            vec![0, 100 * hour, 230 * hour - 1, 230 * hour],
            vec![100 * hour, 230 * hour - 1],
        ),
        (
            Limits { tokens_per_month: Some(30), ..none() },
            vec![0, 1, 2, 230 * hour - 1, 230 * hour],
            vec![2, 230 * hour - 1],
        ),
        (Limits { monthly_budget_usd: usd("0"), ..none() }, vec![0], vec![0]),
        (none(), vec![0, 0, 0, 0], vec![]),
    ] {
        let calls: Vec<PastCall> = moments.iter().map(|at| call(*at)).collect();
        let named: Vec<&str> = limits
            .numbers()
            .into_iter()
            .filter(|(_, number)| number.is_some())
            .map(|(name, _)| name)
            .collect();
        let (found, rules) = refused(&draft(limits), &calls);
        assert_eq!(found, expected, "{named:?}");
        assert_eq!(rules, if expected.is_empty() { vec![] } else { named });
    }
}

#[test]
fn roles_refuse_by_model_by_request_and_by_day() {
    let with = |change: fn(&mut ModelRole)| Draft { roles: vec![role(change)], ..draft(Limits::default()) };
    let tight = with(|role| role.max_tokens_per_request = Some(14));
    assert_eq!(refused(&tight, &[call(0)]), (vec![0], vec!["max_tokens_per_request"]));
    let fits = with(|role| role.max_tokens_per_request = Some(15));
    assert_eq!(refused(&fits, &[call(0)]), (vec![], vec![]));
    let narrow = with(|role| role.allowed_models = vec!["large".into()]);
    assert_eq!(refused(&narrow, &[call(0)]), (vec![0], vec!["allowed_models"]));
    let other = PastCall { role: None, ..call(1) };
    assert_eq!(refused(&narrow, std::slice::from_ref(&other)).0, Vec::<i64>::new());
    // Each who has the role has its own day: a person, or a key that nobody owns.
    let daily = with(|role| role.daily_token_budget = Some(30));
    let unowned = |at| PastCall { user_id: None, ..call(at) };
    let second = |at| PastCall { user_id: Some(user(2)), key_id: key(2), ..call(at) };
    let calls =
        [call(0), call(1), second(2), unowned(3), call(4), second(5), unowned(6), call(14 * 3_600_000)];
    assert_eq!(refused(&daily, &calls), (vec![4], vec!["daily_token_budget"]));
    assert_eq!(run(&daily, &calls).rules.keys().next().unwrap().scope, Scope::ModelRole("analyst".into()));
}

#[test]
fn models_are_asked_from_the_organization_down_and_only_while_known() {
    let list = |models: &[&str]| Limits {
        allowed_models: Some(models.iter().map(|model| (*model).to_owned()).collect()),
        ..Limits::default()
    };
    let mut draft = Draft {
        workspaces: HashMap::from([(workspace(1), list(&["large"]))]),
        keys: HashMap::from([(key(1), list(&[]))]),
        ..draft(list(&["*"]))
    };
    let scope = |draft: &Draft| run(draft, &[call(0)]).rules.keys().next().unwrap().scope.clone();
    assert_eq!(scope(&draft), Scope::Workspace(workspace(1)));
    draft.workspaces.clear();
    assert_eq!(scope(&draft), Scope::Key(key(1)));
    draft.organization = list(&["large"]);
    assert_eq!(scope(&draft), Scope::Organization);
    let gone = PastCall { model: "gone".into(), ..call(0) };
    let outcome = run(&draft, &[gone]);
    assert_eq!((outcome.refused.calls, outcome.unknown_models), (0, 1));
}

#[test]
fn a_refusal_is_told_by_the_first_rule_and_summed() {
    let minute = |n| Limits { requests_per_minute: Some(n), ..Limits::default() };
    let draft = Draft {
        workspaces: HashMap::from([(workspace(1), minute(1))]),
        users: HashMap::from([(user(1), minute(2))]),
        keys: HashMap::from([(key(1), minute(1))]),
        ..draft(minute(1))
    };
    let outcome = run(&draft, &[call(0), call(1), call(2)]);
    assert_eq!((outcome.all.calls, outcome.refused.calls), (3, 2));
    let rule = Rule { scope: Scope::Key(key(1)), limit: "requests_per_minute" };
    let finding = &outcome.rules[&rule];
    assert_eq!(outcome.rules.len(), 1, "the key's is asked first");
    assert_eq!(finding.first, call(1));
    let total = Total {
        calls: 2,
        tokens: Tokens { input: 20, cached: 8, output: 10 },
        cost: Money::from_nanos(2_000_000_000),
    };
    assert_eq!((finding.total, finding.enforced), (total, true));
    assert_eq!(outcome.refused, total);
    // A refused call took nothing from the scopes above: the person has one more.
    let elsewhere = PastCall { key_id: key(2), workspace_id: workspace(2), ..call(3) };
    let looser = Draft { organization: Limits::default(), ..draft };
    assert_eq!(run(&looser, &[call(0), call(1), call(2), elsewhere]).refused.calls, 2);
}

#[test]
fn a_limit_in_the_shadow_counts_and_lets_go_on() {
    let shadow = Limits { requests_per_minute: Some(1), mode: Some(Mode::Shadow), ..Limits::default() };
    let draft = Draft {
        organization: Limits { requests_per_minute: Some(3), ..Limits::default() },
        keys: HashMap::from([(key(1), shadow)]),
        ..draft(Limits::default())
    };
    let outcome = run(&draft, &[call(0), call(1), call(2), call(3)]);
    assert_eq!(outcome.refused.calls, 1);
    let told: Vec<(&Scope, bool, u64)> =
        outcome.rules.iter().map(|(rule, found)| (&rule.scope, found.enforced, found.total.calls)).collect();
    assert_eq!(told, [(&Scope::Organization, true, 1), (&Scope::Key(key(1)), false, 3)]);
}

#[test]
fn what_was_spent_before_counts_and_is_not_told() {
    let limits = Limits { monthly_budget_usd: Money::parse_usd("2"), ..Limits::default() };
    let draft = draft(limits);
    assert_eq!(draft.replay_from(start()).rfc3339(), "2026-11-01T00:00:00Z");
    let earlier = |seconds: i64| PastCall { at: start().plus_seconds(-seconds), ..call(0) };
    let mut simulation = Simulation::new(&draft, start());
    for call in [earlier(20 * 86_400), earlier(86_400), earlier(60), call(0)] {
        simulation.replay(&call);
    }
    let outcome = simulation.finish();
    assert_eq!((outcome.all.calls, outcome.refused.calls), (1, 1));
    assert_eq!(outcome.rules.values().next().unwrap().first, call(0));
}

#[test]
fn the_replay_starts_where_the_longest_budget_does() {
    let day = Limits { daily_budget_usd: Some(Money::ZERO), ..Limits::default() };
    let month = Limits { tokens_per_month: Some(1), ..Limits::default() };
    let rate = Limits { requests_per_minute: Some(1), ..Limits::default() };
    let from = |draft: &Draft| draft.replay_from(start().plus_seconds(90)).rfc3339();
    assert_eq!(from(&draft(rate)), "2026-11-21T09:00:00Z");
    let of_user = Draft { users: HashMap::from([(user(1), day)]), ..Draft::default() };
    assert_eq!(from(&of_user), "2026-11-21T00:00:00Z");
    let of_role = Draft { roles: vec![role(|role| role.daily_token_budget = Some(1))], ..Draft::default() };
    assert_eq!(from(&of_role), "2026-11-21T00:00:00Z");
    let of_key = Draft { keys: HashMap::from([(key(1), month)]), ..of_role };
    assert_eq!(from(&of_key), "2026-11-01T00:00:00Z");
}

/// Whether `draft` refuses `call` after `admitted`, by looking at all of them anew.
fn refuses(draft: &Draft, admitted: &[PastCall], call: &PastCall) -> bool {
    let role = call.role.as_deref().and_then(|name| draft.roles.iter().find(|role| role.name == name));
    let allows = |list: &[String]| list.iter().any(|entry| entry == "*" || *entry == *call.model);
    let chain = [
        (Some(&draft.organization), Box::new(|_: &PastCall| true) as Box<dyn Fn(&PastCall) -> bool>),
        (draft.workspaces.get(&call.workspace_id), Box::new(|other| other.workspace_id == call.workspace_id)),
        (call.user_id.and_then(|id| draft.users.get(&id)), Box::new(|other| other.user_id == call.user_id)),
        (draft.keys.get(&call.key_id), Box::new(|other| other.key_id == call.key_id)),
    ];
    let tokens = |call: &PastCall| call.tokens.input + call.tokens.output;
    let of_role = role.is_some_and(|role| {
        let mine = |other: &&PastCall| {
            let holder = |call: &PastCall| call.user_id.ok_or(call.key_id);
            other.role == call.role
                && holder(other) == holder(call)
                && other.at.floor(Window::Day) == call.at.floor(Window::Day)
        };
        let day: u64 = admitted.iter().filter(mine).map(tokens).sum();
        !allows(&role.allowed_models)
            || role.max_tokens_per_request.is_some_and(|most| tokens(call) > most)
            || role.daily_token_budget.is_some_and(|most| day + tokens(call) > most)
    });
    let of_chain =
        chain.into_iter().filter_map(|(limits, mine)| Some((limits?, mine))).any(|(limits, mine)| {
            let mine: Vec<&PastCall> = admitted.iter().filter(|other| mine(other)).collect();
            let buckets = |width: i64, length: i64| {
                let number = move |call: &PastCall| call.at.micros().div_euclid(width);
                mine.iter().copied().filter(move |other| number(call) - number(other) < length)
            };
            let same = |unit: Window| {
                let floor = call.at.floor(unit);
                mine.iter().copied().filter(move |other| other.at.floor(unit) == floor)
            };
            let over_usd = |limit: Option<Money>, unit| {
                let spent: i64 = same(unit).map(|other| other.cost.nanos()).sum();
                limit.is_some_and(|most| spent + call.cost.nanos() > most.nanos())
            };
            let running = mine.iter().filter(|other| {
                other.at.micros() + i64::try_from(other.total_micros).unwrap() > call.at.micros()
            });
            let over = |limit: Option<u64>, used: u64| limit.is_some_and(|most| used > most);
            over(limits.requests_per_second, buckets(100_000, 11).count() as u64 + 1)
                || over(limits.requests_per_minute, buckets(1_000_000, 61).count() as u64 + 1)
                || over(
                    limits.tokens_per_minute,
                    buckets(1_000_000, 61).map(tokens).sum::<u64>() + tokens(call),
                )
                || over(limits.max_concurrent_requests, running.count() as u64 + 1)
                || over(limits.tokens_per_month, same(Window::Month).map(tokens).sum::<u64>() + tokens(call))
                || over_usd(limits.hourly_budget_usd, Window::Hour)
                || over_usd(limits.daily_budget_usd, Window::Day)
                || over_usd(limits.monthly_budget_usd, Window::Month)
                || limits.allowed_models.as_deref().is_some_and(|list| !allows(list))
        });
    of_role || of_chain
}

fn any_limits() -> impl Strategy<Value = Limits> {
    let count = || prop::option::weighted(0.3, 1_u64..12);
    let usd = || prop::option::weighted(0.3, (1_i64..12).prop_map(|n| Money::from_nanos(n * 1_000_000_000)));
    let models =
        prop::option::weighted(0.1, prop::sample::subsequence(vec!["small".to_owned(), "large".into()], 1));
    let tokens = || prop::option::weighted(0.3, 10_u64..150);
    (count(), count(), tokens(), tokens(), count(), usd(), usd(), usd(), models).prop_map(
        |(second, minute, minute_tokens, month_tokens, concurrency, hour, day, month, models)| Limits {
            requests_per_second: second,
            requests_per_minute: minute,
            tokens_per_minute: minute_tokens,
            tokens_per_month: month_tokens,
            max_concurrent_requests: concurrency,
            hourly_budget_usd: hour,
            daily_budget_usd: day,
            monthly_budget_usd: month,
            allowed_models: models,
            ..Limits::default()
        },
    )
}

fn any_call() -> impl Strategy<Value = (i64, PastCall)> {
    let gap = prop_oneof![3 => 0_i64..300, 3 => 300_i64..20_000, 1 => 20_000_i64..40_000_000, 1 => Just(400_000_000)];
    let who = (1_u8..3, 1_u8..4, 0_u8..3);
    let what = (any::<bool>(), any::<bool>(), 0_u64..30, 0_i64..3, 0_u64..5_000_000);
    (gap, who, what).prop_map(
        |(gap, (place, key_number, owner), (small, analyst, tokens, dollars, micros))| {
            let made = PastCall {
                workspace_id: workspace(place),
                key_id: key(key_number),
                user_id: (owner > 0).then(|| user(owner)),
                role: analyst.then(|| "analyst".into()),
                model: if small { "small" } else { "large" }.into(),
                tokens: Tokens { input: tokens, cached: 0, output: tokens / 2 },
                cost: Money::from_nanos(dollars * 1_000_000_000),
                total_micros: micros,
                ..call(0)
            };
            (gap, made)
        },
    )
}

proptest! {
    #[test]
    fn the_replay_refuses_what_the_reference_refuses(
        organization in any_limits(),
        of_workspace in any_limits(),
        of_user in any_limits(),
        of_key in any_limits(),
        (per_request, per_day) in (prop::option::of(5_u64..40), prop::option::of(20_u64..200)),
        gaps in prop::collection::vec(any_call(), 1..60),
    ) {
        let analyst = ModelRole {
            max_tokens_per_request: per_request,
            daily_token_budget: per_day,
            ..role(|_| ())
        };
        let draft = Draft {
            workspaces: HashMap::from([(workspace(1), of_workspace)]),
            // A person's models are no part of the rules.
            users: HashMap::from([(user(1), Limits { allowed_models: None, ..of_user })]),
            keys: HashMap::from([(key(1), of_key)]),
            roles: vec![analyst],
            ..draft(organization)
        };
        let mut at = start();
        let mut admitted: Vec<PastCall> = vec![];
        let mut simulation = Simulation::new(&draft, start());
        let mut expected = Total::default();
        for (gap, made) in gaps {
            at = Timestamp::from_micros(at.micros() + gap * 1000);
            let call = PastCall { at, ..made };
            simulation.replay(&call);
            if refuses(&draft, &admitted, &call) {
                expected.add(&call);
            } else {
                admitted.push(call);
            }
            prop_assert_eq!(simulation.outcome.refused, expected, "{:?}", at);
        }
        let outcome = simulation.finish();
        let by_rule: u64 = outcome.rules.values().map(|finding| finding.total.calls).sum();
        prop_assert_eq!(by_rule, expected.calls);
    }
}
