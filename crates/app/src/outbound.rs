//! Turns the settings of alerts and invitations into what they leave by: mail server, allowed receivers, TLS.

use crate::config::{Config, Smtp};
use crate::upstream;
use louver_control::delivery::Outbound;
use louver_control::delivery::mail::{Mailer, SmtpSettings};
use louver_domain::secret::Secret;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

/// What messages leave by.
pub(crate) fn from(config: &Config) -> Result<Outbound, String> {
    let mailer = config.smtp.as_ref().map(mailer).transpose()?;
    // A system without roots may still serve calls: then no receiver is believed.
    let tls = upstream::trusting_system().unwrap_or_else(|error| {
        tracing::warn!(error, "webhooks over https cannot be sent");
        let nobody = rustls::RootCertStore::empty();
        rustls::ClientConfig::builder().with_root_certificates(nobody).with_no_client_auth()
    });
    Ok(Outbound::new(mailer, config.webhook_allowed_targets.clone(), Arc::new(tls)))
}

fn mailer(smtp: &Smtp) -> Result<Mailer, String> {
    let (username, password) = match &smtp.login {
        Some((user, file)) => (Some(user.clone()), Some(read_password(file)?)),
        None => (None, None),
    };
    Mailer::new(&SmtpSettings {
        host: smtp.host.clone(),
        port: smtp.port,
        tls: smtp.tls,
        username,
        password,
        from: smtp.from.clone(),
    })
}

fn read_password(path: &Path) -> Result<Secret<String>, String> {
    let shown = path.display();
    let failed = |error| format!("smtp.password_file {shown}: {error}");
    if fs::metadata(path).map_err(failed)?.permissions().mode() & 0o077 != 0 {
        return Err(format!("smtp.password_file {shown} can be read by others: chmod 600 it"));
    }
    let text = Secret::new(fs::read_to_string(path).map_err(failed)?);
    Ok(Secret::new(text.expose().trim_end_matches(['\n', '\r']).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        fs::write(&path, "hunter two \n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read_password(&path).err().unwrap().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read_password(&path).ok().unwrap().expose(), "hunter two ");
        assert!(read_password(&folder.path().join("none")).is_err());
    }
}
