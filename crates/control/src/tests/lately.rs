//! Rights are judged as they stand when a deed is done, not as they stood when its request came.

use super::house;
use axum::body::{Body, Bytes};
use http_body::{Body as HttpBody, Frame};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::sync::oneshot;

/// A body that comes when it is let go.
struct Held(Option<oneshot::Receiver<Bytes>>);

impl HttpBody for Held {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(waiting) = &mut self.0 else { return Poll::Ready(None) };
        let bytes = ready!(Pin::new(waiting).poll(context)).unwrap();
        self.0 = None;
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}

#[tokio::test]
async fn whoever_is_removed_while_a_request_is_on_its_way_does_nothing_more() {
    let house = house().await;
    house.person("ann@example.org", &["organization_admin"]).await;
    let id = house.person("eve@example.org", &["organization_admin"]).await;
    let eve = house.key_of(&id).await;
    for (path, change, status) in [
        (format!("/v1/admin/users/{id}"), ("PATCH", r#"{"role":"M"}"#), 409),
        (format!("/v1/admin/users/{id}"), ("DELETE", ""), 401),
    ] {
        let (let_go, held) = oneshot::channel();
        let request = house.request("POST", "/v1/admin/users").header("x-api-key", &eve);
        let request = request.body(Body::new(Held(Some(held)))).unwrap();
        let slow = house.send(request);
        let change = async {
            // The other request is polled first, and waits for its body.
            tokio::task::yield_now().await;
            let answer = house.call(change.0, &path, change.1).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            house.pass_seconds(5);
            let body = r#"[{"email":"back@door.example","first_name":"b","last_name":"d","role":"M"}]"#;
            let_go.send(Bytes::from_static(body.as_bytes())).unwrap();
        };
        let (answer, ()) = tokio::join!(slow, change);
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
        let back = house.get("/v1/admin/users?email=back@door").await.json();
        assert_eq!(back["total"], 0, "nothing was made");
        let again = house.call("PATCH", &path, r#"{"role":"A"}"#).await;
        assert_eq!(again.status.as_u16(), if status == 409 { 200 } else { 404 });
    }
}

#[tokio::test]
async fn an_event_has_the_time_of_its_deed() {
    let house = house().await;
    let (let_go, held) = oneshot::channel();
    let request = house.request("POST", "/v1/gateway/roles").header("x-api-key", &house.admin);
    let slow = house.send(request.body(Body::new(Held(Some(held)))).unwrap());
    let later = async {
        tokio::task::yield_now().await;
        house.pass_seconds(7);
        let_go.send(Bytes::from_static(br#"{"name":"late","allowed_models":["*"]}"#)).unwrap();
    };
    let (answer, ()) = tokio::join!(slow, later);
    assert_eq!(answer.status, 200, "{}", answer.text);
    let events = house.get("/v1/gateway/audit?limit=1").await.json();
    assert_eq!(events["data"][0]["at"], "2026-11-21T02:32:05.5Z", "{events}");
}
