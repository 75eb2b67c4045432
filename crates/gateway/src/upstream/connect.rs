//! Opens one connection to upstream: TCP, TLS when configured, and the protocol that TLS agreed on.

use super::{Http1, Http2};
use crate::settings::UpstreamTarget;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls_pki_types::ServerName;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How to send on a connection.
pub(crate) enum Sender {
    /// One call at a time.
    Http1(Http1),
    /// Many calls at a time.
    Http2(Http2),
}

const PING: Duration = Duration::from_secs(20);

/// Connects. Only the configured host is ever asked for; no proxy, no redirect.
pub(crate) async fn connect(target: &UpstreamTarget) -> Result<Sender, String> {
    let stream = TcpStream::connect((target.host.as_str(), target.port)).await.map_err(|e| e.to_string())?;
    stream.set_nodelay(true).map_err(|e| e.to_string())?;
    let Some(tls) = &target.tls else { return handshake(stream, false).await };
    let name = ServerName::try_from(target.host.clone()).map_err(|e| e.to_string())?;
    let stream =
        TlsConnector::from(Arc::clone(tls)).connect(name, stream).await.map_err(|e| e.to_string())?;
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    handshake(stream, http2).await
}

async fn handshake<S>(stream: S, http2: bool) -> Result<Sender, String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let io = TokioIo::new(stream);
    if http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new()).keep_alive_interval(PING).keep_alive_timeout(PING);
        let (sender, connection) = builder.handshake(io).await.map_err(|e| e.to_string())?;
        tokio::spawn(connection);
        return Ok(Sender::Http2(sender));
    }
    let (sender, connection) = http1::handshake(io).await.map_err(|e| e.to_string())?;
    tokio::spawn(connection);
    Ok(Sender::Http1(sender))
}
