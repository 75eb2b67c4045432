//! What a draft would have refused: how it is read, laid over what is set, and told.

use super::{House, house};
use crate::actions::simulation::{Asked, Bounds, run};
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::{KeyId, RequestId, UserId, WorkspaceId};
use louver_domain::money::Money;
use louver_domain::prices::Terms;
use louver_domain::settlement::{Bound, Charge, Why};
use louver_domain::time::Timestamp;
use louver_domain::usage::{Tokens, Units, UsageRecord};
use louver_store::ledger::entries::{Entry, Holds, insert};
use serde_json::{Value, json};

/// A call of that key: 100 tokens in, 50 out, one dollar. The house's clock stands at 2026-11-21T02:31:58.
async fn record(house: &House, key: &str, at: &str, change: impl Fn(&mut UsageRecord)) {
    let at = Timestamp::parse(at).unwrap();
    let mut record = UsageRecord {
        request_id: RequestId::new(at, &*house.control.entropy),
        at,
        organization_id: house.organization,
        workspace_id: house.workspace,
        key_id: KeyId::parse(key).unwrap(),
        user_id: None,
        role: None,
        endpoint: EndpointKind::Chat,
        model_asked: "mistral-small-latest".into(),
        model: "mistral-small-2603".into(),
        charge: Charge {
            tokens: Tokens { input: 100, cached: 0, output: 50 },
            units: Units::default(),
            terms: Terms::default(),
            cost: Money::parse_usd("1").unwrap(),
            why: Why::Metered,
        },
        price_version: 1,
        status: 200,
        first_byte_micros: 1,
        total_micros: 2,
        bound: Bound::default(),
        would_refuse: false,
        recovered: false,
        client_left: false,
    };
    change(&mut record);
    insert(&house.control.store, &[Entry { record, epoch: 0, holds: Holds::new() }]).await.unwrap();
}

async fn key(house: &House, body: &str) -> String {
    house.make("/v1/api-keys", body).await["id"].as_str().unwrap().to_owned()
}

async fn simulate(house: &House, draft: Value) -> Value {
    house.make("/v1/gateway/simulate", &draft.to_string()).await
}

