//! Mails alerts and invitations as plain text, through the mail server of the settings.

use super::Failure;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message as Mail, Tokio1Executor};
use louver_domain::alerts::{Alert, Message};
use louver_domain::secret::Secret;
use louver_domain::time::Timestamp;
use louver_domain::users::User;
use louver_store::alert_channels::AlertChannel;
use std::time::{Duration, UNIX_EPOCH};

/// How the mail server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// In clear; for a server on the same machine.
    None,
    /// In clear until STARTTLS, which must work.
    StartTls,
    /// TLS from the first byte.
    Tls,
}

/// The mail server.
pub struct SmtpSettings {
    /// Its name or address; with TLS also what its certificate is checked for.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether and when TLS begins.
    pub tls: SmtpTls,
    /// The user, when it wants one.
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<Secret<String>>,
    /// The sender: `louver@example.com` or `Louver <louver@example.com>`.
    pub from: String,
}

/// An invitation as a mail.
pub(super) struct Letter<'a> {
    /// Tells this link from others; the same over retries.
    pub(super) id: &'a str,
    /// The mail address.
    pub(super) to: &'a str,
    /// The name of the organization.
    pub(super) organization: &'a str,
    /// What takes it up.
    pub(super) link: &'a str,
    /// Until when that works.
    pub(super) expires_at: Timestamp,
}

/// Sends mails; each over a connection of its own.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    /// From settings; the error is a sentence for the operator. Nothing is connected to yet.
    pub fn new(settings: &SmtpSettings) -> Result<Self, String> {
        let from: Mailbox =
            settings.from.parse().map_err(|_| "smtp.from must be a mail address".to_owned())?;
        let parameters =
            || TlsParameters::new(settings.host.clone()).map_err(|error| format!("smtp.host: {error}"));
        let tls = match settings.tls {
            SmtpTls::None => Tls::None,
            SmtpTls::StartTls => Tls::Required(parameters()?),
            SmtpTls::Tls => Tls::Wrapper(parameters()?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port)
            .tls(tls)
            .hello_name(ClientId::Domain(from.email.domain().to_owned()))
            .timeout(Some(super::ATTEMPT));
        if let (Some(user), Some(password)) = (&settings.username, &settings.password) {
            builder = builder.credentials(Credentials::new(user.clone(), password.expose().clone()));
        }
        Ok(Self { transport: builder.build(), from })
    }

    /// Sends an alert to all addresses of a channel, in one mail.
    pub(super) async fn send(
        &self,
        alert: &Alert,
        channel: &AlertChannel,
        now: Timestamp,
    ) -> Result<(), Failure> {
        self.hand_over(self.compose(alert, channel, now).ok_or(Failure::Unreadable)?).await
    }

    /// Sends an alert about a key to its owner.
    pub(super) async fn send_to_owner(
        &self,
        alert: &Alert,
        owner: &User,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let id = format!("{}.{}", alert.id.prefixed(), owner.id.prefixed());
        let address = owner.email.parse().map_err(|_| Failure::Unreadable)?;
        let why = "\n\nYou get this because the key is yours.";
        let mail = self.compose_to(alert, &id, vec![address], why, now);
        self.hand_over(mail.ok_or(Failure::Unreadable)?).await
    }

    /// Sends an invitation.
    pub(super) async fn send_letter(&self, letter: &Letter<'_>, now: Timestamp) -> Result<(), Failure> {
        self.hand_over(self.compose_letter(letter, now).ok_or(Failure::Unreadable)?).await
    }

    async fn hand_over(&self, mail: Mail) -> Result<(), Failure> {
        match self.transport.send(mail).await {
            Ok(_) => Ok(()),
            Err(error) => {
                // The server's words may hold addresses; its code does not.
                let code = error.status().map(|code| code.to_string());
                tracing::warn!(
                    code,
                    tls = error.is_tls(),
                    timeout = error.is_timeout(),
                    "the mail server failed"
                );
                Err(Failure::Mail)
            }
        }
    }

    fn compose(&self, alert: &Alert, channel: &AlertChannel, now: Timestamp) -> Option<Mail> {
        let id = format!("{}.{}", alert.id.prefixed(), channel.id.prefixed());
        self.compose_to(alert, &id, read_addresses(&channel.destination)?, "", now)
    }

    fn compose_to(
        &self,
        alert: &Alert,
        id: &str,
        addresses: Vec<Address>,
        why: &str,
        now: Timestamp,
    ) -> Option<Mail> {
        let message = Message::of(alert);
        let mut builder = self.begin(id, now)?.subject(format!("[Louver] {}", message.subject));
        for address in addresses {
            builder = builder.to(Mailbox::new(None, address));
        }
        builder.body(format!("{}{why}\n", message.text)).ok()
    }

    fn compose_letter(&self, letter: &Letter<'_>, now: Timestamp) -> Option<Mail> {
        let Letter { id, to, organization, link, expires_at } = letter;
        let text = format!(
            "You are invited to join {organization} on Louver, with the address {to}.\n\n\
             Open this link to accept. It works once, until {}:\n\n{link}\n\n\
             If you do not expect this, you need not do anything.\n",
            expires_at.rfc3339()
        );
        self.begin(id, now)?
            .to(Mailbox::new(None, to.parse().ok()?))
            .subject(format!("[Louver] You are invited to join {organization}"))
            .body(text)
            .ok()
    }

    /// What all mails have. The id is the same over retries, so that a mail that arrives twice is seen to be one.
    fn begin(&self, id: &str, now: Timestamp) -> Option<MessageBuilder> {
        let since_epoch = Duration::from_micros(u64::try_from(now.micros()).ok()?);
        let builder = Mail::builder()
            .from(self.from.clone())
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .date(UNIX_EPOCH.checked_add(since_epoch)?)
            .header(ContentType::TEXT_PLAIN)
            // RFC 3834: no holiday replies.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        Some(builder)
    }
}

