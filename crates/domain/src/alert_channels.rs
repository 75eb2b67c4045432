//! Where alerts are sent: the kinds of channels, and the secret that signs webhooks.
//!
//! Signatures follow Standard Webhooks 1.0 (<https://www.standardwebhooks.com>): the secret reads `whsec_` and base64 of
//! 24 to 64 bytes; `v1,` and base64 of HMAC-SHA-256 over `id.timestamp.body` is the signature.

use crate::entropy::Entropy;
use crate::secret::Secret;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// What a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// A signed POST of JSON.
    Webhook,
    /// A POST to an incoming webhook of Slack, or of what speaks like it.
    Slack,
    /// A mail.
    Email,
}

impl ChannelKind {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Slack => "slack",
            Self::Email => "email",
        }
    }

    /// Reads what [`ChannelKind::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Webhook, Self::Slack, Self::Email].into_iter().find(|kind| kind.as_str() == text)
    }
}

const PREFIX: &str = "whsec_";
const MADE_BYTES: usize = 32;

/// The secret that signs a webhook's messages; never empty.
pub struct SigningSecret(Secret<Vec<u8>>);

impl SigningSecret {
    /// Reads `whsec_` and base64 of 24 to 64 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Secret::new(STANDARD.decode(text.strip_prefix(PREFIX)?).ok()?);
        (24..=64).contains(&bytes.expose().len()).then_some(Self(bytes))
    }

    /// A new one, of 256 random bits.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = vec![0; MADE_BYTES];
        entropy.fill(&mut bytes);
        Self(Secret::new(bytes))
    }

    /// The text that [`SigningSecret::parse`] reads.
    pub fn text(&self) -> Secret<String> {
        Secret::new(format!("{PREFIX}{}", STANDARD.encode(self.0.expose())))
    }

    /// The value of `webhook-signature` for a message of that id, time (seconds since the epoch) and body.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.expose());
        let mut context = hmac::Context::with_key(&key);
        context.update(format!("{id}.{timestamp}.").as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_the_standard_does() {
        // The example of the Standard Webhooks libraries.
        let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature =
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(secret.text().expose(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    }

    #[test]
    fn empty_short_and_other_secrets_are_refused() {
        for bad in [
            "",
            "whsec_",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_c2hvcnQ=",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw ",
            &format!("whsec_{}", STANDARD.encode([1; 65])),
            &format!("whsec_{}", STANDARD.encode([1; 23])),
        ] {
            assert!(SigningSecret::parse(bad).is_none(), "{bad}");
        }
        assert!(SigningSecret::parse(&format!("whsec_{}", STANDARD.encode([1; 64]))).is_some());
    }

    #[test]
    fn kinds_read_back() {
        for kind in ["webhook", "slack", "email"] {
            assert_eq!(ChannelKind::parse(kind).unwrap().as_str(), kind);
        }
        assert_eq!(ChannelKind::parse("sms"), None);
    }
}