#[tokio::test]
async fn a_draft_is_laid_over_what_is_set_and_told_rule_by_rule() {
    let house = house().await;
    let id = key(&house, r#"{"name":"batch","rate_limit_rpm":2}"#).await;
    let other = key(&house, r#"{"name":"web"}"#).await;
    for at in ["2026-11-20T10:00:00Z", "2026-11-20T10:00:01Z", "2026-11-20T10:00:02Z"] {
        record(&house, &id, at, |_| ()).await;
    }
    record(&house, &other, "2026-11-20T10:00:03Z", |r| r.model = "mistral-large-2512".into()).await;
    // Of the same month, but before the days that are asked for.
    record(&house, &other, "2026-11-02T00:00:00Z", |_| ()).await;
    record(&house, &other, "2026-10-31T00:00:00Z", |_| ()).await;

    let now = simulate(&house, json!({"days": 1})).await;
    assert_eq!(
        (&now["total"]["requests"], &now["refused"]["requests"], &now["complete"]),
        (&json!(4), &json!(1), &json!(true)),
        "what is set now refuses too: {now}"
    );
    let found = simulate(
        &house,
        json!({
            "days": 1,
            "organization": {"monthly_budget_usd": 3},
            "workspaces": {house.workspace.to_string(): {"allowed_models": ["mistral-small"]}},
            "keys": {id.clone(): {"requests_per_minute": null}},
        }),
    )
    .await;
    assert_eq!(
        found["total"],
        json!({"requests": 4, "input_tokens": 400, "output_tokens": 200, "cost_usd": 4})
    );
    assert_eq!(
        found["refused"],
        json!({"requests": 2, "input_tokens": 200, "output_tokens": 100, "cost_usd": 2})
    );
    assert_eq!(
        (&found["from"], &found["to"]),
        (&json!("2026-11-20T02:31:58Z"), &json!("2026-11-21T02:31:58Z"))
    );
    let rules = found["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 2);
    let of = |scope: &str| rules.iter().find(|rule| rule["scope"] == scope).unwrap();
    let budget = of("organization");
    assert_eq!((&budget["limit"], &budget["requests"]), (&json!("monthly_budget_usd"), &json!(1)));
    assert_eq!(budget["first"]["at"], "2026-11-20T10:00:02Z", "one dollar was spent on the second");
    assert_eq!((&budget["first"]["key_id"], &budget["enforced"]), (&json!(id), &json!(true)));
    let models = of("workspace");
    assert_eq!(
        (&models["limit"], &models["id"]),
        (&json!("allowed_models"), &json!(house.workspace.to_string()))
    );
    assert_eq!(models["first"]["model"], "mistral-large-2512");

    let before = house.audit().await.len();
    simulate(&house, json!({})).await;
    assert_eq!(house.audit().await.len(), before, "nothing is written");
    let key = house.get(&format!("/v1/api-keys/{id}")).await.json();
    assert_eq!(key["rate_limit_rpm"], 2, "nothing is changed");
}

#[tokio::test]
async fn people_and_roles_are_drafted_too() {
    let house = house().await;
    let user = r#"[{"email":"a@example.com","first_name":"A","last_name":"B"}]"#;
    let made = house.make("/v1/admin/users", user).await;
    let user = made["email_to_user_id"]["a@example.com"].as_str().unwrap().to_owned();
    house.place(&house.workspace.to_string(), &user).await;
    let id = key(&house, &json!({"name": "k", "owner_user_id": user}).to_string()).await;
    let owner = UserId::parse(&user);
    for second in 0..3 {
        let at = format!("2026-11-20T10:00:0{second}Z");
        record(&house, &id, &at, |record| {
            record.user_id = owner;
            record.role = Some("analyst".into());
        })
        .await;
    }
    let by_role = simulate(&house, json!({"roles": {"analyst": {"daily_token_budget": 300}}})).await;
    let rule = &by_role["rules"][0];
    assert_eq!(
        (&rule["scope"], &rule["id"], &rule["limit"], &rule["requests"]),
        (&json!("model_role"), &json!("analyst"), &json!("daily_token_budget"), &json!(1))
    );
    let by_user = simulate(&house, json!({"users": {user.clone(): {"requests_per_minute": 1}}})).await;
    let rule = &by_user["rules"][0];
    assert_eq!((&rule["scope"], &rule["name"]), (&json!("user"), &json!("a@example.com")));
    assert_eq!((&rule["requests"], &rule["first"]["user_id"]), (&json!(2), &json!(user)));
}

#[tokio::test]
async fn a_draft_that_could_not_be_set_is_refused() {
    let house = house().await;
    let id = key(&house, r#"{"name":"k"}"#).await;
    let workspace = house.workspace.to_string();
    let foreign = WorkspaceId::new(house.system().now, &*house.control.entropy).to_string();
    for (draft, param) in [
        (json!({"days": 0}), "days"),
        (json!({"days": 94}), "days"),
        (json!({"days": null}), "days"),
        (json!({"months": 1}), "months"),
        (json!({"organization": {"requests": 1}}), "organization.requests"),
        (json!({"organization": null}), "organization"),
        (json!({"organization": {"allowed_models": ["gpt"]}}), "organization.allowed_models"),
        (json!({"organization": {"timezone": "Mars"}}), "organization.timezone"),
        (json!({"workspaces": {"nonsense": {}}}), "workspaces"),
        (json!({"workspaces": {foreign: {}}}), "workspaces"),
        (json!({"workspaces": {workspace.clone(): []}}), &format!("workspaces.{workspace}")),
        (json!({"users": {id.clone(): {}}}), "users"),
        (json!({"roles": {"nobody": {}}}), "roles"),
        (json!({"roles": {"analyst": {"allowed_models": ["gpt"]}}}), "roles.analyst.allowed_models"),
        (
            json!({"roles": {"analyst": {"daily_token_budget": 2_000_000_000_000_u64}}}),
            "roles.analyst.daily_token_budget",
        ),
        (
            json!({"organization": {"requests_per_minute": 5}, "workspaces": {workspace.clone(): {"requests_per_minute": 6}}}),
            &format!("workspaces.{workspace}.requests_per_minute"),
        ),
    ] {
        let answer = house.call("POST", "/v1/gateway/simulate", &draft.to_string()).await;
        assert_eq!(answer.refused(), (422, param.to_owned()), "{draft}");
    }
    let bare = KeyId::parse(&id).unwrap().to_string();
    let above = json!({"workspaces": {workspace: {"requests_per_minute": 5}}, "keys": {id: {"requests_per_minute": 6}}});
    let answer = house.call("POST", "/v1/gateway/simulate", &above.to_string()).await;
    assert_eq!(answer.refused(), (422, format!("keys.{bare}.requests_per_minute")), "both forms of an id");
}

#[tokio::test]
async fn work_is_bounded_and_a_cut_is_told() {
    let house = house().await;
    let id = key(&house, r#"{"name":"k"}"#).await;
    for minute in 0..5 {
        record(&house, &id, &format!("2026-11-20T10:0{minute}:00Z"), |_| ()).await;
    }
    let bounded =
        async |bounds: Bounds| run(&house.control, &house.system(), Asked::default(), bounds).await.unwrap();
    for (calls, to) in [
        (0, "2026-11-20T10:00:00Z"),
        (3, "2026-11-20T10:03:00Z"),
        (4, "2026-11-20T10:04:00Z"),
        (5, "2026-11-21T02:31:58Z"),
    ] {
        let found = bounded(Bounds { calls, ..Bounds::default() }).await;
        assert_eq!((found.to.rfc3339().as_str(), found.complete), (to, calls == 5));
        assert_eq!(found.outcome.all.calls, calls as u64);
    }
    let late = bounded(Bounds { micros: 0, ..Bounds::default() }).await;
    assert_eq!((late.complete, late.outcome.all.calls), (false, 0));
}

#[tokio::test]
async fn a_neighbour_sees_nothing_of_ours() {
    let house = house().await;
    let id = key(&house, r#"{"name":"k"}"#).await;
    record(&house, &id, "2026-11-20T10:00:00Z", |_| ()).await;
    let theirs = house.neighbour().await;
    let answer = house.call_as(&theirs, "POST", "/v1/gateway/simulate", "{}").await;
    assert_eq!((answer.status.as_u16(), answer.json()["total"]["requests"].clone()), (200, json!(0)));
    let draft = json!({"keys": {id: {}}}).to_string();
    assert_eq!(house.call_as(&theirs, "POST", "/v1/gateway/simulate", &draft).await.refused().0, 422);
    assert_eq!(house.call_as("lva_wrong", "POST", "/v1/gateway/simulate", "{}").await.status, 401);
}
