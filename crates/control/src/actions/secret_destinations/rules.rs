//! What settings and credentials of a destination must be to be taken.

use crate::Control;
use crate::delivery::targets::Address;
use crate::destinations::{Credentials, is_service_account, trusting};
use crate::error::{ControlError, Fault, Step};
use crate::intake::shaped;
use louver_domain::alert_channels::SigningSecret;
use louver_domain::secret::Secret;
use louver_domain::secret_destinations::{DestinationKind, Settings};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

const LONGEST_CREDENTIAL: usize = 16 * 1024;
const LONGEST_CERTIFICATES: usize = 64 * 1024;

/// Reads settings in the shape of their kind, and checks them against what this node allows.
pub(super) fn settings(
    control: &Control,
    kind: DestinationKind,
    value: Value,
) -> Result<Settings, ControlError> {
    let settings = read(kind, value).map_err(within_settings)?;
    settings.check().map_err(|(name, message)| wrong(name, message))?;
    for (name, url) in settings.addresses() {
        let address = Address::parse(url, &control.destinations.allowed);
        let address = address.map_err(|message| wrong(name, message))?;
        let whole = matches!(
            (kind, name),
            (DestinationKind::Webhook, _) | (DestinationKind::Google, "token_endpoint")
        );
        if !whole && address.path != "/" {
            return Err(wrong(name, "must end after the host and port: the path is known"));
        }
    }
    check_certificates(&settings)?;
    check_machine(control, &settings)?;
    Ok(settings)
}

fn read(kind: DestinationKind, value: Value) -> Result<Settings, ControlError> {
    Ok(match kind {
        DestinationKind::Vault => Settings::Vault(shaped(value)?),
        DestinationKind::Aws => Settings::Aws(shaped(value)?),
        DestinationKind::Kubernetes => Settings::Kubernetes(shaped(value)?),
        DestinationKind::File => Settings::File(shaped(value)?),
        DestinationKind::Webhook => Settings::Webhook(shaped(value)?),
        DestinationKind::Command => Settings::Command(shaped(value)?),
        DestinationKind::Google => Settings::Google(shaped(value)?),
        DestinationKind::Azure => Settings::Azure(shaped(value)?),
    })
}

fn check_certificates(settings: &Settings) -> Result<(), ControlError> {
    let pem = match settings {
        Settings::Vault(vault) => vault.ca_certificate.as_deref(),
        Settings::Kubernetes(kubernetes) => kubernetes.ca_certificate.as_deref(),
        Settings::Aws(_)
        | Settings::File(_)
        | Settings::Webhook(_)
        | Settings::Command(_)
        | Settings::Google(_)
        | Settings::Azure(_) => None,
    };
    match pem {
        Some(pem) if pem.len() > LONGEST_CERTIFICATES || trusting(pem).is_none() => {
            Err(wrong("ca_certificate", "expected one or more certificates in PEM"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Files and commands: only what the settings of the node let in.
fn check_machine(control: &Control, settings: &Settings) -> Result<(), ControlError> {
    let bounds = &control.destinations;
    match settings {
        Settings::File(file) => {
            let text = String::from(file.location.clone());
            // A gap in the name of an allowed folder would be another folder.
            let within = bounds.folders.iter().any(|folder| Path::new(&text).starts_with(folder));
            let message =
                "must lie in one of the folders that the settings of this node allow (destination_folders)";
            if within { Ok(()) } else { Err(wrong("location", message)) }
        }
        Settings::Command(command) if !bounds.commands.contains_key(&command.command) => {
            Err(wrong("command", "is not named in the settings of this node (destination_commands)"))
        }
        Settings::Command(_)
        | Settings::Vault(_)
        | Settings::Aws(_)
        | Settings::Kubernetes(_)
        | Settings::Webhook(_)
        | Settings::Google(_)
        | Settings::Azure(_) => Ok(()),
    }
}

fn wrong(name: &str, message: &str) -> ControlError {
    ControlError::field(&format!("settings.{name}"), message)
}

fn within_settings(error: ControlError) -> ControlError {
    match error {
        ControlError::Invalid(mut fault) => {
            fault.loc.insert(1.min(fault.loc.len()), Step::Name("settings".into()));
            ControlError::Invalid(Fault { ..fault })
        }
        other => other,
    }
}

/// Checks credentials: those that the kind takes, and of a form that can be sent.
pub(super) fn credentials(
    kind: DestinationKind,
    all: BTreeMap<String, Secret<String>>,
) -> Result<Credentials, ControlError> {
    let credentials = Credentials::new(all);
    kind.takes(&credentials.names()).map_err(|message| ControlError::field("credentials", message))?;
    for (name, value) in credentials.iter() {
        let (fits, message) = if kind == DestinationKind::Google && name == "service_account" {
            (is_service_account(value), "expected the JSON of a service account's key")
        } else if kind == DestinationKind::Webhook {
            (SigningSecret::parse(value).is_some(), "expected whsec_ and base64 of 24 to 64 bytes")
        } else {
            (is_plain(value), "expected 1 to 16,384 visible ASCII characters")
        };
        if !fits {
            return Err(ControlError::field(&format!("credentials.{name}"), message));
        }
    }
    Ok(credentials)
}

fn is_plain(value: &str) -> bool {
    (1..=LONGEST_CREDENTIAL).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic())
}
