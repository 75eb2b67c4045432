//! Opens one connection to upstream: TCP, TLS when configured, and the protocol that TLS agreed on.

use super::Http2;
use super::http1::{Connection, Stream};
use crate::settings::UpstreamTarget;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls_pki_types::ServerName;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A connection that was opened.
pub(super) enum Opened {
    /// One call at a time.
    Http1(Connection),
    /// Many calls at a time.
    Http2(Http2),
}

const PING: Duration = Duration::from_secs(20);

/// Connects. Only the configured host is ever asked for; no proxy, no redirect.
pub(super) async fn connect(target: &UpstreamTarget) -> Result<Opened, String> {
    let stream = TcpStream::connect((target.host.as_str(), target.port)).await.map_err(|e| e.to_string())?;
    stream.set_nodelay(true).map_err(|e| e.to_string())?;
    let Some(tls) = &target.tls else { return Ok(Opened::Http1(Connection::new(Stream::Plain(stream)))) };
    let name = ServerName::try_from(target.host.clone()).map_err(|e| e.to_string())?;
    let stream =
        TlsConnector::from(Arc::clone(tls)).connect(name, stream).await.map_err(|e| e.to_string())?;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Ok(Opened::Http1(Connection::new(Stream::Tls(Box::new(stream)))));
    }
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).keep_alive_interval(PING).keep_alive_timeout(PING);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    // The connection lives as long as there are calls; how it ends shows in them.
    tokio::spawn(connection);
    Ok(Opened::Http2(sender))
}
