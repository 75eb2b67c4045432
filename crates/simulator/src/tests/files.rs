//! Files are stored, listed, given out and deleted.

use super::*;

#[tokio::test]
async fn a_file_lives_from_upload_to_deletion() {
    let served = serve(config(1)).await;
    let parts = [("purpose", "ocr"), ("purpose", "batch"), ("visibility", "user")];
    let made = served.upload("/v1/files", "lines.jsonl", b"{}\n{}\n{}", &parts).await;
    assert_eq!(made.status, 200);
    let file = made.json();
    let id = file["id"].as_str().unwrap().to_owned();
    assert_eq!((&file["object"], &file["bytes"], &file["num_lines"]), (&json!("file"), &json!(8), &json!(3)));
    assert_eq!((&file["purpose"], &file["sample_type"]), (&json!("batch"), &json!("batch_request")));
    assert_eq!((&file["filename"], &file["source"]), (&json!("lines.jsonl"), &json!("upload")));
    assert_eq!((&file["visibility"], &file["expires_at"]), (&json!("user"), &Value::Null));
    for owner in ["org_id", "workspace_id", "owner_id"] {
        assert_eq!(file[owner].as_str().unwrap().len(), 36);
    }
    let path = format!("/v1/files/{id}");
    assert_eq!(served.get(&path).await.json()["deleted"], false);
    let content = served.get(&format!("{path}/content")).await;
    assert_eq!(
        (content.text(), &content.headers["content-type"]),
        ("{}\n{}\n{}", &"application/octet-stream".parse::<http::HeaderValue>().unwrap())
    );
    assert_eq!(served.simulator.files()[0].object, file);
    assert_eq!(served.simulator.file_content(&id).unwrap(), b"{}\n{}\n{}");
    let gone = json!({"id": id, "object": "file", "deleted": true});
    assert_eq!(served.call("DELETE", &path, &json!({})).await.json(), gone);
    for (method, path) in [("GET", path.clone()), ("GET", format!("{path}/content")), ("DELETE", path)] {
        let got = served.call(method, &path, &json!({})).await;
        assert_eq!(
            (got.status, got.json()),
            (StatusCode::NOT_FOUND, json!({"detail": "No File matches the given query."}))
        );
    }
    let entry = &served.simulator.ledger()[0];
    assert_eq!((entry.endpoint, entry.status), (Endpoint::Stored(crate::Noun::Files), Some(200)));
    assert!(entry.body.starts_with(b"--Part"));
}

#[tokio::test]
async fn files_are_listed_in_pages_and_by_filter() {
    let served = serve(config(1)).await;
    for (name, purpose) in
        [("a.jsonl", "batch"), ("b.pdf", "ocr"), ("c.jsonl", "batch"), ("d.jsonl", "fine-tune")]
    {
        served.upload("/v1/files", name, b"x", &[("purpose", purpose)]).await;
    }
    let names = async |query: &str| {
        let list = served.get(&format!("/v1/files?{query}")).await.json();
        assert_eq!(list["object"], "list");
        let names =
            list["data"].as_array().unwrap().iter().map(|file| file["filename"].as_str().unwrap().to_owned());
        (list["total"].as_u64().unwrap(), names.collect::<Vec<_>>().join(" "))
    };
    assert_eq!(names("").await, (4, "d.jsonl c.jsonl b.pdf a.jsonl".to_owned()));
    assert_eq!(names("page=1&page_size=3").await, (4, "a.jsonl".to_owned()));
    assert_eq!(names("purpose=batch").await, (2, "c.jsonl a.jsonl".to_owned()));
    assert_eq!(names("search=pdf").await, (1, "b.pdf".to_owned()));
    assert_eq!(names("sample_type=instruct&sample_type=ocr_input").await.1, "d.jsonl b.pdf");
    assert_eq!(names("source=mistral").await.0, 0);
}

