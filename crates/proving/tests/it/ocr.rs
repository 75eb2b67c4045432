//! Documents that are read: what is set aside for their pages, what is charged, and ways around both.

use crate::calls::{budgeted, cost, spent};
use louver_proving::system::{Setup, System};
use louver_simulator::Fault;
use serde_json::{Value, json};

const PATH: &str = "/v1/ocr";
const MODEL: &str = "mistral-ocr-latest";

fn ocr(document: Value) -> Value {
    json!({"model": MODEL, "document": document})
}

fn remote(pages: u64) -> Value {
    json!({"type": "document_url", "document_url": format!("https://example.com/a.pdf?pages={pages}")})
}

/// A picture of one page.
fn picture() -> Value {
    json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}})
}

#[tokio::test]
async fn c15_pages_are_charged_as_the_simulator_bills_them() {
    let system = System::start().await;
    let key = budgeted(&system, 100).await;
    let annotated =
        json!({"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}});
    for (document, more) in [
        (remote(7), json!({})),
        (picture(), json!({})),
        (remote(9), json!({"pages": "0,2-4"})),
        (remote(9), json!({"pages": [1, 2]})),
        (remote(3), json!({"bbox_annotation_format": annotated})),
        (remote(3), json!({"document_annotation_format": annotated, "document_annotation_prompt": "x"})),
    ] {
        let mut body = ocr(document);
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = system.post(&key, PATH, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let billed: Vec<(u64, u64)> =
        system.simulator.ledger().iter().map(|e| (e.billed.pages, e.billed.annotated_pages)).collect();
    assert_eq!(billed, [(7, 0), (1, 0), (4, 0), (2, 0), (0, 3), (0, 3)]);
    // 4 dollars for a thousand pages, 5 for a thousand annotated ones.
    assert_eq!(spent(&system).await, 14 * 4_000_000 + 6 * 5_000_000);
    assert_eq!(spent(&system).await, cost(&system));
}

#[tokio::test]
async fn c15_what_a_document_could_cost_is_set_aside() {
    // 2 dollars pay for 500 pages; a document that cannot be seen has a thousand.
    let system = System::start().await;
    let key = budgeted(&system, 2).await;
    for (document, more, passes) in [
        (remote(1), json!({}), false),
        (remote(1), json!({"pages": "0-500"}), false),
        (remote(1), json!({"pages": "0-498"}), true),
        (picture(), json!({}), true),
        // A picture by its name only.
        (json!({"image_url": "data:image/png;base64,JVBERi0xLjQ="}), json!({}), false),
    ] {
        let calls = system.simulator.calls();
        let mut body = ocr(document);
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = system.post(&key, PATH, &body).await;
        if passes {
            assert_eq!(answer.status, 200, "{body}: {}", answer.text());
        } else {
            assert_eq!(answer.verdict(), (429, "budget_exhausted".into()), "{body}");
            assert_eq!(system.simulator.calls(), calls);
        }
    }
    assert_eq!(spent(&system).await, cost(&system));
}

#[tokio::test]
async fn c6_unknown_pages_are_charged_at_the_bound_and_refusals_at_nothing() {
    let system = System::start().await;
    let key = budgeted(&system, 100).await;
    let mut body = ocr(remote(7));
    body["pages"] = json!("0-9");
    system.simulator.script(Fault::Status { status: 422, retry_after: None, body: None });
    assert_eq!(system.post(&key, PATH, &body).await.status, 422);
    assert_eq!(spent(&system).await, 0);
    system.simulator.script(Fault::NoUsage);
    assert_eq!(system.post(&key, PATH, &body).await.status, 200);
    assert_eq!(spent(&system).await, 10 * 4_000_000);
}

#[tokio::test]
async fn a5_a9_a12_c3_the_body_is_read_strictly() {
    let system = System::start().await;
    let (key, _) = system.key(json!({})).await;
    let with = |name: &str, value: Value| {
        let mut body = ocr(picture());
        body[name] = value;
        body
    };
    for body in [
        json!({"document": picture()}),
        with("model", Value::Null),
        with("model", json!("")),
        with("models", json!([MODEL])),
        with("id", json!("x")),
        with("include_image_base64", json!("true")),
        with("image_limit", json!("5")),
        with("image_limit", json!(5.0)),
        with("pages", json!(3)),
        with("pages", json!("3-1")),
        with("pages", json!(["0"])),
        with("pages", json!([-1])),
        with("table_format", json!("xml")),
        json!({"model": MODEL}),
        ocr(json!({})),
        ocr(json!("https://example.com/a.pdf")),
        ocr(json!({"type": "image_url", "document_url": "https://example.com/a.pdf"})),
        ocr(json!({"document_url": "https://example.com/a.pdf", "image_url": "https://example.com/a.png"})),
        ocr(json!({"document_url": "https://example.com/a.pdf", "file_id": "x"})),
        ocr(json!({"document_url": "https://example.com/a.pdf", "file_url": "https://example.com/b.pdf"})),
    ] {
        assert_eq!(system.post(&key, PATH, &body).await.verdict(), (422, "invalid_request".into()), "{body}");
    }
    let other = json!({"model": "mistral-small-latest", "document": picture()});
    assert_eq!(system.post(&key, PATH, &other).await.verdict(), (403, "model_not_allowed".into()));
    assert_eq!(system.simulator.calls(), 0);
}

#[tokio::test]
async fn b13_only_addresses_elsewhere_are_fetched() {
    let change = |config: &mut louver::config::Config| {
        config.public_url = Some("https://louver.example.com".into());
    };
    let system = System::with(Setup { change: Some(change), ..Setup::default() }).await;
    let (key, _) = system.key(json!({})).await;
    let own = format!("https://{}/v1/files/x/content", system.address);
    for url in [
        own.as_str(),
        "https://LOUVER.example.com./x",
        "http://example.com/a.pdf",
        "file:///etc/passwd",
        "https://user@example.com/a.pdf",
        "https://louver.example.com\\@example.com/",
    ] {
        for document in [json!({"document_url": url}), json!({"image_url": {"url": url}})] {
            let answer = system.post(&key, PATH, &ocr(document)).await;
            assert_eq!(answer.verdict(), (422, "invalid_request".into()), "{url}");
        }
    }
    assert_eq!(system.simulator.calls(), 0);
}

#[tokio::test]
async fn b15_files_of_others_are_not_there() {
    let system = System::start().await;
    let (key, _) = system.key(json!({})).await;
    let answer = system.post(&key, PATH, &ocr(json!({"type": "file", "file_id": "foreign"}))).await;
    assert_eq!(answer.verdict(), (404, "not_found".into()));
    assert_eq!(system.simulator.calls(), 0);
}