/// The mail addresses of a channel's destination, which commas part.
fn read_addresses(destination: &str) -> Option<Vec<Address>> {
    destination.split(',').map(|address| address.parse().ok()).collect()
}

/// Whether a mail can be sent to that address.
pub(crate) fn is_address(text: &str) -> bool {
    // A comma may stand in a quoted local part; here it parts addresses.
    !text.contains(',') && text.parse::<Address>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use louver_domain::alert_channels::ChannelKind;
    use louver_domain::alerts::AlertKind;
    use louver_domain::id::{AlertChannelId, AlertId, OrganizationId};

    fn settings(from: &str) -> SmtpSettings {
        SmtpSettings {
            host: "localhost".into(),
            port: 25,
            tls: SmtpTls::None,
            username: None,
            password: None,
            from: from.into(),
        }
    }

    #[test]
    fn a_mail_is_plain_text_with_what_marks_it_as_ours() {
        let now = Timestamp::parse("2026-11-21T02:31:58Z").unwrap();
        let organization_id = OrganizationId::from_bytes([1; 16]);
        let channel = AlertChannel {
            id: AlertChannelId::from_bytes([2; 16]),
            organization_id,
            name: "ops".into(),
            kind: ChannelKind::Email,
            destination: "ann@example.org,bob@example.org".into(),
            sealed_target: None,
            enabled: true,
            created_at: now,
        };
        let alert = Alert {
            id: AlertId::from_bytes([3; 16]),
            organization_id,
            raised_at: now,
            kind: AlertKind::UpstreamCredentialRejected,
            threshold: None,
            superseded: false,
            subject_id: [4; 16],
            scope: "upstream".into(),
            scope_id: "u".into(),
            name: "haupt \u{fc}\r\nBcc: eve@example.org".into(),
            starts: now,
            ends: now,
            budget: None,
        };
        let mailer = Mailer::new(&settings("Louver <louver@example.com>")).unwrap();
        let mail = mailer.compose(&alert, &channel, now).unwrap();
        let text = String::from_utf8(mail.formatted()).unwrap();
        for line in [
            "From: Louver <louver@example.com>",
            "To: ann@example.org, bob@example.org",
            "Date: Sat, 21 Nov 2026 02:31:58 +0000",
            "Auto-Submitted: auto-generated",
            "Content-Type: text/plain; charset=utf-8",
            "Message-ID: <alert_03030303030303030303030303030303.ach_02020202020202020202020202020202@example.com>",
        ] {
            assert!(text.contains(&format!("{line}\r\n")), "{line} in {text}");
        }
        assert!(!text.contains("\nBcc:"), "{text}");
        assert_eq!(mail.envelope().to().len(), 2);
        let again = mailer.compose(&alert, &channel, now.plus_seconds(60)).unwrap();
        let id =
            |mail: &[u8]| String::from_utf8_lossy(mail).split("Message-ID").nth(1).unwrap()[..90].to_owned();
        assert_eq!(id(&again.formatted()), id(&mail.formatted()));
        let broken = AlertChannel { destination: "nobody".into(), ..channel };
        assert!(mailer.compose(&alert, &broken, now).is_none());
    }

    #[test]
    fn a_sender_is_a_mail_address() {
        for bad in ["", "louver", "a@b\r\nBcc: c@d", "<>"] {
            assert!(Mailer::new(&settings(bad)).is_err(), "{bad:?}");
        }
        for bad in ["a,b@example.org", "\"a,b\"@example.org", "a b@example.org", "a@b\n"] {
            assert!(!is_address(bad), "{bad:?}");
        }
    }
}
