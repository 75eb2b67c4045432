//! The mirrors against what they mirror, the table of Mistral's routes against the routes, and the page.

use super::{House, house};
use crate::openapi::{Access, Document, Site, mistral, page, shapes};
use crate::operations;
use http::StatusCode;
use louver_domain::id::WorkspaceId;
use louver_domain::limits::Limits;
use louver_domain::models::{Model, ModelStatus};
use louver_domain::money::Money;
use louver_domain::prices::Price;
use louver_domain::time::Timestamp;
use louver_store::models::PricedModel;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The fields of a schema.
pub fn fields<T: JsonSchema>() -> BTreeSet<String> {
    let schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>();
    schema.get("properties").unwrap().as_object().unwrap().keys().cloned().collect()
}

/// The fields of what is printed.
pub fn printed<T: Serialize>(value: &T) -> BTreeSet<String> {
    serde_json::to_value(value).unwrap().as_object().unwrap().keys().cloned().collect()
}

#[test]
fn mirrors_have_the_fields_of_what_they_mirror() {
    assert_eq!(fields::<shapes::Limits>(), printed(&Limits::default()));
    let of = Money::ZERO;
    let price = Price {
        usd_per_1000_pages: Some(of),
        usd_per_1000_annotated_pages: Some(of),
        usd_per_audio_minute: Some(of),
        usd_per_mchar: Some(of),
        usd_per_month_kept: Some(of),
        ..Price::of_tokens(Timestamp::from_micros(0), of, of, of)
    };
    assert_eq!(fields::<shapes::Price>(), printed(&price));
    let model = Model {
        id: "x".into(),
        aliases: vec![],
        family: "x".into(),
        name: "x".into(),
        context: 1,
        endpoints: vec![],
        capabilities: vec![],
        status: ModelStatus::Active,
        deprecation: None,
        replacement: None,
        upstream: Some("x".into()),
        workspace_id: Some(WorkspaceId::from_bytes([0; 16])),
    };
    assert_eq!(fields::<shapes::PricedModel>(), printed(&PricedModel { model, prices: vec![] }));
}

/// Both ways: a row that no route answers fails here, and so does a route in Mistral's shapes without a row.
#[test]
fn the_table_of_mistrals_routes_is_that_of_the_routes() {
    let rows = mistral::rows();
    let told: BTreeSet<String> = rows.iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    assert_eq!(told.len(), rows.len(), "a row twice");
    let routed = operations();
    let routed =
        routed.iter().filter(|o| o.path.starts_with("/v1/admin/") || o.path.starts_with("/v1/users/me"));
    assert_eq!(told, routed.map(|o| format!("{} {}", o.method, o.path)).collect());
}

fn document() -> Value {
    let mut document = Document::new();
    document.describe(&operations());
    document.finish("1")
}

#[test]
fn what_an_operation_needs_and_refuses_follows_from_its_route() {
    let document = document();
    let key = &document["paths"]["/v1/api-keys/{id}"]["patch"];
    assert_eq!(key["x-permission"], "api_key.rename_own");
    assert_eq!(key["security"], json!([{"AdminKey": []}, {"AdminKeyHeader": []}]));
    let statuses: Vec<&String> = key["responses"].as_object().unwrap().keys().collect();
    assert_eq!(statuses, ["200", "400", "401", "403", "404", "409", "413", "422", "503"]);
    let limits = &document["paths"]["/v1/gateway/workspaces/{workspace}/limits"]["patch"];
    assert_eq!(limits["parameters"][1]["name"], "If-Match");
    assert!(
        limits["responses"]["412"].is_object() && limits["responses"]["200"]["headers"]["ETag"].is_object()
    );
    let people = &document["paths"]["/v1/admin/users"]["get"];
    assert_eq!(
        (&people["operationId"], &people["tags"]),
        (&json!("users_api_admin_users_get_users"), &json!(["beta.admin.users"]))
    );
    let invalid = &people["responses"]["422"]["content"]["application/json"]["schema"]["$ref"];
    assert_eq!(invalid, "#/components/schemas/InvalidRequest");
    // What is absent stays, and `null` takes away: neither is asked for, and both are allowed.
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["LimitsPatch"]["properties"]["tokens_per_minute"]["type"], json!(["integer", "null"]));
    assert_eq!(schemas["ModelRoleAssignment"]["required"], json!(["role"]));
    assert_eq!(schemas["ModelRoleAssignment"]["properties"]["role"]["type"], json!(["string", "null"]));
}

#[test]
fn the_page_escapes_all_text_and_brings_nothing_of_others() {
    let evil = "<script>alert('x')</script>\"&";
    let mut document = Document::new();
    document.chapter(evil, evil);
    document.add(
        "get",
        &format!("/{evil}"),
        json!({
            "operationId": evil, "tags": [evil], "summary": evil, "description": evil, "x-permission": evil,
            "parameters": [{
                "name": evil, "in": evil, "description": evil, "schema": {"type": "string", "pattern": evil},
            }],
            "responses": {evil: {"description": evil, "content": {evil: {"schema": {"enum": [evil]}}}}},
        }),
    );
    let html = page::render(&document.finish(evil), "/docs/style.css");
    assert!(!html.contains("<script") && !html.contains("\"&\"") && !html.contains("style=\""), "{html}");
    assert!(html.contains("&lt;script&gt;"));
    assert_eq!(html.matches("http").count(), 0, "an address elsewhere");
}

/// A house with its description, as that access has it.
async fn described(access: Access) -> House {
    let mut house = house().await;
    let site = Site::new(&document(), access).unwrap();
    house.app = crate::router_with(Arc::clone(&house.control), Some(site));
    house
}

#[tokio::test]
async fn the_description_is_served_with_tags_and_kept_by_caches() {
    let house = described(Access::Open).await;
    for (path, kind) in [("/openapi.json", "application/json"), ("/docs", "text/html; charset=utf-8")] {
        let answer = house.call_as("nobody", "GET", path, "").await;
        assert_eq!(
            (answer.status, &answer.headers["content-type"]),
            (StatusCode::OK, &kind.parse().unwrap())
        );
        assert_eq!(
            (&answer.headers["cache-control"], &answer.headers["x-content-type-options"]),
            (&"no-cache".parse().unwrap(), &"nosniff".parse().unwrap())
        );
        assert!(
            answer.headers["content-security-policy"]
                .to_str()
                .unwrap()
                .starts_with("default-src 'none'; style-src 'self';")
        );
        let known = house
            .request("GET", path)
            .header("if-none-match", format!("\"x\", W/{}", answer.headers["etag"].to_str().unwrap()));
        let again = house.send(known.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!((again.status, again.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
    }
    let page = house.get("/docs").await.text;
    let style = page
        .split("href=\"")
        .find(|part| part.starts_with("/docs/style."))
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let answer = house.get(style).await;
    assert_eq!(
        (answer.status, &answer.headers["content-type"]),
        (StatusCode::OK, &"text/css; charset=utf-8".parse().unwrap())
    );
    assert_eq!(answer.headers["cache-control"], "max-age=31536000, immutable");
    assert_eq!(house.get("/docs/style.0.css").await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.call("POST", "/docs", "").await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn the_description_may_be_for_admins_or_for_nobody() {
    let admins = described(Access::Admin).await;
    for path in ["/openapi.json", "/docs"] {
        assert_eq!(
            admins.call_as("nobody", "GET", path, "").await.status,
            StatusCode::UNAUTHORIZED,
            "{path}"
        );
        assert_eq!(admins.get(path).await.status, StatusCode::OK, "{path}");
        assert_eq!(house().await.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}
