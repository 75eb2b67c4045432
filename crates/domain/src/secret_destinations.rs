//! Where the secrets of keys are kept for those who use them: the kinds of secret managers, and what each must be told.

pub mod location;
pub mod settings;

pub use location::{Template, Unfit, Whose};
pub use settings::Settings;

use serde::{Deserialize, Serialize};

/// What a destination is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DestinationKind {
    /// The KV engine, version 2, of HashiCorp Vault or OpenBao.
    Vault,
    /// AWS Secrets Manager.
    Aws,
    /// A Secret of Kubernetes.
    Kubernetes,
    /// A file on the machine that Louver runs on.
    File,
    /// A signed POST of JSON.
    Webhook,
    /// A command that the settings of the node name.
    Command,
    /// Google Secret Manager.
    Google,
    /// Azure Key Vault.
    Azure,
}

impl DestinationKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Vault,
        Self::Aws,
        Self::Kubernetes,
        Self::File,
        Self::Webhook,
        Self::Command,
        Self::Google,
        Self::Azure,
    ];

    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::Aws => "aws",
            Self::Kubernetes => "kubernetes",
            Self::File => "file",
            Self::Webhook => "webhook",
            Self::Command => "command",
            Self::Google => "google",
            Self::Azure => "azure",
        }
    }

    /// Reads what [`DestinationKind::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether it acts on the machine that Louver runs on, which is nobody's in particular.
    pub const fn is_local(self) -> bool {
        match self {
            Self::File | Self::Command => true,
            Self::Vault | Self::Aws | Self::Kubernetes | Self::Webhook | Self::Google | Self::Azure => false,
        }
    }

    /// The sets of credentials that it takes: one of them, and what stands behind the bar may be left out.
    const fn credentials(self) -> &'static [Needed] {
        match self {
            Self::Vault => &[(&["token"], &[]), (&["role_id", "secret_id"], &[])],
            Self::Aws => &[(&["access_key_id", "secret_access_key"], &["session_token"])],
            Self::Kubernetes => &[(&["token"], &[])],
            Self::File | Self::Command => &[(&[], &[])],
            Self::Webhook => &[(&["secret"], &[])],
            Self::Google => &[(&["service_account"], &[]), (&["token"], &[])],
            Self::Azure => &[(&["client_secret"], &[])],
        }
    }

    /// Whether credentials of these names, and no others, are what it takes; the error says what it does take.
    pub fn takes(self, names: &[&str]) -> Result<(), String> {
        let fits = |(must, may): &Needed| {
            must.iter().all(|name| names.contains(name))
                && names.iter().all(|name| must.contains(name) || may.contains(name))
        };
        if self.credentials().iter().any(fits) {
            return Ok(());
        }
        let sets: Vec<String> = self.credentials().iter().map(sentence).collect();
        match sets.join(", or ") {
            none if none.is_empty() => Err("this kind takes no credentials".into()),
            sets => Err(format!("must be {sets}")),
        }
    }
}

/// Names of credentials that must be there, and of others that may.
type Needed = (&'static [&'static str], &'static [&'static str]);

fn sentence((must, may): &Needed) -> String {
    let mut text = must.join(" and ");
    if !may.is_empty() {
        text.push_str(", with or without ");
        text.push_str(&may.join(" and "));
    }
    text
}

#[cfg(test)]
mod tests;
