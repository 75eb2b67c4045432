//! The kinds of destinations as forms: which settings and credentials each is told, and what people call them.

use crate::fields::Fields;
use crate::kit::form::{Faults, Field};
use louver_domain::secret::Secret;
use louver_domain::secret_destinations::DestinationKind;
use maud::{Markup, html};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A setting: its name, what it is called, what helps, and whether it must be there.
type Setting = (&'static str, &'static str, &'static str, bool);

/// A credential: its name, and what it is called.
type Credential = (&'static str, &'static str);

const PEM: &str = "ca_certificate";

/// What people call a kind.
pub(super) const fn name(kind: DestinationKind) -> &'static str {
    match kind {
        DestinationKind::Vault => "HashiCorp Vault or OpenBao",
        DestinationKind::Aws => "AWS Secrets Manager",
        DestinationKind::Kubernetes => "Kubernetes Secret",
        DestinationKind::File => "File on this machine",
        DestinationKind::Webhook => "Signed webhook",
        DestinationKind::Command => "Command on this machine",
        DestinationKind::Google => "Google Secret Manager",
        DestinationKind::Azure => "Azure Key Vault",
    }
}

const WHERE: &str = "{workspace}, {key} and {id} stand for the key’s workspace, name and id";

const fn settings(kind: DestinationKind) -> &'static [Setting] {
    match kind {
        DestinationKind::Vault => &[
            ("address", "Address", "Scheme, host and port, such as https://vault.example.com:8200", true),
            ("location", "Path of the secret", WHERE, true),
            ("mount", "KV mount", "secret where nothing is said", false),
            ("field", "Field", "api_key where nothing is said", false),
            ("namespace", "Namespace", "Where the server has them", false),
            ("approle_mount", "AppRole mount", "approle where nothing is said", false),
            (PEM, "Certificates", "In PEM, in place of the system’s", false),
        ],
        DestinationKind::Aws => &[
            ("region", "Region", "Such as eu-west-3", true),
            ("location", "Name of the secret", WHERE, true),
            ("field", "Field", "A member of a JSON object; empty: the key is the whole secret", false),
            ("endpoint", "Another address", "In place of the region’s public one", false),
        ],
        DestinationKind::Kubernetes => &[
            ("address", "API server", "Scheme, host and port", true),
            ("namespace", "Namespace", "Where the Secret lies", true),
            ("location", "Name of the Secret", WHERE, true),
            ("field", "Field of its data", "api_key where nothing is said", false),
            (PEM, "Certificates", "In PEM, in place of the system’s", false),
        ],
        DestinationKind::File => &[(
            "location",
            "Path",
            "In a folder that the settings of the node allow; {workspace}, {key} and {id} are filled in",
            true,
        )],
        DestinationKind::Webhook => &[("url", "Address", "It gets a signed POST of JSON", true)],
        DestinationKind::Command => &[
            ("command", "Command", "Its name in the settings of the node", true),
            ("location", "Location", "What it is told of where the secret belongs", false),
        ],
        DestinationKind::Google => &[
            ("project", "Project", "Its id", true),
            ("location", "Id of the secret", WHERE, true),
            ("endpoint", "Another address", "In place of the public one", false),
            ("token_endpoint", "Another address for tokens", "In place of the public one", false),
        ],
        DestinationKind::Azure => &[
            ("address", "Address of the vault", "Such as https://louver.vault.azure.net", true),
            ("tenant_id", "Tenant", "Its id", true),
            ("client_id", "Application", "Its id", true),
            ("location", "Name of the secret", WHERE, true),
            ("token_endpoint", "Another address for tokens", "In place of the public one", false),
        ],
    }
}

const fn credentials(kind: DestinationKind) -> &'static [Credential] {
    match kind {
        DestinationKind::Vault => {
            &[("token", "Token"), ("role_id", "Or role id"), ("secret_id", "with secret id")]
        }
        DestinationKind::Aws => &[
            ("access_key_id", "Access key id"),
            ("secret_access_key", "Secret access key"),
            ("session_token", "Session token, if there is one"),
        ],
        DestinationKind::Kubernetes => &[("token", "Token of a service account")],
        DestinationKind::File | DestinationKind::Command | DestinationKind::Webhook => &[],
        DestinationKind::Google => {
            &[("service_account", "Key of a service account, as JSON"), ("token", "Or a token")]
        }
        DestinationKind::Azure => &[("client_secret", "Client secret")],
    }
}

/// Whether it is told credentials; a webhook gets a signing secret from Louver.
pub(super) const fn takes_credentials(kind: DestinationKind) -> bool {
    !credentials(kind).is_empty()
}

/// The name of the form's field for a setting.
fn field_of(setting: &str) -> String {
    format!("settings.{setting}")
}

/// The fields of its settings, filled from the form or from what is stored.
pub(super) fn setting_fields(
    kind: DestinationKind,
    fields: &Fields,
    stored: Option<&Value>,
    faults: &Faults,
) -> Markup {
    html! {
        @for (setting, label, hint, required) in settings(kind) {
            @let name = field_of(setting);
            @let known = stored.and_then(|all| all.get(setting)).and_then(Value::as_str).unwrap_or_default();
            @let value = if fields.is_sent(&name) { fields.text(&name) } else { known };
            @let field = Field { value, required: *required, fault: faults.at(&name), ..Field::new(&name, label).hint(hint) };
            @if *setting == PEM { (field.lines(4)) } @else { (field.draw()) }
        }
    }
}

/// The fields of its credentials, always empty.
pub(super) fn credential_fields(kind: DestinationKind, faults: &Faults) -> Markup {
    html! {
        @for (name, label) in credentials(kind) {
            @let id = secret_field(name);
            @let of_api = format!("credentials.{name}");
            (Field { fault: faults.at(&of_api), ..Field::new(&id, label).kind("password").autocomplete("off") }.draw())
        }
        @if takes_credentials(kind) { p.hint { "Sealed as soon as they arrive, and never shown again" } }
    }
}

fn secret_field(name: &str) -> String {
    format!("{}{name}", crate::fields::SECRET)
}

/// The settings as the form has them; what is empty is not said.
pub(super) fn read_settings(kind: DestinationKind, fields: &Fields) -> Value {
    let said = settings(kind).iter().filter_map(|(setting, ..)| {
        let text = fields.given(&field_of(setting))?;
        Some(((*setting).to_owned(), Value::String(text)))
    });
    Value::Object(said.collect::<Map<String, Value>>())
}

/// The credentials as the form has them.
pub(super) fn read_credentials(kind: DestinationKind, fields: &Fields) -> BTreeMap<String, Secret<String>> {
    let given =
        credentials(kind).iter().filter(|(name, _)| !fields.raw(&secret_field(name)).trim().is_empty());
    given
        .map(|(name, _)| ((*name).to_owned(), Secret::new(fields.raw(&secret_field(name)).trim().to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_offer_credentials_that_their_kind_takes() {
        for kind in DestinationKind::ALL {
            let names: Vec<&str> = credentials(kind).iter().map(|(name, _)| *name).collect();
            let sets: &[&[&str]] = match kind {
                DestinationKind::Vault => &[&["token"], &["role_id", "secret_id"]],
                DestinationKind::Google => &[&["service_account"], &["token"]],
                DestinationKind::Webhook => continue,
                _ => &[&[]],
            };
            for set in sets {
                let set = if set.is_empty() { names.as_slice() } else { set };
                assert!(set.iter().all(|name| names.contains(name)));
                assert_eq!(kind.takes(set), Ok(()), "{kind:?}");
            }
        }
    }
}
