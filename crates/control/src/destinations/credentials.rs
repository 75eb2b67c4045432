//! The credentials of a destination: texts by name, sealed as one JSON object.

use louver_domain::entropy::Entropy;
use louver_domain::secret::Secret;
use louver_store::seal::{MasterKey, Place, WrongMasterKey};
use louver_store::secret_destinations::SecretDestination;
use std::collections::BTreeMap;

/// Secrets by name.
#[derive(Default)]
pub(crate) struct Credentials(BTreeMap<String, Secret<String>>);

impl Credentials {
    /// Takes them.
    pub(crate) fn new(all: BTreeMap<String, Secret<String>>) -> Self {
        Self(all)
    }

    /// Their names.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// One of them.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|secret| secret.expose().as_str())
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, secret)| (name.as_str(), secret.expose().as_str()))
    }

    /// Puts them into a destination, sealed for it.
    pub(crate) fn seal(
        &self,
        master: &MasterKey,
        destination: &mut SecretDestination,
        entropy: &dyn Entropy,
    ) -> Result<(), WrongMasterKey> {
        destination.credential_names = self.names().into_iter().map(str::to_owned).collect();
        destination.sealed_credentials = None;
        if !self.0.is_empty() {
            let all: BTreeMap<&str, &str> = self.iter().collect();
            let text = Secret::new(serde_json::to_string(&all).map_err(|_| WrongMasterKey)?);
            destination.sealed_credentials = Some(master.seal(&place(destination), &text, entropy)?);
        }
        Ok(())
    }

    /// Opens those of a destination; none when they do not open.
    pub(crate) fn open(master: &MasterKey, destination: &SecretDestination) -> Option<Self> {
        let Some(sealed) = destination.sealed_credentials.as_deref() else { return Some(Self::default()) };
        let text = master.open(&place(destination), sealed).ok()?;
        let all: BTreeMap<String, String> = serde_json::from_str(text.expose()).ok()?;
        Some(Self(all.into_iter().map(|(name, value)| (name, Secret::new(value))).collect()))
    }
}

fn place(destination: &SecretDestination) -> Place {
    Place::secret_destination(destination.id, destination.organization_id)
}
