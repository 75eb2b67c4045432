//! The listener: time, size and number are bounded, TLS and HTTP/2 are spoken, to clients and to upstream.

use hyper_util::rt::{TokioExecutor, TokioIo};
use louver::config::Config;
use louver_proving::client::{raw, request, send};
use louver_proving::system::{Setup, System, chat};
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;

async fn changed(change: fn(&mut Config)) -> (System, String) {
    let system = System::with(Setup { change: Some(change), ..Setup::default() }).await;
    let key = system.key(json!({})).await.0;
    (system, key)
}

#[tokio::test]
async fn silent_and_slow_clients_are_given_up() {
    let (system, key) = changed(|config| {
        config.timeouts.head = Duration::from_millis(200);
        config.timeouts.body_grace = Duration::from_millis(200);
    })
    .await;
    assert_eq!(raw(system.address, b"").await, "", "a silent connection is closed");
    assert_eq!(
        raw(system.address, b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n").await,
        "",
        "so is half a head"
    );
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{{\"mod"
    );
    let answer = raw(system.address, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(system.simulator.calls(), 0);
}

#[tokio::test]
async fn bodies_and_heads_have_a_largest_size() {
    let (system, key) = changed(|config| config.max_body_bytes = 1000).await;
    let mut body = chat("mistral-small-latest");
    body["messages"][0]["content"] = json!("x".repeat(2000));
    assert_eq!(
        system.post(&key, "/v1/chat/completions", &body).await.verdict(),
        (413, "request_too_large".into())
    );
    let text = body.to_string();
    let chunked = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{text}\r\n0\r\n\r\n",
        text.len()
    );
    assert!(
        raw(system.address, chunked.as_bytes()).await.starts_with("HTTP/1.1 413 "),
        "also when no length was declared"
    );
    let head = format!("GET /v1/models HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(200_000));
    let answer = raw(system.address, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 200);
}

#[tokio::test]
async fn connections_of_one_address_are_counted() {
    let (system, key) = changed(|config| config.max_connections_per_address = 2).await;
    let call = format!("GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n\r\n");
    // The connection that the key was made on may still be on its way out: a place is free when a call is answered.
    let hold = async || {
        let mut stream = TcpStream::connect(system.address).await.unwrap();
        let sent = stream.write_all(call.as_bytes()).await.is_ok();
        (sent && stream.read(&mut [0; 64]).await.is_ok_and(|read| read > 0)).then_some(stream)
    };
    let held =
        [louver_proving::system::eventually(&hold).await, louver_proving::system::eventually(&hold).await];
    let mut third = TcpStream::connect(system.address).await.unwrap();
    assert!(matches!(third.read(&mut [0; 1]).await, Ok(0) | Err(_)), "one too many is closed at once");
    drop(held);
    louver_proving::system::eventually(&hold).await;
}

#[tokio::test]
async fn one_connection_carries_many_calls() {
    let (system, key) = changed(|_| ()).await;
    let body = chat("mistral-small-latest").to_string();
    let call = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let last = "GET /v1/nope HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = raw(system.address, format!("{call}{call}{call}{last}").as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 3, "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 404").count(), 1);
}

#[tokio::test]
async fn http2_names_one_host() {
    let (system, key) = changed(|_| ()).await;
    let stream = TcpStream::connect(system.address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    for (host, status) in [(None, 200), (Some("louver"), 200), (Some("evil"), 400)] {
        let mut call = request("GET", "http://louver/v1/models", &key, None);
        if let Some(host) = host {
            call.headers_mut().insert("host", host.parse().unwrap());
        }
        assert_eq!(sender.send_request(call).await.unwrap().status(), status, "{host:?}");
    }
}

#[tokio::test]
async fn a_call_whose_record_has_no_place_is_not_sent() {
    let (system, key) = changed(|config| config.usage_queue = 1).await;
    system.simulator.script(louver_simulator::Fault::Hang);
    let body = chat("mistral-small-latest").to_string();
    let hanging = request("POST", "/v1/chat/completions", &key, Some(body.as_bytes()));
    let address = system.address;
    let hanging = tokio::spawn(async move { send(address, hanging).await });
    system.simulator.reached(1).await;
    let refused = system.chat(&key, "mistral-small-latest").await;
    assert_eq!(refused.verdict(), (503, "accounting_unavailable".into()));
    assert_eq!((refused.header("retry-after"), system.simulator.calls()), (Some("1"), 1));
    hanging.abort();
    system.simulator.idle().await;
    louver_proving::system::eventually(async || {
        (system.chat(&key, "mistral-small-latest").await.status == 200).then_some(())
    })
    .await;
}

/// A certificate for localhost, made by openssl, and its key.
async fn certificate(folder: &Path) -> (std::path::PathBuf, std::path::PathBuf) {
    let (certificate, key) = (folder.join("tls.crt"), folder.join("tls.key"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .await
        .expect("openssl is there: run scripts/test");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (certificate, key)
}

async fn curl(arguments: &[&str]) -> String {
    let output =
        Command::new("curl").args(["-sS", "--max-time", "20"]).args(arguments).output().await.unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn tls_and_http2_to_clients_and_to_upstream() {
    // The second Louver calls the first over TLS, where ALPN agrees on HTTP/2.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key_file) = certificate(folder.path()).await;
    let first = System::start().await;
    let (key, _) = first.key(json!({})).await;
    let mut config = first.config.clone();
    config.tls = Some((certificate.clone(), key_file));
    let node = first.second_node_with(&config).await;
    let url = format!("https://localhost:{}", node.address.port());
    let bearer = format!("authorization: Bearer {key}");
    let body = chat("mistral-small-latest").to_string();
    let trust = certificate.to_str().unwrap();
    for version in ["--http1.1", "--http2"] {
        let said = curl(&[
            version,
            "--cacert",
            trust,
            "-w",
            " %{http_version}",
            "-H",
            &bearer,
            "-H",
            "content-type: application/json",
            "-d",
            &body,
            &format!("{url}/v1/chat/completions"),
        ])
        .await;
        assert!(
            said.contains("chat.completion")
                && said.ends_with(if version == "--http2" { " 2" } else { " 1.1" }),
            "{said}"
        );
    }
    let clear = curl(&[
        "--http2-prior-knowledge",
        "-w",
        " %{http_version}",
        "-H",
        &bearer,
        &format!("http://{}/v1/models", first.address),
    ])
    .await;
    assert!(clear.contains("\"object\":\"list\"") && clear.ends_with(" 2"), "{clear}");

    let binary = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("louver");
    let data = folder.path().join("data");
    let mut dev = Command::new(binary)
        .env_clear()
        .env("LOUVER_UPSTREAM_URL", &url)
        .env("LOUVER_UPSTREAM_KEY", &key)
        .env("SSL_CERT_FILE", &certificate)
        .args(["dev", "--listen", "127.0.0.1:0", "--json", "--data-dir"])
        .arg(&data)
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(dev.stdout.take().unwrap()));
    let said: serde_json::Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
    let address = said["api_url"].as_str().unwrap().trim_start_matches("http://").parse().unwrap();
    let own = said["workspaces"]["ml-workspace"]["keys"]["ml-team-key"].as_str().unwrap();
    for stream in [false, true] {
        let mut body = chat("mistral-small-latest");
        body["stream"] = json!(stream);
        let answer =
            send(address, request("POST", "/v1/chat/completions", own, Some(body.to_string().as_bytes())))
                .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.text().contains("[DONE]"), stream);
    }
    node.stop().await;
}