#[tokio::test]
async fn a_signed_url_needs_no_credential_and_expires() {
    let now = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(1_790_000_000));
    let clock = std::sync::Arc::clone(&now);
    let served = serve(Config {
        now: std::sync::Arc::new(move || clock.load(std::sync::atomic::Ordering::SeqCst)),
        ..config(1)
    })
    .await;
    let made =
        served.upload("/v1/files", "a.pdf", b"pages", &[("purpose", "ocr"), ("expiry", "3")]).await.json();
    assert_eq!(made["expires_at"], 1_790_000_000 + 3 * 3600);
    let path = format!("/v1/files/{}", made["id"].as_str().unwrap());
    let url = served.get(&format!("{path}/url?expiry=2")).await.json()["url"].as_str().unwrap().to_owned();
    let signed = url.strip_prefix("http://simulator").unwrap();
    let open = async |path: &str| {
        let mut sent = request("GET", path, "");
        sent.headers_mut().remove("authorization");
        let got = Got::from(served.send(sent).await.unwrap()).await;
        (got.status.as_u16(), got.body)
    };
    assert_eq!(open(signed).await, (200, Bytes::from_static(b"pages")));
    assert_eq!(open(&format!("{signed}0")).await.0, 403);
    assert_eq!(open(&signed.replace("expires=1", "expires=2")).await.0, 403);
    assert_eq!(open(&path).await.0, 401);
    now.fetch_add(2 * 3600, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(open(signed).await.0, 403);
    assert_eq!(served.get(&path).await.status, 200);
    now.fetch_add(3600, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(served.get(&path).await.status, 404);
}

#[tokio::test]
async fn a_large_file_comes_back_whole_and_may_be_cut() {
    let served = serve(config(1)).await;
    let content: Vec<u8> = (0..5_000_000_u32).map(|number| (number % 251) as u8).collect();
    let made = served.upload("/v1/files", "large.bin", &content, &[]).await.json();
    assert_eq!(made["bytes"], 5_000_000);
    let path = format!("/v1/files/{}/content", made["id"].as_str().unwrap());
    let got = served.get(&path).await;
    assert_eq!(got.headers["content-length"], "5000000");
    assert!(got.body == content);
    assert_eq!(served.simulator.ledger()[0].body.len(), 1 << 20);
    served.simulator.script(crate::Fault::ResetAfter { after: 1 });
    let mut cut = served.send(request("GET", &path, "")).await.unwrap().into_body();
    let mut length = 0;
    let broken = loop {
        match guarded(cut.frame()).await {
            Some(Ok(frame)) => length += frame.data_ref().unwrap().len(),
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    assert_eq!((length, broken), (2_500_000, true));
}

#[tokio::test]
async fn what_is_no_proper_upload_is_refused() {
    let served = serve(config(1)).await;
    assert_eq!(
        served.upload("/v1/files", "a", b"x", &[("purpose", "fun")]).await.json()["detail"][0]["loc"],
        json!(["body", "purpose"])
    );
    assert_eq!(served.upload("/v1/files", "a", b"x", &[("expiry", "soon")]).await.status, 422);
    assert_eq!(served.upload("/v1/files", "a", b"x", &[("visibility", "all")]).await.status, 422);
    let json = served.post("/v1/files", &json!({"purpose": "ocr"})).await;
    assert_eq!((json.status.as_u16(), &json.json()["detail"][0]["type"]), (422, &json!("missing")));
    let mut open = form("/v1/files", "a", b"x", &[]);
    open.headers_mut().remove("authorization");
    assert_eq!(served.send(open).await.unwrap().status(), 401);
    let mut torn = form("/v1/files", "a", b"x", &[]);
    torn.headers_mut().insert("content-type", "multipart/form-data; boundary=Other".parse().unwrap());
    assert_eq!(served.send(torn).await.unwrap().status(), 400);
    assert_eq!(served.call("PUT", "/v1/files", &json!({})).await.status, 404);
    assert!(served.simulator.files().is_empty());
}

#[tokio::test]
async fn credentials_share_an_organization_unless_they_are_separate() {
    for separate in [false, true] {
        let served = serve(Config { separate, ..config(1) }).await;
        let id = served.upload("/v1/files", "a", b"x", &[]).await.json()["id"].as_str().unwrap().to_owned();
        let seen = served.call_as("sk-other", "GET", &format!("/v1/files/{id}"), &json!({})).await;
        assert_eq!(seen.status.as_u16(), if separate { 404 } else { 200 });
        let list = served.call_as("sk-other", "GET", "/v1/files", &json!({})).await.json();
        assert_eq!(list["total"], u64::from(!separate));
        let other = served
            .call_as("sk-other", "POST", "/v1/agents", &json!({"model": "m", "name": "a"}))
            .await
            .json();
        let own = served.post("/v1/agents", &json!({"model": "m", "name": "a"})).await.json();
        assert_ne!(other["id"], own["id"]);
        assert_eq!(other["org_id"] == own["org_id"], !separate);
        assert_eq!(served.simulator.files()[0].organization, if separate { "sk-upstream" } else { "" });
    }
}

#[tokio::test]
async fn stored_things_are_scripted_and_reached_like_the_rest() {
    let served = serve(config(1)).await;
    let id = served.upload("/v1/files", "a", b"x", &[]).await.json()["id"].as_str().unwrap().to_owned();
    let files = Endpoint::Stored(crate::Noun::Files);
    served.simulator.script(crate::Rule::new(crate::Fault::EchoCredential).at(files));
    assert_eq!(served.get("/v1/agents").await.status, 200);
    assert!(served.get("/v1/files").await.text().contains("sk-upstream"));
    assert_eq!(served.get(&format!("/v1/%66iles/{id}?purpose=x")).await.status, 200);
    assert_eq!(served.get(&format!("//v1/files/{id}")).await.status, 404);
    assert_eq!(
        served.get("/v1/files/no/such/path").await.json()["message"],
        "no Route matched with those values"
    );
    served.simulator.script(crate::Fault::Status { status: 503, retry_after: None, body: None });
    assert_eq!(served.upload("/v1/files", "b", b"x", &[]).await.status, 503);
    assert_eq!(served.simulator.files().len(), 1, "what is refused is not stored");
    served.simulator.script(crate::Fault::Garbage);
    assert_eq!(served.upload("/v1/files", "c", b"x", &[]).await.status, 200);
    assert_eq!(served.simulator.files().len(), 2, "what is garbled on its way is");
    served.simulator.forget();
    assert_eq!(served.get(&format!("/v1/files/{id}")).await.status, 404);
}
