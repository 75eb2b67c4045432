//! What each kind of destination must be told, beside its credentials; nothing in here is a secret.

use super::DestinationKind;
use super::location::{Alphabet, Template, Whose};
use serde::{Deserialize, Serialize};

/// The settings of a destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the kinds are those of `DestinationKind`")]
pub enum Settings {
    Vault(Vault),
    Aws(Aws),
    Kubernetes(Kubernetes),
    File(File),
    Webhook(Webhook),
    Command(Command),
    Google(Google),
    Azure(Azure),
}

/// HashiCorp Vault or OpenBao.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vault {
    /// Scheme, host and port.
    pub address: String,
    /// Where the KV engine is mounted.
    #[serde(default = "secret")]
    pub mount: String,
    /// The path of the secret in it.
    pub location: Template,
    /// The field of the secret that holds the key.
    #[serde(default = "api_key")]
    pub field: String,
    /// The namespace, where the server has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Where AppRole is mounted.
    #[serde(default = "approle")]
    pub approle_mount: String,
    /// The certificates that are believed, in PEM, in place of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_certificate: Option<String>,
}

/// AWS Secrets Manager.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aws {
    /// The region.
    pub region: String,
    /// The name of the secret.
    pub location: Template,
    /// The member of a JSON object that holds the key; without it the key is the whole secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Another address than the region's public one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}

/// A Secret of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kubernetes {
    /// Scheme, host and port of the API server.
    pub address: String,
    /// The certificates that are believed, in PEM, in place of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_certificate: Option<String>,
    /// The namespace.
    pub namespace: String,
    /// The name of the Secret.
    pub location: Template,
    /// The field of its data that holds the key.
    #[serde(default = "api_key")]
    pub field: String,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its path, in a folder that the node's settings allow.
    pub location: Template,
}

/// A webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Where it is posted to.
    pub url: String,
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// Its name in the node's settings.
    pub command: String,
    /// What it is told of where the secret belongs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Template>,
}

/// Google Secret Manager.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Google {
    /// The project's id.
    pub project: String,
    /// The id of the secret.
    pub location: Template,
    /// Another address than the public one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Another address for tokens than the public one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint: Option<String>,
}

/// Azure Key Vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Azure {
    /// The address of the vault.
    pub address: String,
    /// The tenant's id.
    pub tenant_id: String,
    /// The application's id.
    pub client_id: String,
    /// The name of the secret.
    pub location: Template,
    /// Another address for tokens than the public one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint: Option<String>,
}

fn secret() -> String {
    "secret".into()
}

fn api_key() -> String {
    "api_key".into()
}

fn approle() -> String {
    "approle".into()
}

/// A setting that is wrong: its name, and a sentence.
pub type Wrong = (&'static str, &'static str);

/// Somebody whose names fit everywhere.
const ANYBODY: Whose<'static> = Whose { key: "key_0", name: "a", workspace: "a" };

impl Settings {
    /// What it is.
    pub const fn kind(&self) -> DestinationKind {
        match self {
            Self::Vault(_) => DestinationKind::Vault,
            Self::Aws(_) => DestinationKind::Aws,
            Self::Kubernetes(_) => DestinationKind::Kubernetes,
            Self::File(_) => DestinationKind::File,
            Self::Webhook(_) => DestinationKind::Webhook,
            Self::Command(_) => DestinationKind::Command,
            Self::Google(_) => DestinationKind::Google,
            Self::Azure(_) => DestinationKind::Azure,
        }
    }

    /// Where in the destination a secret lies, and in which alphabet that is written.
    pub const fn location(&self) -> Option<(&Template, Alphabet)> {
        match self {
            Self::Vault(vault) => Some((&vault.location, Alphabet::Path)),
            Self::Aws(aws) => Some((&aws.location, Alphabet::Path)),
            Self::Kubernetes(kubernetes) => Some((&kubernetes.location, Alphabet::Dns)),
            Self::File(file) => Some((&file.location, Alphabet::Absolute)),
            Self::Webhook(_) => None,
            Self::Command(command) => match &command.location {
                Some(location) => Some((location, Alphabet::Path)),
                None => None,
            },
            Self::Google(google) => Some((&google.location, Alphabet::Word)),
            Self::Azure(azure) => Some((&azure.location, Alphabet::Hyphenated)),
        }
    }

