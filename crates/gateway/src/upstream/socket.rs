//! Opens a WebSocket to upstream: a connection of its own, HTTP/1.1 only, with a head of ours.

use super::{Pool, SendError, Server, USER_AGENT};
use crate::credentials::Credential;
use crate::settings::UpstreamTarget;
use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE, USER_AGENT as AGENT,
};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

/// A WebSocket to upstream.
pub(crate) type Socket = WebSocketStream<TokioIo<Upgraded>>;

impl Pool {
    /// Opens a WebSocket at that path and query of ours. `Err` with a status: upstream does not want it.
    pub(crate) async fn open_socket(
        &self,
        target: &str,
        to: &Arc<Credential>,
        config: WebSocketConfig,
    ) -> Result<Result<Socket, StatusCode>, SendError> {
        let Some(Server { target: server, timeouts, .. }) = self.servers.get(to.server) else {
            return Err(SendError::NotSent("the credential is for no server of this node".into()));
        };
        let authorization = to.authorization.clone();
        let opened = timeout(timeouts.connect, stream(server)).await;
        let stream = opened.map_err(|_| SendError::NotSent("no connection in time".into()))?;
        let shaken = match stream.map_err(SendError::NotSent)? {
            Stream::Plain(stream) => {
                let shake = shake(TokioIo::new(stream), server, target, authorization);
                timeout(timeouts.first_byte, shake).await
            }
            Stream::Tls(stream) => {
                let shake = shake(TokioIo::new(*stream), server, target, authorization);
                timeout(timeouts.first_byte, shake).await
            }
        };
        let upgraded = match shaken.map_err(|_| SendError::TimedOut)? {
            Ok(Ok(upgraded)) => upgraded,
            Ok(Err(status)) => return Ok(Err(status)),
            Err(error) => return Err(SendError::Broken(error)),
        };
        Ok(Ok(Socket::from_raw_socket(TokioIo::new(upgraded), Role::Client, Some(config)).await))
    }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

/// Connects. HTTP/2 is not offered: its WebSockets are another protocol.
async fn stream(target: &UpstreamTarget) -> Result<Stream, String> {
    let stream = TcpStream::connect((target.host.as_str(), target.port)).await.map_err(|e| e.to_string())?;
    stream.set_nodelay(true).map_err(|e| e.to_string())?;
    let Some(tls) = &target.tls else { return Ok(Stream::Plain(stream)) };
    let mut tls = rustls::ClientConfig::clone(tls);
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = ServerName::try_from(target.host.clone()).map_err(|e| e.to_string())?;
    let stream = TlsConnector::from(Arc::new(tls)).connect(name, stream).await.map_err(|e| e.to_string())?;
    Ok(Stream::Tls(Box::new(stream)))
}

/// Asks for the switch, and looks whether upstream did it as the protocol wants.
async fn shake<S>(
    stream: S,
    target: &UpstreamTarget,
    path: &str,
    authorization: Option<HeaderValue>,
) -> Result<Result<Upgraded, StatusCode>, String>
where
    S: Read + Write + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(stream).await.map_err(|e| e.to_string())?;
    // It ends with the connection; how shows in the answer.
    tokio::spawn(connection.with_upgrades());
    let key = generate_key();
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.uri_mut() = path.parse().map_err(|_| "the path is not a URI".to_owned())?;
    *request.headers_mut() = head(target, &key, authorization)?;
    let response = sender.send_request(request).await.map_err(|e| e.to_string())?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Err(response.status()));
    }
    let accepted = response.headers().get(SEC_WEBSOCKET_ACCEPT);
    let right =
        accepted.is_some_and(|accepted| accepted.as_bytes() == derive_accept_key(key.as_bytes()).as_bytes());
    if !right || response.headers().contains_key(SEC_WEBSOCKET_EXTENSIONS) {
        return Err("upstream's handshake is not the one that was asked for".to_owned());
    }
    hyper::upgrade::on(response).await.map(Ok).map_err(|e| e.to_string())
}

/// The head as upstream sees it: our address, our credential, nothing of the client's.
fn head(target: &UpstreamTarget, key: &str, authorization: Option<HeaderValue>) -> Result<HeaderMap, String> {
    let key = HeaderValue::from_str(key).map_err(|e| e.to_string())?;
    let mut head = HeaderMap::from_iter([
        (HOST, target.authority.clone()),
        (AGENT, HeaderValue::from_static(USER_AGENT)),
        (CONNECTION, HeaderValue::from_static("upgrade")),
        (UPGRADE, HeaderValue::from_static("websocket")),
        (SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")),
        (SEC_WEBSOCKET_KEY, key),
    ]);
    head.extend(authorization.map(|value| (AUTHORIZATION, value)));
    Ok(head)
}
