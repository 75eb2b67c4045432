//! The client against a server that says what a test wrote down.

use super::*;
use http::Response;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use serde_json::json;
use std::convert::Infallible;
use std::sync::Mutex as Shared;
use tokio::net::TcpListener;

/// A request as it came: method, path with query, body.
pub(crate) type Seen = (String, String, Value);

/// A server that answers by a function and remembers what it was asked.
pub(crate) struct Scripted {
    /// Where it listens.
    pub(crate) url: String,
    seen: Arc<Shared<Vec<Seen>>>,
}

impl Scripted {
    /// Starts it; after `per_connection` answers it closes a connection without a word.
    pub(crate) async fn start(
        per_connection: usize,
        answer: impl Fn(&Seen) -> (u16, Value) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Shared<Vec<Seen>>> = Arc::default();
        let (answer, book) = (Arc::new(answer), seen.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, book) = (answer.clone(), book.clone());
                tokio::spawn(serve(stream, per_connection, answer, book));
            }
        });
        Self { url, seen }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url, &Secret::new("lva_test".into())).unwrap()
    }

    /// What it was asked since the last time.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

async fn serve(
    stream: TcpStream,
    per_connection: usize,
    answer: Arc<impl Fn(&Seen) -> (u16, Value) + Send + Sync + 'static>,
    book: Arc<Shared<Vec<Seen>>>,
) {
    let served = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = served.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (answer, book, count) = (answer.clone(), book.clone(), count.clone());
        async move {
            let (head, body) = request.into_parts();
            assert_eq!(head.headers[AUTHORIZATION], "Bearer lva_test");
            let body = body.collect().await.unwrap().to_bytes();
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            let asked = (head.method.to_string(), head.uri.to_string(), body);
            let (status, body) = answer(&asked);
            book.lock().unwrap().push(asked);
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let body = if body.is_null() { String::new() } else { body.to_string() };
            let answer = Response::builder().status(status).header("x-request-id", "r7");
            Ok::<_, Infallible>(answer.body(Full::new(Bytes::from(body))).unwrap())
        }
    });
    let mut connection =
        std::pin::pin!(server::Builder::new().serve_connection(TokioIo::new(stream), service));
    // Drives it and looks in between, so that it is dropped right after its last answer has left.
    std::future::poll_fn(|context| {
        let done = connection.as_mut().poll(context).is_ready();
        let spent = served.load(std::sync::atomic::Ordering::SeqCst) >= per_connection;
        if spent {
            let _ = connection.as_mut().poll(context);
        }
        if done || spent { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

#[test]
fn an_address_may_have_a_path_before_it() {
    let parts = |url: &str| Place::parse(url).map(|place| (place.host, place.port, place.prefix));
    let made = |host: &str, port, prefix: &str| Ok((host.to_owned(), port, prefix.to_owned()));
    assert_eq!(parts("http://gateway.internal:9000/louver/"), made("gateway.internal", 9000, "/louver"));
    assert_eq!(parts("http://[::1]"), made("::1", 80, ""));
    for bad in ["", "gateway:80", "ftp://x", "http://", "http://u:p@x", "http://x/?a=b", "//x"] {
        assert!(Place::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_segment_cannot_become_two() {
    assert_eq!(segment("a b/../é?x=1"), "a%20b%2F..%2F%C3%A9%3Fx%3D1");
}

#[test]
fn a_key_must_fit_in_a_header() {
    let made = |key: &str| Client::new("http://localhost", &Secret::new(key.to_owned())).map(drop);
    assert!(made("lva_x").is_ok());
    assert!(!made("lva\nx").unwrap_err().contains("lva"));
}

#[tokio::test]
async fn lists_are_read_to_their_end() {
    let server = Scripted::start(usize::MAX, |(_, path, _)| {
        let page = |ids: &[&str], has_more| {
            (200, json!({"data": ids.iter().map(|id| json!({"id": id})).collect::<Value>(), "has_more": has_more}))
        };
        match path.as_str() {
            "/v1/things?limit=1000" => page(&["a", "b c"], true),
            "/v1/things?limit=1000&after=b%20c" => page(&["d"], false),
            "/v1/numbered?page=1&page_size=100" => (200, json!({"items": vec![json!(1); 100], "total": 103})),
            "/v1/numbered?page=2&page_size=100" => (200, json!({"items": [2, 2, 2], "total": 103})),
            _ => (404, json!({"message": "no Route matched with those values"})),
        }
    })
    .await;
    let client = server.client();
    let ids: Vec<Value> = client.list("/v1/things", "id").await.unwrap();
    assert_eq!(ids, [json!({"id": "a"}), json!({"id": "b c"}), json!({"id": "d"})]);
    assert_eq!(client.numbered("/v1/numbered", "items").await.unwrap().len(), 103);
    let missing = client.list("/v1/none", "id").await.unwrap_err();
    assert!(missing.unknown_path());
    let said = "GET /v1/none was refused with 404: no Route matched with those values [request r7]";
    assert_eq!(missing.to_string(), said);
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_made_anew() {
    let server = Scripted::start(1, |_| (200, json!({"ok": true}))).await;
    let client = server.client();
    for _ in 0..20 {
        let answer: Value = client.get("/v1/x").await.unwrap();
        assert_eq!(answer, json!({"ok": true}));
    }
    assert_eq!(server.seen().len(), 20, "nothing is sent twice");
}

/// A server that does each deed once for its key, and loses the first `cut` answers to each. What it did, and the keys that
/// came.
async fn losing(cut: usize) -> (String, Arc<Shared<Vec<(String, String)>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen: Arc<Shared<Vec<(String, String)>>> = Arc::default();
    let book = seen.clone();
    tokio::spawn(async move {
        let mut lost = 0;
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let read = tokio::io::AsyncReadExt::read(&mut stream, &mut head).await.unwrap();
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            let key = head.lines().find_map(|line| line.strip_prefix("idempotency-key: ")).unwrap_or("none");
            let method = head.split(' ').next().unwrap_or_default();
            book.lock().unwrap().push((method.to_owned(), key.to_owned()));
            lost += 1;
            let answer = match lost > cut {
                true => "HTTP/1.1 200 OK\r\ncontent-length: 11\r\nconnection: close\r\n\r\n{\"ok\":true}",
                false => "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"o",
            };
            let _sent = tokio::io::AsyncWriteExt::write_all(&mut stream, answer.as_bytes()).await;
        }
    });
    (url, seen)
}

#[tokio::test]
async fn a_post_whose_answer_was_lost_is_asked_again_with_its_key() {
    let key = Secret::new("lva_test".into());
    for cut in [0, 1, 2] {
        let (url, seen) = losing(cut).await;
        let client = Client::new(&url, &key).unwrap();
        let answer: Value = client.post("/v1/api-keys", &json!({"name": "a"})).await.unwrap();
        assert_eq!(answer, json!({"ok": true}));
        let first: Vec<_> = std::mem::take(&mut *seen.lock().unwrap());
        assert_eq!(first.len(), cut + 1);
        assert!(first.iter().all(|one| *one == first[0]) && first[0].1.len() == 32, "{first:?}");
        let _: Value = client.post("/v1/api-keys", &json!({"name": "a"})).await.unwrap();
        assert_ne!(seen.lock().unwrap()[0].1, first[0].1, "another command is another deed");
    }
    // Three times is enough; a change without a key is never sent again; what only looks needs none.
    let (url, seen) = losing(3).await;
    let client = Client::new(&url, &key).unwrap();
    let error = client.post::<Value>("/v1/api-keys", &json!({})).await.unwrap_err();
    assert!(error.in_doubt() && seen.lock().unwrap().len() == 3, "{error}");
    let (url, seen) = losing(1).await;
    let client = Client::new(&url, &key).unwrap();
    client.patch("/v1/api-keys/x", &json!({})).await.unwrap_err();
    assert_eq!(*seen.lock().unwrap(), [("PATCH".to_owned(), "none".to_owned())]);
    let (url, seen) = losing(1).await;
    let client = Client::new(&url, &key).unwrap();
    let _: Value = client.post("/v1/gateway/explain", &json!({})).await.unwrap();
    assert_eq!(
        *seen.lock().unwrap(),
        [("POST".to_owned(), "none".to_owned()), ("POST".to_owned(), "none".to_owned())]
    );
}

#[tokio::test]
async fn a_page_may_say_itself_where_the_next_one_begins() {
    let server = Scripted::start(usize::MAX, |(_, path, _)| match path.as_str() {
        "/v1/audit?limit=1000" => (200, json!({"data": [], "has_more": true, "next_after": "k5"})),
        "/v1/audit?limit=1000&after=k5" => {
            (200, json!({"data": [{"id": "k7"}], "has_more": true, "next_after": "k9"}))
        }
        _ => (200, json!({"data": [], "has_more": false, "next_after": null})),
    })
    .await;
    assert_eq!(server.client().list("/v1/audit", "id").await.unwrap(), [json!({"id": "k7"})]);
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn an_answer_of_another_shape_is_not_quoted() {
    let server = Scripted::start(usize::MAX, |_| (200, json!({"key": "lvr_secret"}))).await;
    #[derive(Debug, serde::Deserialize)]
    struct Other {
        #[expect(dead_code, reason = "it is never there")]
        id: String,
    }
    let error = server.client().post::<Other>("/v1/x", &json!({})).await.unwrap_err();
    assert_eq!(error.to_string(), "POST /v1/x: the answer is not of the expected shape");
    assert!(error.in_doubt());
}
