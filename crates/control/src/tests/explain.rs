//! Explanations over the admin API: how a question is read, whose objects it may name, and what is shown.

use super::house;
use louver_domain::roles::{MEMBER, WORKSPACE_ADMIN, WORKSPACE_CONTRIBUTOR};
use serde_json::{Value, json};

const PATH: &str = "/v1/gateway/explain";

fn rule<'a>(shown: &'a Value, rule: &str, level: &str) -> &'a Value {
    let mut all = shown["rules"].as_array().unwrap().iter();
    all.find(|entry| entry["rule"] == rule && entry["level"] == level)
        .unwrap_or_else(|| panic!("no {rule} at {level}: {shown:#}"))
}

#[tokio::test]
async fn a_key_is_explained_with_every_list_and_number() {
    let house = house().await;
    let limits = format!("/v1/gateway/workspaces/{}/limits", house.workspace);
    let patch = r#"{"allowed_models":["mistral-small"],"requests_per_minute":60,"monthly_budget_usd":50}"#;
    assert_eq!(house.call("PATCH", &limits, patch).await.status, 200);
    let key = house.make("/v1/api-keys", r#"{"name":"one","monthly_budget_usd":12.5}"#).await;
    let body =
        json!({"key_id": key["id"], "model": "mistral-small-latest", "max_tokens": 10, "input_tokens": 20});
    let events = house.audit().await.len();
    let shown = house.make(PATH, &body.to_string()).await;
    assert_eq!((&shown["object"], &shown["allowed"]), (&json!("explanation"), &json!(true)), "{shown:#}");
    assert_eq!(shown["refusal"], json!(null));
    assert_eq!(shown["max_tokens_sent"], 10);
    assert_eq!((&shown["bound"]["input_tokens"], &shown["bound"]["output_tokens"]), (&json!(20), &json!(10)));
    let cost = shown["bound"]["cost_usd"].as_f64().unwrap();
    assert!(cost > 0.0);
    assert_eq!(rule(&shown, "allowed_models", "workspace")["list"], json!(["mistral-small"]));
    assert_eq!(rule(&shown, "allowed_models", "organization")["list"], json!(null));
    let rate = rule(&shown, "requests_per_minute", "workspace");
    assert_eq!((&rate["limit"], &rate["used"], &rate["asked"]), (&json!(60), &json!(0), &json!(1)));
    assert_eq!(rate["mode"], "enforce");
    let budget = rule(&shown, "monthly_budget_usd", "key");
    assert_eq!(budget["name"], "one");
    assert_eq!((&budget["limit"], &budget["remaining"]), (&json!(12.5), &json!(12.5)));
    assert_eq!(budget["asked"].as_f64(), Some(cost));
    assert_eq!(budget["resets_at"], "2026-12-01T00:00:00Z");

    let large = json!({"key_id": key["id"], "model": "mistral-large-latest"}).to_string();
    let shown = house.make(PATH, &large).await;
    assert_eq!((&shown["allowed"], &shown["max_tokens_sent"]), (&json!(false), &json!(null)));
    assert_eq!(
        (&shown["refusal"]["status"], &shown["refusal"]["type"]),
        (&json!(403), &json!("model_not_allowed"))
    );
    assert_eq!(rule(&shown, "allowed_models", "workspace")["allowed"], false);
    assert_eq!(rule(&shown, "allowed_models", "key")["allowed"], true);

    let id = key["id"].as_str().unwrap();
    assert_eq!(house.call("DELETE", &format!("/v1/api-keys/{id}"), "").await.status, 200);
    let shown = house.make(PATH, &large).await;
    assert_eq!(
        (&shown["refusal"]["status"], &shown["refusal"]["type"]),
        (&json!(401), &json!("authentication_error"))
    );
    assert_eq!(rule(&shown, "credential", "key")["detail"], "the key is revoked");
    assert_eq!(house.audit().await.len(), events + 1, "an explanation leaves no event; the revocation does");
}

#[tokio::test]
async fn a_person_is_explained_as_a_fresh_key_of_theirs() {
    let house = house().await;
    let body = r#"[{"email":"a@example.com","first_name":"A","last_name":"B"}]"#;
    let made = house.make("/v1/admin/users", body).await;
    let user = made["email_to_user_id"]["a@example.com"].as_str().unwrap().to_owned();
    let role = format!("/v1/gateway/workspaces/{}/members/{user}/model-role", house.workspace);
    assert_eq!(house.call("PUT", &role, r#"{"role":"analyst"}"#).await.status, 200);
    for workspace in [json!(null), json!(house.workspace.to_string()), json!(house.workspace.prefixed())] {
        let body = json!({"user": user, "workspace_id": workspace, "model": "mistral-small-latest"});
        let shown = house.make(PATH, &body.to_string()).await;
        assert_eq!(shown["allowed"], true, "{shown:#}");
        assert_eq!(shown["max_tokens_sent"], 500, "what the role leaves is put in");
        let daily = rule(&shown, "daily_token_budget", "model_role");
        assert_eq!(
            (&daily["name"], &daily["limit"], &daily["asked"]),
            (&json!("analyst"), &json!(100_000), &json!(500))
        );
        assert_eq!(daily["id"], user);
        assert_eq!(rule(&shown, "credential", "key")["id"], json!(null), "it is not made");
        let body = json!({"user": user, "workspace_id": workspace, "model": "mistral-large-latest"});
        let shown = house.make(PATH, &body.to_string()).await;
        assert_eq!(rule(&shown, "allowed_models", "model_role")["allowed"], false);
        assert_eq!(shown["refusal"]["type"], "model_not_allowed");
    }
    assert_eq!(house.count_keys().await, 0, "nothing was made");
}

#[tokio::test]
async fn foreign_and_unknown_ids_are_not_found_and_wrong_questions_refused() {
    let house = house().await;
    let key = house.make("/v1/api-keys", r#"{"name":"one"}"#).await["id"].as_str().unwrap().to_owned();
    let made = house
        .make("/v1/admin/users", r#"[{"email":"a@example.com","first_name":"A","last_name":"B"}]"#)
        .await;
    let user = made["email_to_user_id"]["a@example.com"].as_str().unwrap().to_owned();
    let theirs = house.neighbour().await;
    let model = "mistral-small-latest";
    for body in [json!({"key_id": key, "model": model}), json!({"user": user, "model": model})] {
        let foreign = house.call_as(&theirs, "POST", PATH, &body.to_string()).await;
        assert_eq!(foreign.status, 404, "{}", foreign.text);
        assert_eq!(house.call("POST", PATH, &body.to_string()).await.status, 200);
    }
    let nobody = "00000000-0000-7000-8000-000000000000";
    for body in [
        json!({"key_id": nobody, "model": model}),
        json!({"key_id": "x", "model": model}),
        json!({"user": nobody, "model": model}),
        json!({"user": user, "workspace_id": nobody, "model": model}),
    ] {
        assert_eq!(house.call("POST", PATH, &body.to_string()).await.status, 404, "{body}");
    }
    for (body, field) in [
        (json!({"key_id": key}), "model"),
        (json!({"model": model}), "key_id"),
        (json!({"key_id": key, "user": user, "model": model}), "user"),
        (json!({"key_id": key, "workspace_id": house.workspace.to_string(), "model": model}), "workspace_id"),
        (json!({"key_id": key, "model": model, "modell": 1}), "modell"),
        (json!({"key_id": key, "model": model, "choices": 0}), "choices"),
        (json!({"key_id": key, "model": model, "endpoint": "models"}), "endpoint"),
        (json!({"key_id": key, "model": model, "endpoint": "files"}), "endpoint"),
        (json!({"key_id": key, "model": model, "endpoint": "embeddings", "max_tokens": 1}), "max_tokens"),
        (json!({"key_id": key, "model": model, "address": "here"}), "address"),
        (json!({"key_id": key, "model": model, "max_tokens": -1}), "max_tokens"),
    ] {
        let answer = house.call("POST", PATH, &body.to_string()).await;
        assert_eq!(answer.refused(), (422, field.to_owned()), "{body} {}", answer.text);
    }
    assert_eq!(house.call("GET", PATH, "").await.status, 405);
}

#[tokio::test]
async fn who_asks_for_a_workspace_learns_nothing_of_others() {
    let house = house().await;
    let here = house.workspace("here", None).await;
    let head = house.somebody("head@example.com", &[MEMBER], &[(here, WORKSPACE_ADMIN)]).await;
    let ann = house.somebody("ann@example.com", &[MEMBER], &[(here, WORKSPACE_CONTRIBUTOR)]).await;
    let far = house.somebody("far@example.com", &[MEMBER], &[]).await;
    let limits = json!({"limits": {"monthly_budget_usd": 100, "requests_per_minute": 60}}).to_string();
    assert_eq!(house.call("PATCH", "/v1/gateway/organization", &limits).await.status, 200);
    let path = format!("/v1/gateway/users/{}/limits", ann.id);
    assert_eq!(house.call("PATCH", &path, r#"{"monthly_budget_usd":10}"#).await.status, 200);
    let ask = async |secret: &str, user: &str| {
        let body = json!({"user": user, "workspace_id": here, "model": "mistral-small-latest"});
        house.call_as(secret, "POST", PATH, &body.to_string()).await
    };
    assert_eq!(ask(&head.secret, &far.id.to_string()).await.status, 404);
    assert_eq!(ask(&house.admin, &far.id.to_string()).await.status, 200);
    for (secret, of_all, of_ann) in [
        (&head.secret, json!(null), json!(null)),
        (&ann.secret, json!(null), json!(10)),
        (&house.admin, json!(100), json!(10)),
    ] {
        let shown = ask(secret, &ann.id.to_string()).await.json();
        for (level, wanted) in [("organization", &of_all), ("user", &of_ann)] {
            let budget = rule(&shown, "monthly_budget_usd", level);
            assert_eq!((&budget["limit"], &budget["remaining"]), (wanted, wanted), "{level}");
        }
        let rate = rule(&shown, "requests_per_minute", "organization");
        assert_eq!(rate["used"].is_null(), of_all.is_null());
    }
}
