//! Exchanges with servers that answer what a test wrote down.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A server that reads one request up to its body `end`, answers `answer` and closes; gives back what it read.
async fn server(answer: &'static str, end: &'static str) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(end.as_bytes()) {
            assert_ne!(stream.read_buf(&mut heard).await.unwrap(), 0);
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(heard).unwrap()
    });
    (address, heard)
}

async fn ask_at(
    url: &str,
    allowed: &[String],
    largest: Option<usize>,
    time: Duration,
) -> Result<Answer, Unanswered> {
    let nobody = rustls::RootCertStore::empty();
    let tls = Arc::new(rustls::ClientConfig::builder().with_root_certificates(nobody).with_no_client_auth());
    let allowed = AllowedTargets::parse(allowed).unwrap();
    let reach = Reach { allowed: &allowed, tls: &tls, time };
    let headers = vec![(HeaderName::from_static("x-asked"), HeaderValue::from_static("yes"))];
    let body = Secret::new(b"the body".to_vec());
    ask(&reach, Question { method: Method::PUT, url, headers, body, largest }).await
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_question_is_answered_up_to_the_cap() {
    const ANSWER: &str = "HTTP/1.1 403 Forbidden\r\nx-said: no\r\ncontent-length: 9\r\n\r\nnine char";
    for (largest, wanted) in [(Some(9), Some("nine char")), (Some(8), None), (None, Some(""))] {
        let (address, heard) = server(ANSWER, "the body").await;
        let url = format!("http://{address}/a/path?b=c");
        let answer = ask_at(&url, &[address.to_string()], largest, LONG).await;
        let heard = heard.await.unwrap();
        assert!(heard.starts_with("PUT /a/path?b=c HTTP/1.1\r\n"), "{heard}");
        for line in [format!("host: {address}"), "x-asked: yes".into(), "content-length: 8".into()] {
            assert!(heard.contains(&format!("\r\n{line}\r\n")), "{line} in {heard}");
        }
        match (answer, wanted) {
            (Ok(answer), Some(wanted)) => {
                assert_eq!(
                    (answer.status, answer.body.expose().as_slice()),
                    (StatusCode::FORBIDDEN, wanted.as_bytes())
                );
                assert_eq!(answer.headers["x-said"], "no");
            }
            (answer, _) => assert_eq!(answer.err(), Some(Unanswered::TooLarge)),
        }
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let (address, _) =
        server("HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\n\r\n", "the body").await;
    let answer = ask_at(&format!("http://{address}/"), &["127.0.0.0/8".into()], Some(10), LONG).await;
    assert_eq!(answer.ok().unwrap().status, StatusCode::FOUND);
}

#[tokio::test]
async fn nobody_is_connected_to_that_is_not_admitted() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    for url in [
        format!("http://127.0.0.1:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        "no address".into(),
    ] {
        let answer = ask_at(&url, &["192.0.2.0/24".into()], None, LONG).await.err();
        let wanted = [Some(Unanswered::NotAdmitted), Some(Unanswered::Unreachable)];
        assert!(wanted.contains(&answer), "{url}: {answer:?}");
    }
    assert_eq!(listener.accept().err().unwrap().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn whoever_is_slow_breaks_off_or_shows_no_certificate_gives_no_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let allowed = [address.to_string()];
    let slow = ask_at(&format!("http://{address}/"), &allowed, None, Duration::from_millis(30)).await;
    assert_eq!(slow.err(), Some(Unanswered::TooLate));
    for (scheme, wanted) in [("http", Unanswered::Broken), ("https", Unanswered::Untrusted)] {
        let (address, _) = server("not HTTP\r\n\r\n", "").await;
        let url = format!("{scheme}://{address}/");
        let answer = ask_at(&url, &[address.to_string()], Some(10), LONG).await;
        assert_eq!(answer.err(), Some(wanted), "{scheme}");
    }
    drop(listener);
    let gone = ask_at(&format!("http://{address}/"), &allowed, None, LONG).await;
    assert_eq!(gone.err(), Some(Unanswered::Unreachable));
}