    /// The addresses that are asked, each by the name of its setting.
    pub fn addresses(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Vault(vault) => vec![("address", &vault.address)],
            Self::Aws(aws) => given("endpoint", aws.endpoint.as_deref()),
            Self::Kubernetes(kubernetes) => vec![("address", &kubernetes.address)],
            Self::File(_) | Self::Command(_) => vec![],
            Self::Webhook(webhook) => vec![("url", &webhook.url)],
            Self::Google(google) => {
                let endpoint = given("endpoint", google.endpoint.as_deref());
                [endpoint, given("token_endpoint", google.token_endpoint.as_deref())].concat()
            }
            Self::Azure(azure) => {
                let tokens = given("token_endpoint", azure.token_endpoint.as_deref());
                [vec![("address", azure.address.as_str())], tokens].concat()
            }
        }
    }

    /// All that says who gets to see the credentials. Where it changes, they are given anew: else whoever may change a
    /// destination could have them sent to themselves.
    pub fn aim(&self) -> Vec<&str> {
        let mut aim: Vec<&str> = self.addresses().into_iter().map(|(_, url)| url).collect();
        match self {
            Self::Vault(vault) => {
                aim.extend([vault.ca_certificate.as_deref().unwrap_or_default(), &vault.approle_mount])
            }
            // The region is part of its host.
            Self::Aws(aws) => aim.extend([aws.region.as_str(), aws.endpoint.as_deref().unwrap_or_default()]),
            Self::Kubernetes(kubernetes) => {
                aim.push(kubernetes.ca_certificate.as_deref().unwrap_or_default())
            }
            Self::File(_) | Self::Webhook(_) | Self::Command(_) => {}
            Self::Google(google) => {
                let endpoints = [&google.endpoint, &google.token_endpoint];
                aim.extend(endpoints.map(|endpoint| endpoint.as_deref().unwrap_or_default()));
            }
            Self::Azure(azure) => {
                aim.extend([azure.tenant_id.as_str(), azure.token_endpoint.as_deref().unwrap_or_default()]);
            }
        }
        aim
    }

    /// Whether the settings make sense, as far as they alone tell.
    pub fn check(&self) -> Result<(), Wrong> {
        if let Some((location, alphabet)) = self.location() {
            location.fill(&ANYBODY, alphabet).map_err(|unfit| ("location", unfit.sentence()))?;
        }
        match self {
            Self::Vault(vault) => {
                is_path(&vault.mount, "mount")?;
                is_path(&vault.approle_mount, "approle_mount")?;
                vault.namespace.as_deref().map_or(Ok(()), |namespace| is_path(namespace, "namespace"))?;
                is_field(&vault.field)
            }
            Self::Aws(aws) => {
                is_word(&aws.region, "region")?;
                aws.field.as_deref().map_or(Ok(()), is_field)
            }
            Self::Kubernetes(kubernetes) => {
                Alphabet::Dns
                    .check(&kubernetes.namespace)
                    .map_err(|_| ("namespace", "must be a name of Kubernetes"))?;
                is_field(&kubernetes.field)
            }
            Self::File(_) | Self::Webhook(_) => Ok(()),
            Self::Command(command) => is_word(&command.command, "command"),
            Self::Google(google) => is_word(&google.project, "project"),
            Self::Azure(azure) => {
                is_word(&azure.tenant_id, "tenant_id")?;
                is_word(&azure.client_id, "client_id")
            }
        }
    }
}

fn given<'a>(name: &'static str, url: Option<&'a str>) -> Vec<(&'static str, &'a str)> {
    url.map(|url| (name, url)).into_iter().collect()
}

fn is_path(text: &str, name: &'static str) -> Result<(), Wrong> {
    Alphabet::Path.check(text).map_err(|_| (name, "must be a path without slashes at its ends"))
}

fn is_word(text: &str, name: &'static str) -> Result<(), Wrong> {
    Alphabet::Word.check(text).map_err(|_| (name, "must be letters, digits, hyphens and underscores"))
}

fn is_field(text: &str) -> Result<(), Wrong> {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(usual);
    if fits {
        Ok(())
    } else {
        Err(("field", "must be 1 to 64 letters, digits, dots, hyphens and underscores"))
    }
}
