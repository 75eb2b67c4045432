//! What limits, model roles and keys permit beside numbers, and the prices of what that costs.

use super::house;
use serde_json::{Value, json};

#[tokio::test]
async fn a_child_permits_nothing_that_its_parent_does_not() {
    let house = house().await;
    let workspace = format!("/v1/gateway/workspaces/{}/limits", house.workspace);
    let limits = json!({"limits": {
        "allowed_endpoints": ["chat.completions", "ocr"], "allowed_tools": ["web_search"],
        "allowed_service_tiers": ["priority"], "max_signed_url_hours": 24, "region": "eu",
        "fallback_models": ["mistral-small-latest", "codestral-latest"],
    }});
    for (body, param) in [
        (json!({"allowed_tools": ["web_search"]}), "allowed_tools"),
        (json!({"allowed_service_tiers": ["priority"]}), "allowed_service_tiers"),
        (json!({"max_signed_url_hours": 1}), "max_signed_url_hours"),
    ] {
        let answer = house.call("PATCH", &workspace, &body.to_string()).await;
        assert_eq!(answer.refused(), (422, param.into()), "nothing above is none: {}", answer.text);
    }
    let set = house.call("PATCH", "/v1/gateway/organization", &limits.to_string()).await;
    assert_eq!(set.status, 200, "{}", set.text);
    assert_eq!(set.json()["limits"]["fallback_models"], limits["limits"]["fallback_models"]);
    for (body, param) in [
        (json!({"allowed_endpoints": ["files"]}), "allowed_endpoints"),
        (json!({"allowed_endpoints": ["ocr", "ocr"]}), "allowed_endpoints"),
        (json!({"allowed_endpoints": ["pictures"]}), "allowed_endpoints"),
        (json!({"allowed_tools": ["connector"]}), "allowed_tools"),
        (json!({"allowed_tools": ["web_search", "web_search"]}), "allowed_tools"),
        (json!({"allowed_tools": ["shell"]}), "allowed_tools"),
        (json!({"allowed_service_tiers": ["priority", "priority"]}), "allowed_service_tiers"),
        (json!({"allowed_service_tiers": ["flex"]}), "allowed_service_tiers"),
        (json!({"max_signed_url_hours": 25}), "max_signed_url_hours"),
        (json!({"max_signed_url_hours": 169}), "max_signed_url_hours"),
        (json!({"region": "us"}), "region"),
        (json!({"region": "moon"}), "region"),
        (json!({"fallback_models": ["nope"]}), "fallback_models"),
        (json!({"fallback_models": ["mistral-small-*"]}), "fallback_models"),
        (json!({"fallback_models": ["codestral-latest", "codestral-2508"]}), "fallback_models"),
    ] {
        let answer = house.call("PATCH", &workspace, &body.to_string()).await;
        assert_eq!(answer.refused(), (422, param.into()), "{body}: {}", answer.text);
    }
    let told = house.call("PATCH", &workspace, r#"{"allowed_endpoints":["ocr","files"]}"#).await;
    assert!(told.text.contains("the organization does not allow files"), "{}", told.text);
    assert_eq!(told.json()["detail"][0]["loc"], json!(["body", "allowed_endpoints", 1]));
    let body =
        json!({"allowed_endpoints": ["ocr"], "allowed_tools": [], "max_signed_url_hours": 0, "region": "eu"});
    let set = house.call("PATCH", &workspace, &body.to_string()).await;
    assert_eq!((set.status.as_u16(), &set.json()["allowed_tools"]), (200, &json!([])), "{}", set.text);
}

#[tokio::test]
async fn a_key_permits_nothing_that_its_workspace_does_not() {
    let house = house().await;
    let limits = r#"{"allowed_endpoints":["ocr"],"allowed_tools":[]}"#;
    let workspace = format!("/v1/gateway/workspaces/{}/limits", house.workspace);
    let set = house.call("PATCH", &workspace, limits).await;
    assert_eq!(set.status, 200, "{}", set.text);
    let key = |body: Value| {
        json!({"name": "k"})
            .as_object()
            .unwrap()
            .clone()
            .into_iter()
            .chain(body.as_object().unwrap().clone())
            .collect::<serde_json::Map<_, _>>()
    };
    for (body, param) in [
        (json!({"allowed_endpoints": ["chat.completions"]}), "allowed_endpoints"),
        (json!({"allowed_tools": ["web_search"]}), "allowed_tools"),
    ] {
        let answer = house.call("POST", "/v1/api-keys", &json!(key(body.clone())).to_string()).await;
        assert_eq!(answer.refused(), (422, param.into()), "{body}: {}", answer.text);
    }
    let made = house
        .make(
            "/v1/api-keys",
            &json!(key(json!({"allowed_endpoints": ["ocr"], "allowed_tools": []}))).to_string(),
        )
        .await;
    assert_eq!((&made["allowed_tools"], &made["limits"]["allowed_endpoints"]), (&json!([]), &json!(["ocr"])));
    let path = format!("/v1/api-keys/{}", made["id"].as_str().unwrap());
    let changed =
        house.call("PATCH", &path, r#"{"allowed_tools":null,"allowed_endpoints":null}"#).await.json();
    assert_eq!((&changed["allowed_tools"], &changed["allowed_endpoints"]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn model_roles_permit_endpoints_and_tools() {
    let house = house().await;
    let body = r#"{"name":"reader","allowed_models":["*"],"allowed_endpoints":["ocr"],"allowed_tools":["web_search"]}"#;
    let made = house.make("/v1/gateway/roles", body).await;
    assert_eq!(
        (&made["allowed_endpoints"], &made["allowed_tools"]),
        (&json!(["ocr"]), &json!(["web_search"]))
    );
    let path = "/v1/gateway/roles/reader";
    for (body, param) in [
        (r#"{"allowed_endpoints":["ocr","ocr"]}"#, "allowed_endpoints"),
        (r#"{"allowed_tools":["shell"]}"#, "allowed_tools"),
        (r#"{"allowed_service_tiers":["priority","priority"]}"#, "allowed_service_tiers"),
        (r#"{"max_signed_url_hours":169}"#, "max_signed_url_hours"),
    ] {
        assert_eq!(house.call("PATCH", path, body).await.refused(), (422, param.into()), "{body}");
    }
    let changed = house.call("PATCH", path, r#"{"allowed_endpoints":null,"allowed_tools":[]}"#).await.json();
    assert_eq!((&changed["allowed_endpoints"], &changed["allowed_tools"]), (&json!(null), &json!([])));
    let narrow = r#"{"allowed_endpoints":["ocr"],"allowed_service_tiers":[],"max_signed_url_hours":0}"#;
    let narrowed = house.call("PATCH", "/v1/gateway/roles/analyst", narrow).await.json();
    assert_eq!(
        (&narrowed["allowed_service_tiers"], &narrowed["max_signed_url_hours"]),
        (&json!([]), &json!(0))
    );
    let restored = house.call("POST", "/v1/gateway/roles/analyst/restore", "").await.json();
    for field in ["allowed_endpoints", "allowed_service_tiers", "max_signed_url_hours"] {
        assert_eq!(restored[field], json!(null), "{field}");
    }
}

/// F6: a price list with an error changes nothing and says where.
#[tokio::test]
async fn f6_a_price_list_with_an_error_is_refused_and_the_old_one_stays() {
    let house = house().await;
    let path = "/v1/gateway/models";
    let list = house.get(path).await.json();
    let events = house.audit().await.len();
    let model = |change: Value| {
        let mut model =
            json!({"id": "new", "family": "new", "name": "New", "context": 1000, "status": "active"});
        model.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let mut models = list["data"].as_array().unwrap().clone();
        models.push(model);
        json!({"models": models})
    };
    let priced = |price: Value| {
        let mut whole = json!({"effective_from": "2026-01-01"});
        whole.as_object_mut().unwrap().extend(price.as_object().unwrap().clone());
        model(json!({"prices": [whole]}))
    };
    let mut cases: Vec<(String, &str)> = [
        (priced(json!({"usd_per_1000_pages": -1})), "models.prices.usd_per_1000_pages"),
        (priced(json!({"usd_per_1000_pages": "1"})), "models.prices.usd_per_1000_pages"),
        (priced(json!({"usd_per_mchar": 1_000_001})), "models.prices.usd_per_mchar"),
        (priced(json!({"usd_per_page": 1})), "models.prices.usd_per_page"),
        (priced(json!({"batch_percent": 0})), "models.prices.batch_percent"),
        (priced(json!({"priority_percent": 1001})), "models.prices.priority_percent"),
        (model(json!({"prices": [{"input_usd_per_mtok": 1}]})), "models.prices.effective_from"),
        (model(json!({"endpoints": ["pictures"]})), "models.endpoints"),
        (model(json!({"upstream": "nowhere"})), "models.upstream"),
        (model(json!({"workspace_id": "0190a0a0-0000-7000-8000-000000000000"})), "models.workspace_id"),
        (json!({"models": list["data"], "tools": [{"type": "shell", "prices": []}]}), "tools.type"),
        (
            json!({"models": list["data"], "tools": [{"type": "connector", "prices": [{"effective_from": "2026-01-01", "usd_per_call": -1}]}]}),
            "tools.prices.usd_per_call",
        ),
    ]
    .into_iter()
    .map(|(body, param)| (body.to_string(), param))
    .collect();
    let with_nan = priced(json!({"usd_per_mchar": 7}))
        .to_string()
        .replace("\"usd_per_mchar\":7", "\"usd_per_mchar\":NaN");
    assert!(with_nan.contains("NaN"));
    assert_eq!(house.call("PUT", path, &with_nan).await.status, 400, "NaN is no JSON");
    // A price that is in effect is changed, and a model that has one is gone.
    let mut changed = list["data"].clone();
    changed[0]["prices"][0]["input_usd_per_mtok"] = json!(77);
    cases.push((json!({"models": changed}).to_string(), "models.prices"));
    let fewer = &list["data"].as_array().unwrap()[1..];
    cases.push((json!({"models": fewer}).to_string(), "models"));
    for (body, param) in cases {
        let answer = house.call("PUT", path, &body).await;
        assert_eq!(answer.refused(), (422, param.into()), "{}", answer.text);
    }
    assert_eq!(house.get(path).await.json(), list);
    assert_eq!(house.audit().await.len(), events);
}

#[tokio::test]
async fn prices_are_added_in_the_order_of_effect_and_what_is_missing_is_told() {
    let house = house().await;
    let path = "/v1/gateway/models";
    let list = house.get(path).await.json();
    let mut models = list["data"].clone();
    let first = models[0]["prices"][0].clone();
    let mut later = first.clone();
    later["effective_from"] = json!("2027-01-01T00:00:00Z");
    later["usd_per_1000_pages"] = json!(4);
    models[0]["prices"].as_array_mut().unwrap().push(later.clone());
    models.as_array_mut().unwrap().push(json!({
        "id": "our-ocr", "family": "our", "name": "Ours", "context": 1000, "status": "active", "upstream": "vllm",
        "workspace_id": house.workspace, "endpoints": ["ocr", "chat.completions"],
        "prices": [{"effective_from": "2026-01-01", "usd_per_1000_pages": 4, "regional_percent": 120}],
    }));
    let tools = json!([{"type": "web_search", "prices": [{"effective_from": "2026-01-01T00:00:00Z", "usd_per_call": 0.03}]}]);
    let put = house
        .call("PUT", &format!("{path}?force=false"), &json!({"models": models, "tools": tools}).to_string())
        .await;
    let first_in_effect = list["data"][0]["prices"].as_array().unwrap().len() == 1;
    assert!(first_in_effect);
    assert_eq!(put.status, 200, "{}", put.text);
    let shown = house.get(path).await.json();
    assert_eq!(shown, put.json());
    assert_eq!(shown["tools"], tools);
    assert_eq!(shown["data"][0]["prices"], json!([first, later]));
    let ours = house.get(&format!("{path}/our-ocr")).await.json();
    assert_eq!(
        ours["unpriced"],
        json!(["usd_per_1000_annotated_pages", "input_usd_per_mtok", "output_usd_per_mtok"])
    );
    assert_eq!((&ours["upstream"], &ours["workspace_id"]), (&json!("vllm"), &json!(house.workspace)));
    assert_eq!(ours["prices"][0]["regional_percent"], 120);
    // What is shown can be sent back; what is not in effect yet can be taken away; tools stay where none are named.
    let mut models = shown["data"].clone();
    models[0]["prices"].as_array_mut().unwrap().pop();
    let put = house.call("PUT", path, &json!({"models": models}).to_string()).await;
    assert_eq!((put.status.as_u16(), &put.json()["tools"]), (200, &tools), "{}", put.text);
    assert_eq!(house.call("PUT", &format!("{path}?force=yes"), "{}").await.status, 422);
    let fewer = json!({"models": [list["data"][0]], "tools": []});
    assert_eq!(house.call("PUT", path, &fewer.to_string()).await.status, 422);
    let forced = house.call("PUT", &format!("{path}?force=true"), &fewer.to_string()).await;
    assert_eq!((forced.status.as_u16(), &forced.json()["tools"]), (200, &json!([])), "{}", forced.text);
}

#[tokio::test]
async fn a_credential_is_for_a_named_upstream_of_the_settings() {
    let house = house().await;
    let body =
        |server: &str| json!({"name": server, "key": "upstream-key-0123", "server": server}).to_string();
    assert_eq!(
        house.call("POST", "/v1/gateway/upstreams", &body("nowhere")).await.refused(),
        (422, "server".into())
    );
    assert_eq!(house.make("/v1/gateway/upstreams", &body("vllm")).await["server"], "vllm");
    assert_eq!(house.get("/v1/gateway/upstreams").await.json()["data"][0]["server"], "vllm");
}

#[tokio::test]
async fn people_are_given_no_permissions_and_questions_may_name_tools() {
    let house = house().await;
    let made = house
        .make("/v1/admin/users", r#"[{"email":"a@example.com","first_name":"A","last_name":"B"}]"#)
        .await;
    let user = made["email_to_user_id"]["a@example.com"].as_str().unwrap().to_owned();
    let path = format!("/v1/gateway/users/{user}/limits");
    for field in [r#""region":"eu""#, r#""allowed_tools":[]"#, r#""max_signed_url_hours":1"#] {
        assert_eq!(house.call("PATCH", &path, &format!("{{{field}}}")).await.status, 422, "{field}");
    }
    let key = house.make("/v1/api-keys", r#"{"name":"one"}"#).await;
    let ask = |more: Value| {
        let mut body = json!({"key_id": key["id"], "model": "mistral-small-latest"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body.to_string()
    };
    let explain = "/v1/gateway/explain";
    let told = house.make(explain, &ask(json!({"tools": ["web_search"]}))).await;
    assert_eq!(told["refusal"]["type"], "tool_not_allowed");
    let tier = house.make(explain, &ask(json!({"service_tier": "priority"}))).await;
    assert_eq!(tier["refusal"]["type"], "service_tier_not_allowed");
    house.call("PATCH", "/v1/gateway/organization", r#"{"limits":{"allowed_tools":["web_search"]}}"#).await;
    let told = house.make(explain, &ask(json!({"tools": ["web_search"]}))).await;
    assert_eq!((&told["allowed"], &told["bound"]["tool_calls"]), (&json!(true), &json!(16)), "{told:#}");
    for (more, param) in [
        (json!({"tools": ["shell"]}), "tools"),
        (json!({"service_tier": "flex"}), "service_tier"),
        (json!({"endpoint": "files"}), "endpoint"),
        (json!({"endpoint": "ocr", "max_tokens": 3}), "max_tokens"),
        (json!({"pages": -1}), "pages"),
    ] {
        assert_eq!(
            house.call("POST", explain, &ask(more.clone())).await.refused(),
            (422, param.into()),
            "{more}"
        );
    }
}
