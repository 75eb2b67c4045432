//! One HTTP exchange, over a connection of its own and with an address that the operator's policy admits.
//!
//! The host is resolved, the addresses that `delivery/targets.rs` does not admit are dropped, and one of the others is
//! connected to, so that a name that changes its mind gains nothing. Redirects are answers like any other.

use crate::delivery::targets::{Address, AllowedTargets};
use bytes::Bytes;
use http::header::{HOST, HeaderName, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use louver_domain::secret::Secret;
use rustls_pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// The largest head of an answer.
const LARGEST_HEAD: usize = 64 * 1024;

/// For one address of several, so that a dead one leaves time for the next.
const CONNECT: Duration = Duration::from_secs(3);

/// Whom may be asked, whose certificates are believed, and how long it may take as a whole.
pub(crate) struct Reach<'a> {
    pub(crate) allowed: &'a AllowedTargets,
    /// Its ALPN must not offer HTTP/2.
    pub(crate) tls: &'a Arc<rustls::ClientConfig>,
    pub(crate) time: Duration,
}

/// What is asked.
pub(crate) struct Question<'a> {
    pub(crate) method: Method,
    /// The whole address; its path and query may be a secret.
    pub(crate) url: &'a str,
    /// Beside `host` and `user-agent`, which are set here.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Secret<Vec<u8>>,
    /// The most bytes of the answer's body; none when nobody waits for a body.
    pub(crate) largest: Option<usize>,
}

/// What was answered, whatever its status.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    #[cfg_attr(not(test), allow(dead_code, reason = "destinations look at status and body alone"))]
    pub(crate) headers: HeaderMap,
    /// May hold a secret; empty when it was not waited for.
    pub(crate) body: Secret<Vec<u8>>,
}

/// Why there is no answer. To an admin all but [`Unanswered::Untrusted`] may read the same: what tells one closed door
/// from another maps the network that Louver stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// The address is none, or the policy does not admit it.
    NotAdmitted,
    /// The name is not found, or nobody takes the connection.
    Unreachable,
    /// It shows no certificate that is believed.
    Untrusted,
    /// It takes too long. The question may have been taken.
    TooLate,
    /// It broke off, or does not speak HTTP. The question may have been taken.
    Broken,
    /// Its answer is larger than is read. The question was taken.
    TooLarge,
}

/// Asks once.
pub(crate) async fn ask(reach: &Reach<'_>, question: Question<'_>) -> Result<Answer, Unanswered> {
    tokio::time::timeout(reach.time, ask_unhurried(reach, question)).await.unwrap_or(Err(Unanswered::TooLate))
}

async fn ask_unhurried(reach: &Reach<'_>, question: Question<'_>) -> Result<Answer, Unanswered> {
    let address = Address::parse(question.url, reach.allowed).map_err(|_| Unanswered::NotAdmitted)?;
    let largest = question.largest;
    let request = request(&address, question)?;
    let stream = connect(&address, reach.allowed).await?;
    if !address.tls {
        return exchange(stream, request, largest).await;
    }
    let name = ServerName::try_from(address.host.clone()).map_err(|_| Unanswered::NotAdmitted)?;
    let connector = TlsConnector::from(Arc::clone(reach.tls));
    let stream = connector.connect(name, stream).await.map_err(|_| Unanswered::Untrusted)?;
    exchange(stream, request, largest).await
}

fn request(address: &Address, question: Question<'_>) -> Result<Request<Full<Bytes>>, Unanswered> {
    let mut request = Request::builder()
        .method(question.method)
        .uri(address.path.as_str())
        .header(HOST, address.destination())
        .header(USER_AGENT, "Louver");
    for (name, value) in question.headers {
        request = request.header(name, value);
    }
    let body = Bytes::from_owner(Wiped(question.body));
    request.body(Full::new(body)).map_err(|_| Unanswered::NotAdmitted)
}

/// A body that is wiped when the last of its bytes has left.
struct Wiped(Secret<Vec<u8>>);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}

async fn connect(address: &Address, allowed: &AllowedTargets) -> Result<TcpStream, Unanswered> {
    let admitted = address.resolve(allowed).await;
    for socket in admitted {
        if let Some(stream) = connect_to(socket).await {
            return Ok(stream);
        }
    }
    Err(Unanswered::Unreachable)
}

async fn connect_to(socket: SocketAddr) -> Option<TcpStream> {
    tokio::time::timeout(CONNECT, TcpStream::connect(socket)).await.ok()?.ok()
}

async fn exchange<S>(
    stream: S,
    request: Request<Full<Bytes>>,
    largest: Option<usize>,
) -> Result<Answer, Unanswered>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(LARGEST_HEAD);
    let handshake = builder.handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|_| Unanswered::Broken)?;
    // Dropped with this future, which ends the connection as well.
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    let response = sender.send_request(request).await.map_err(|_| Unanswered::Broken)?;
    let (head, body) = response.into_parts();
    let body = match largest {
        Some(largest) => read(body, largest).await?,
        None => Secret::new(Vec::new()),
    };
    Ok(Answer { status: head.status, headers: head.headers, body })
}

async fn read(mut body: Incoming, largest: usize) -> Result<Secret<Vec<u8>>, Unanswered> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Unanswered::Broken)?;
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > largest.saturating_sub(whole.len()) {
            return Err(Unanswered::TooLarge);
        }
        whole.extend_from_slice(&data);
    }
    Ok(Secret::new(whole))
}

#[cfg(test)]
mod tests;
