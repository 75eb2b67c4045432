//! Posts an alert as JSON, signed or in Slack's shape.

use super::{Failure, Outbound};
use crate::exchange::{self, Question, Reach};
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method, StatusCode};
use louver_domain::alert_channels::{ChannelKind, SigningSecret};
use louver_domain::alerts::{Alert, AlertKind, Message};
use louver_domain::entropy::Entropy;
use louver_domain::secret::Secret;
use louver_domain::time::Timestamp;
use louver_store::alert_channels::AlertChannel;
use louver_store::seal::{MasterKey, Place, WrongMasterKey};
use serde::Serialize;
use serde_json::json;

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
        AlertKind::KeyExpiring => "key.expiring",
        AlertKind::KeyUnused => "key.unused",
        AlertKind::KeyLeaked => "key.leaked",
        AlertKind::CanaryUsed => "key.canary_used",
        AlertKind::RotationDue => "rotation.due",
        AlertKind::RotationDone => "rotation.done",
        AlertKind::RotationStuck => "rotation.stuck",
        AlertKind::OldSecretUsed => "rotation.old_secret_used",
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

/// Posts a message. Every way not to get an answer is the same failure. The answer's body is not waited for: a receiver
/// that said 2xx has taken the message, and what else it says is nobody's business.
pub(super) async fn post(outbound: &Outbound, target: &Target, message: Outgoing) -> Result<(), Failure> {
    let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    headers.extend(message.headers.into_iter().map(|(name, value)| (HeaderName::from_static(name), value)));
    let question = Question {
        method: Method::POST,
        url: target.url.expose(),
        headers,
        body: Secret::new(message.body),
        largest: None,
    };
    let reach = Reach { allowed: &outbound.allowed, tls: &outbound.tls, time: outbound.attempt };
    let answer = exchange::ask(&reach, question).await.map_err(|_| Failure::Unreachable)?;
    match answer.status {
        status if status.is_success() => Ok(()),
        StatusCode::GONE => Err(Failure::Gone),
        status => Err(Failure::Answered(status.as_u16())),
    }
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
