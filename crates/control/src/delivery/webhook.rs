//! Posts an alert as JSON, signed or in Slack's shape, over a connection of its own.

use super::targets::Address;
use super::{Failure, Outbound};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use louver_domain::alert_channels::{ChannelKind, SigningSecret};
use louver_domain::alerts::{Alert, AlertKind, Message};
use louver_domain::entropy::Entropy;
use louver_domain::secret::Secret;
use louver_domain::time::Timestamp;
use louver_store::alert_channels::AlertChannel;
use louver_store::seal::{MasterKey, Place, WrongMasterKey};
use rustls_pki_types::ServerName;
use serde::Serialize;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// The largest head of an answer, and all of it that is ever held.
const LARGEST_ANSWER: usize = 64 * 1024;

/// For one address of several, so that a dead one leaves time for the next.
const CONNECT: Duration = Duration::from_secs(3);

/// Where a webhook leads, and what signs it: all that is secret of a channel.
pub(crate) struct Target {
    pub(crate) url: Secret<String>,
    pub(crate) signer: Option<SigningSecret>,
}

impl Target {
    /// Seals it for its channel: the address, and on a second line the secret.
    pub(crate) fn seal(
        &self,
        master: &MasterKey,
        channel: &AlertChannel,
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, WrongMasterKey> {
        let text = match &self.signer {
            Some(signer) => Secret::new(format!("{}\n{}", self.url.expose(), signer.text().expose())),
            None => self.url.clone(),
        };
        master.seal(&Place::alert_channel(channel.id, channel.organization_id), &text, entropy)
    }

    /// Opens what was sealed for its channel; none when it is not there or does not open.
    pub(crate) fn open(master: &MasterKey, channel: &AlertChannel) -> Option<Self> {
        let place = Place::alert_channel(channel.id, channel.organization_id);
        let text = master.open(&place, channel.sealed_target.as_deref()?).ok()?;
        match text.expose().split_once('\n') {
            None => Some(Self { url: text, signer: None }),
            Some((url, signer)) => {
                Some(Self { url: Secret::new(url.to_owned()), signer: Some(SigningSecret::parse(signer)?) })
            }
        }
    }
}

/// A message on its way out.
pub(super) struct Outgoing {
    body: Vec<u8>,
    headers: Vec<(&'static str, HeaderValue)>,
}

/// The content of a webhook, in the envelope that Standard Webhooks recommends.
#[derive(Serialize)]
struct Content<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: Timestamp,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    #[serde(flatten)]
    alert: crate::api::alerts::Shown,
    subject: &'a str,
    text: &'a str,
}

const fn event(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::Threshold => "budget.threshold",
        AlertKind::LimitReached => "budget.limit_reached",
        AlertKind::Overrun => "budget.overrun",
        AlertKind::UpstreamCredentialRejected => "upstream.credential_rejected",
        AlertKind::ModelMoved => "model.moved",
        AlertKind::Test => "alert_channel.test",
    }
}

impl Outgoing {
    /// The message of an alert for a channel. Body and id stay the same over retries, the time and so the signature do
    /// not. None when a webhook has no secret.
    pub(super) fn of(alert: &Alert, channel: &AlertChannel, target: &Target, now: Timestamp) -> Option<Self> {
        let message = Message::of(alert);
        if channel.kind == ChannelKind::Slack {
            let body = serde_json::to_vec(&json!({"text": slack_text(&message)})).ok()?;
            return Some(Self { body, headers: vec![] });
        }
        let data = Data {
            alert: crate::api::alerts::Shown::of(alert),
            subject: &message.subject,
            text: &message.text,
        };
        let content = Content { kind: event(alert.kind), timestamp: alert.raised_at, data };
        let body = serde_json::to_vec(&content).ok()?;
        let id = format!("{}_{}", alert.id.prefixed(), channel.id.prefixed());
        let signature = target.signer.as_ref()?.sign(&id, now.seconds(), &body);
        let headers = vec![
            ("webhook-id", HeaderValue::try_from(id).ok()?),
            ("webhook-timestamp", HeaderValue::from(now.seconds())),
            ("webhook-signature", HeaderValue::try_from(signature).ok()?),
        ];
        Some(Self { body, headers })
    }
}

/// Slack reads `<`, `>` and `&`: a name must not become a mention or a link.
fn slack_text(message: &Message) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("*{}*\n{}", escape(&message.subject), escape(&message.text))
}

/// Posts a message. Every way not to get an answer is the same failure.
pub(super) async fn post(outbound: &Outbound, target: &Target, message: Outgoing) -> Result<(), Failure> {
    let address = Address::parse(target.url.expose(), &outbound.allowed).map_err(|_| Failure::Unreachable)?;
    let request = request(&address, message).ok_or(Failure::Unreachable)?;
    let mut stream = None;
    for socket in address.resolve(&outbound.allowed).await {
        stream = connect(socket).await;
        if stream.is_some() {
            break;
        }
    }
    let stream = stream.ok_or(Failure::Unreachable)?;
    let status = if address.tls {
        let name = ServerName::try_from(address.host.clone()).map_err(|_| Failure::Unreachable)?;
        let connector = TlsConnector::from(Arc::clone(&outbound.tls));
        let stream = connector.connect(name, stream).await.map_err(|_| Failure::Unreachable)?;
        exchange(stream, request).await
    } else {
        exchange(stream, request).await
    };
    match status.ok_or(Failure::Unreachable)? {
        status if status.is_success() => Ok(()),
        StatusCode::GONE => Err(Failure::Gone),
        status => Err(Failure::Answered(status.as_u16())),
    }
}

async fn connect(socket: SocketAddr) -> Option<TcpStream> {
    tokio::time::timeout(CONNECT, TcpStream::connect(socket)).await.ok()?.ok()
}

fn request(address: &Address, message: Outgoing) -> Option<Request<Full<Bytes>>> {
    let mut request = Request::post(address.path.as_str())
        .header(HOST, address.destination())
        .header(USER_AGENT, "Louver")
        .header(CONTENT_TYPE, "application/json");
    for (name, value) in message.headers {
        request = request.header(name, value);
    }
    request.body(Full::new(Bytes::from(message.body))).ok()
}

/// Sends the request and answers with the status. The body is not waited for: a receiver that said 2xx has taken the
/// message, and what else it says is nobody's business.
async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Option<StatusCode>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(LARGEST_ANSWER);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.ok()?;
    // Dropped with this future, which ends the connection as well.
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    Some(sender.send_request(request).await.ok()?.status())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_become_mentions() {
        let message = Message { subject: "workspace <!channel> & co".into(), text: "<https://x|y>".into() };
        assert_eq!(slack_text(&message), "*workspace &lt;!channel&gt; &amp; co*\n&lt;https://x|y&gt;");
    }
}
