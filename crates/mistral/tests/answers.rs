//! The bodies of refusals and of the model list, byte for byte.

use std::borrow::Cow;

use louver_mistral::endpoints::Endpoint;
use louver_mistral::error::{Amount, ErrorBody, LimitInfo, NO_ROUTE, UNAUTHORIZED};
use louver_mistral::json::check;
use louver_mistral::models::{Capabilities, ModelCard, list};
use louver_mistral::request::{RequestError, read};

fn same(bytes: &[u8], golden: &str) {
    assert_eq!(String::from_utf8_lossy(bytes), golden.trim_end());
    assert_eq!(check(bytes), Ok(()));
}

#[test]
fn a_plain_refusal() {
    let mut body = ErrorBody::new(403, "model_not_allowed", "This key may not use the model \"x\".", "req_1");
    body.param = Some("model");
    same(&body.to_bytes(), include_str!("golden/error_model.json"));
}

#[test]
fn a_reached_limit() {
    let mut body = ErrorBody::new(429, "budget_exhausted", "The budget is spent.", "req_1");
    body.code = Cow::Borrowed("2300");
    body.limit = Some(LimitInfo {
        scope: "workspace",
        id: Cow::Borrowed("ws_1"),
        window: "month",
        limit: Amount::Usd(200_000_000_000),
        used: Amount::Usd(200_000_000_123),
        remaining: Amount::Count(0),
        resets_at: Some(Cow::Borrowed("2026-12-01T00:00:00Z")),
    });
    same(&body.to_bytes(), include_str!("golden/error_limit.json"));
}

#[test]
fn a_wrong_shape() {
    let Err(RequestError::Shape(details)) =
        read(Endpoint::Embeddings, br#"{"model":"m","user":1,"input":"x"}"#)
    else {
        panic!("the field passed");
    };
    let mut body = ErrorBody::new(422, "invalid_request", "The request has the wrong shape.", "req_1");
    body.detail = Some(details);
    same(&body.to_bytes(), include_str!("golden/error_shape.json"));
}

#[test]
fn broken_json() {
    let Err(RequestError::Json(fault)) = read(Endpoint::Embeddings, b"{\n# x\n}") else {
        panic!("the comment passed")
    };
    let mut body = ErrorBody::new(400, fault.kind.as_str(), fault.message, "req_1");
    (body.line, body.column) = (Some(fault.line), Some(fault.column));
    same(&body.to_bytes(), include_str!("golden/error_json.json"));
}

#[test]
fn constant_bodies() {
    same(UNAUTHORIZED, r#"{"detail":"Unauthorized"}"#);
    same(NO_ROUTE, r#"{"message":"no Route matched with those values"}"#);
}

#[test]
fn the_model_list() {
    let mut card = ModelCard::base("mistral-small-latest");
    card.created = 1_770_000_000;
    card.name = Some(Cow::Borrowed("mistral-small-2603"));
    card.aliases = vec![Cow::Borrowed("mistral-small-2603")];
    card.capabilities =
        Capabilities { completion_chat: true, function_calling: true, ..Capabilities::default() };
    card.default_model_temperature = Some(0.7);
    let mut billed = ModelCard::base("mistral-embed");
    billed.internal = Some(false);
    billed.billing_model_name = Some(Cow::Borrowed("mistral-embed-2312"));
    same(&list(&[card, billed]), include_str!("golden/models.json"));
    same(&list(&[]), r#"{"object":"list","data":[]}"#);
    assert!(
        ModelCard::base("a")
            .to_bytes()
            .starts_with(br#"{"id":"a","object":"model","created":0,"owned_by":"mistralai""#)
    );
}
