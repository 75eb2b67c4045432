//! The settings of the mail server.

use louver_control::delivery::mail::SmtpTls;
use serde::Deserialize;
use std::path::PathBuf;

/// As given.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    host: Option<String>,
    port: Option<u16>,
    tls: Option<String>,
    username: Option<String>,
    password_file: Option<PathBuf>,
    from: Option<String>,
}

/// The mail server for alerts; the password is still in its file.
#[derive(Clone, Debug)]
pub struct Smtp {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether and when TLS begins.
    pub tls: SmtpTls,
    /// The user and the file with the password.
    pub login: Option<(String, PathBuf)>,
    /// The sender.
    pub from: String,
}

/// Checks them; none where none are given.
pub(super) fn check(file: File, errors: &mut Vec<String>) -> Option<Smtp> {
    let (Some(host), Some(from)) = (&file.host, &file.from) else {
        let none = file.host.is_none()
            && file.from.is_none()
            && file.port.is_none()
            && file.tls.is_none()
            && file.username.is_none()
            && file.password_file.is_none();
        if !none {
            errors.push("smtp.host and smtp.from must be set for mail".into());
        }
        return None;
    };
    let (tls, port) = match file.tls.as_deref() {
        None | Some("starttls") => (SmtpTls::StartTls, 587),
        Some("tls") => (SmtpTls::Tls, 465),
        Some("none") => (SmtpTls::None, 25),
        Some(_) => {
            errors.push("smtp.tls must be none, starttls or tls".into());
            return None;
        }
    };
    let login = match (file.username, file.password_file) {
        (Some(user), Some(password)) => Some((user, password)),
        (None, None) => None,
        _ => {
            errors.push("smtp.username and smtp.password_file go together".into());
            None
        }
    };
    let near = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if tls == SmtpTls::None && login.is_some() && !near {
        errors.push("smtp.tls = \"none\" would send the password in clear".into());
    }
    Some(Smtp { host: host.clone(), port: file.port.unwrap_or(port), tls, login, from: from.clone() })
}

#[cfg(test)]
mod tests {
    use super::super::{Environment, load};
    use super::*;

    #[test]
    fn mail_needs_a_host_and_a_sender_and_keeps_its_password_out_of_clear_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("louver.toml");
        let with = |smtp: &str| {
            let text = format!("database_url = 'sqlite:a'\nmaster_key_file = 'm'\n{smtp}");
            std::fs::write(&path, text).unwrap();
            load(Some(&path), &Environment::new())
        };
        let smtp = with("[smtp]\nhost = 'mail'\nfrom = 'a@b'").unwrap().smtp.unwrap();
        assert_eq!((smtp.tls, smtp.port), (SmtpTls::StartTls, 587));
        let smtp =
            with("[smtp]\nhost = 'mail'\nfrom = 'a@b'\ntls = 'tls'\nport = 1465").unwrap().smtp.unwrap();
        assert_eq!((smtp.tls, smtp.port), (SmtpTls::Tls, 1465));
        assert!(with("").unwrap().smtp.is_none());
        for (bad, why) in [
            ("[smtp]\nhost = 'mail'", "smtp.from"),
            ("[smtp]\nport = 25", "smtp.host"),
            ("[smtp]\nhost = 'mail'\nfrom = 'a@b'\ntls = 'maybe'", "none, starttls or tls"),
            ("[smtp]\nhost = 'mail'\nfrom = 'a@b'\nusername = 'u'", "go together"),
            (
                "[smtp]\nhost = 'mail'\nfrom = 'a@b'\ntls = 'none'\nusername = 'u'\npassword_file = 'p'",
                "in clear",
            ),
            ("webhook_allowed_targets = ['x']", "webhook_allowed_targets"),
        ] {
            let errors = with(bad).unwrap_err();
            assert!(errors.iter().any(|e| e.contains(why)), "{bad}: {errors:?}");
        }
    }
}
