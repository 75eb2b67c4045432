//! Libraries, their documents and their shares.

use super::*;

#[tokio::test]
async fn a_library_holds_documents_and_is_shared() {
    let served = serve(config(1)).await;
    let made = served.post("/v1/libraries", &json!({"name": "papers", "description": "all"})).await;
    assert_eq!(made.status, 201);
    let path = format!("/v1/libraries/{}", made.json()["id"].as_str().unwrap());
    let uploaded = served.upload(&format!("{path}/documents"), "a.pdf", b"content", &[]).await;
    assert_eq!(uploaded.status, 201);
    let document = uploaded.json();
    assert_eq!(
        (&document["name"], &document["extension"], &document["size"]),
        (&json!("a.pdf"), &json!("pdf"), &json!(7))
    );
    let number = |name: &str| document[name].as_u64().unwrap();
    assert!((1..=12).contains(&number("number_of_pages")));
    assert_eq!(
        number("tokens_processing_total"),
        number("tokens_processing_main_content") + number("tokens_processing_summary")
    );
    let of = format!("{path}/documents/{}", document["id"].as_str().unwrap());
    assert!(
        served.get(&format!("{of}/text_content")).await.json()["text"]
            .as_str()
            .unwrap()
            .starts_with("Simulated")
    );
    assert_eq!(served.get(&format!("{of}/status")).await.json()["processing_status"], "Completed");
    for (kind, content) in [("signed-url", "content"), ("extracted-text-signed-url", "Simulated")] {
        let url = served.get(&format!("{of}/{kind}")).await.json().as_str().unwrap().to_owned();
        let mut sent = request("GET", url.strip_prefix("http://simulator").unwrap(), "");
        sent.headers_mut().remove("authorization");
        assert!(Got::from(served.send(sent).await.unwrap()).await.text().starts_with(content));
    }
    assert_eq!(served.call("PUT", &of, &json!({"name": "b.pdf"})).await.json()["name"], "b.pdf");
    assert_eq!(served.call("POST", &format!("{of}/reprocess"), &json!({})).await.status, 204);
    let list = served.get(&format!("{path}/documents?search=b.")).await.json();
    assert_eq!((&list["pagination"]["total_items"], &list["data"][0]["name"]), (&json!(1), &json!("b.pdf")));
    assert_eq!(served.get("/v1/libraries").await.json()["data"][0]["nb_documents"], 1);
    assert_eq!(served.get("/v1/libraries?page=0").await.json()["pagination"]["total_items"], 1);
    let with = json!({"level": "Editor", "share_with_uuid": "u", "share_with_type": "User"});
    assert_eq!(served.call("PUT", &format!("{path}/share"), &with).await.json()["role"], "Editor");
    assert_eq!(served.get(&format!("{path}/share")).await.json()["data"].as_array().unwrap().len(), 1);
    assert_eq!(served.get(&path).await.json()["explicit_user_members_count"], 1);
    assert_eq!(served.call("DELETE", &format!("{path}/share"), &with).await.status, 200);
    assert_eq!(served.call("DELETE", &format!("{path}/share"), &with).await.status, 404);
    assert_eq!(served.simulator.libraries()[0].object["documents"][0]["name"], "b.pdf");
    assert_eq!(served.call("DELETE", &of, &json!({})).await.status, 204);
    assert_eq!(served.get(&of).await.status, 404);
    assert_eq!(served.call("PUT", &path, &json!({"name": "new"})).await.json()["name"], "new");
    assert_eq!(served.call("DELETE", &path, &json!({})).await.json()["name"], "new");
    assert_eq!(served.get(&path).await.status, 404);
    assert_eq!(served.post("/v1/libraries", &json!({})).await.status, 422);
}
