//! Mails an alert as plain text, through the mail server of the settings.

use super::Failure;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message as Mail, Tokio1Executor};
use louver_domain::alerts::{Alert, Message};
use louver_domain::secret::Secret;
use louver_domain::time::Timestamp;
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
        let mail = self.compose(alert, channel, now).ok_or(Failure::Unreadable)?;
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
        let message = Message::of(alert);
        let since_epoch = Duration::from_micros(u64::try_from(now.micros()).ok()?);
        // The same over retries, so that a mail that arrives twice is seen to be one.
        let (id, domain) = (alert.id.prefixed(), self.from.email.domain());
        let mut builder = Mail::builder()
            .from(self.from.clone())
            .subject(format!("[Louver] {}", message.subject))
            .message_id(Some(format!("<{id}.{}@{domain}>", channel.id.prefixed())))
            .date(UNIX_EPOCH.checked_add(since_epoch)?)
            .header(ContentType::TEXT_PLAIN)
            // RFC 3834: no holiday replies.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        for address in read_addresses(&channel.destination)? {
            builder = builder.to(Mailbox::new(None, address));
        }
        builder.body(format!("{}\n", message.text)).ok()
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
