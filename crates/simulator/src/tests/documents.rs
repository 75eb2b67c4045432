//! Reading of documents, billed in pages.

use super::*;
use crate::{Billed, Fault, Rule};

/// A PDF of three pages in base 64: its page tree and three pages.
const PDF: &str = "data:application/pdf;base64,JVBERi0xLjcgPDwvVHlwZSAvUGFnZXM+PiA8PC9UeXBlL1BhZ2U+PiA8PC9UeXBlIC9QYWdlPj4gPDwvVHlwZS9QYWdlID4+";

fn ocr(document: Value, more: Value) -> Value {
    let mut body = json!({"model": "mistral-ocr-2512", "document": document});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn pages_are_read_and_billed() {
    let served = booking().await;
    let read = |document: Value, more: Value| {
        let served = &served;
        async move { served.post("/v1/ocr", &ocr(document, more)).await.json() }
    };
    let answer = read(json!({"type": "document_url", "document_url": PDF}), json!({})).await;
    let indexes = |answer: &Value| -> Vec<u64> {
        answer["pages"].as_array().unwrap().iter().map(|page| page["index"].as_u64().unwrap()).collect()
    };
    assert_eq!(indexes(&answer), [0, 1, 2]);
    assert_eq!(answer["usage_info"], json!({"pages_processed": 3, "doc_size_bytes": 72}));
    assert_eq!(answer["pages"][0]["dimensions"]["dpi"], 200);
    assert!(answer["pages"][1]["markdown"].as_str().unwrap().contains("Simulated"));
    let answer =
        read(json!({"document_url": "https://a.test/x.pdf?pages=40"}), json!({"pages": "1-3,39,70"})).await;
    assert_eq!(indexes(&answer), [1, 2, 3, 39]);
    let image = json!({"type": "image_url", "image_url": {"url": "https://a.test/x.png"}});
    assert_eq!(indexes(&read(image, json!({"pages": ["0"]})).await), [0]);
    let file = read(json!({"file_id": "f"}), json!({})).await;
    let pages = indexes(&file).len() as u64;
    assert!((1..=5).contains(&pages));
    let (account, totals) = served.booked("mistral-ocr-2512").await;
    assert_eq!(account.endpoint, Endpoint::Ocr);
    assert_eq!(totals.billed, Billed { pages: 3 + 4 + 1 + pages, ..Billed::default() });
    assert_eq!(totals.worked, totals.billed);
}

#[tokio::test]
async fn annotated_pages_are_billed_apart() {
    let served = booking().await;
    let format = json!({"type": "json_schema", "json_schema": {"name": "x", "schema":
        {"type": "object", "properties": {"sum": {"type": "integer"}}}}});
    let body = ocr(json!({"document_url": PDF}), json!({"bbox_annotation_format": format}));
    let answer = served.post("/v1/ocr", &body).await.json();
    assert_eq!(answer["pages"][0]["images"][0]["image_annotation"], r#"{"sum":1}"#);
    assert_eq!(answer["document_annotation"], Value::Null);
    let more = json!({"model": null, "document_annotation_format": format, "pages": [1]});
    let answer = served.post("/v1/ocr", &ocr(json!({"document_url": PDF}), more)).await.json();
    assert_eq!(answer["model"], "mistral-ocr-latest");
    assert_eq!(answer["document_annotation"], r#"{"sum":1}"#);
    let billed = |pages| Billed { annotated_pages: pages, ..Billed::default() };
    assert_eq!(served.booked("mistral-ocr-2512").await.1.billed, billed(3));
    assert_eq!(served.booked("mistral-ocr-latest").await.1.billed, billed(1));
}

#[tokio::test]
async fn faults_reach_pages_too() {
    let served = serve(config(1)).await;
    let body = ocr(json!({"document_url": PDF}), json!({}));
    served.simulator.script(Rule::new(Fault::NoUsage).at(Endpoint::Ocr));
    assert!(served.post("/v1/ocr", &body).await.json().get("usage_info").is_none());
    served.simulator.script(Fault::WrongUsage { prompt: -7, completion: 0, total: 0 });
    assert_eq!(served.post("/v1/ocr", &body).await.json()["usage_info"]["pages_processed"], -7);
    served.simulator.script(Fault::TwoUsages);
    let got = served.post("/v1/ocr", &body).await;
    assert_eq!(got.text().matches(r#""usage_info":{"#).count(), 2);
    assert_eq!(got.json()["usage_info"]["pages_processed"], 3);
    served.simulator.script(Fault::Garbage);
    assert!(serde_json::from_slice::<Value>(&served.post("/v1/ocr", &body).await.body).is_err());
    assert_eq!(served.last().await.billed, Billed::default());
}

#[tokio::test]
async fn what_is_no_document_is_refused() {
    let served = serve(config(1)).await;
    let missing = served.post("/v1/ocr", &json!({"model": "mistral-ocr-2512"})).await;
    assert_eq!(
        (missing.status, missing.json()["message"]["detail"][0]["type"].clone()),
        (StatusCode::UNPROCESSABLE_ENTITY, json!("missing"))
    );
    for (document, more) in
        [(json!({}), json!({})), (json!("x"), json!({})), (json!({"file_id": "f"}), json!({"pages": "x"}))]
    {
        assert_eq!(served.post("/v1/ocr", &ocr(document, more)).await.status, 422);
    }
    let got = served.post("/v1/ocr", &ocr(json!({"document_url": "ftp://a.test/x"}), json!({}))).await;
    assert_eq!((got.status, &got.json()["code"]), (StatusCode::BAD_REQUEST, &json!("3310")));
    let got = served.post("/v1/ocr", &ocr(json!({"file_id": "f"}), json!({"model": "gpt"}))).await;
    assert_eq!(got.json()["message"], "Invalid model: gpt");
}
