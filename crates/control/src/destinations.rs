//! Writes secrets of keys to where those who use them read them from, and reads them back: one file for each kind.

mod aws;
mod azure;
mod command;
mod credentials;
mod desk;
mod file;
mod google;
mod kubernetes;
mod merge;
mod oauth;
mod probe;
mod trouble;
mod vault;
mod webhook;

pub(crate) use credentials::Credentials;
pub(crate) use desk::trusting;
pub use probe::{Outcome, Probed, Step, probe};
pub use trouble::DestinationError;

use crate::Control;
use crate::delivery::targets::AllowedTargets;
use desk::Desk;
use louver_domain::id::WorkspaceId;
use louver_domain::secret::Secret;
use louver_domain::secret_destinations::{Settings, Whose};
use louver_domain::time::Timestamp;
use louver_store::secret_destinations::SecretDestination;
use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

/// For all of a write or a read, whatever its destination answers.
const LONGEST: Duration = Duration::from_secs(60);

/// What the settings of the node let destinations do.
#[derive(Clone, Debug, Default)]
pub struct Bounds {
    /// Destinations that need not be public.
    pub allowed: AllowedTargets,
    /// Folders that files may be written in.
    pub folders: Vec<PathBuf>,
    /// Commands by name: a program and its arguments.
    pub commands: BTreeMap<String, Vec<String>>,
}

/// A secret on its way to a destination.
pub struct Parcel<'a> {
    /// The prefixed id of the key.
    pub key: &'a str,
    /// The key's name.
    pub name: &'a str,
    /// The name of its workspace.
    pub workspace: &'a str,
    /// The id of the rotation: the same secret of the same rotation is written once, however often it is sent.
    pub rotation: &'a str,
    /// The secret.
    pub secret: &'a Secret<String>,
    /// When the secret was made.
    pub created_at: Timestamp,
}

impl<'a> Parcel<'a> {
    /// Whose secret it is.
    pub const fn whose(&self) -> Whose<'a> {
        Whose { key: self.key, name: self.name, workspace: self.workspace }
    }

    /// A name of this secret in this rotation: 64 hexadecimal digits, from which no secret of 256 bits is found.
    fn mark(&self, content: &[u8]) -> String {
        desk::digest(&[b"louver rotation 1", self.rotation.as_bytes(), content])
    }
}

/// What a destination said to a secret.
pub struct Delivered {
    /// Its version there, where it has versions.
    pub version: Option<String>,
}

/// Where a destination keeps the secret of a key; none where it has no places.
pub fn location(
    destination: &SecretDestination,
    whose: &Whose<'_>,
) -> Result<Option<String>, DestinationError> {
    let location = destination.settings.location();
    let filled = location.map(|(template, alphabet)| template.fill(whose, alphabet)).transpose();
    filled.map_err(DestinationError::Unfit)
}

/// Whether a destination takes keys of a workspace: its own one's, or any.
pub fn takes(destination: &SecretDestination, workspace: WorkspaceId) -> bool {
    destination.workspace_id.is_none_or(|own| own == workspace)
}

/// Whether a text is the key of a service account of Google.
pub(crate) fn is_service_account(text: &str) -> bool {
    google::ServiceAccount::read(text).is_some()
}

/// Whether a secret can be read back from there.
pub const fn is_readable(destination: &SecretDestination) -> bool {
    match destination.settings {
        Settings::Webhook(_) | Settings::Command(_) => false,
        Settings::Vault(_)
        | Settings::Aws(_)
        | Settings::Kubernetes(_)
        | Settings::File(_)
        | Settings::Google(_)
        | Settings::Azure(_) => true,
    }
}

/// Writes a secret to an enabled destination. Done again with the same parcel, it changes nothing more.
pub async fn write(
    control: &Control,
    destination: &SecretDestination,
    parcel: &Parcel<'_>,
) -> Result<Delivered, DestinationError> {
    if !destination.enabled {
        return Err(DestinationError::Disabled);
    }
    let location = location(destination, &parcel.whose())?;
    in_time(write_at(control, destination, parcel, location.as_deref().unwrap_or_default())).await
}

/// The secret that a destination has for a key now. None: it has none, or cannot be read at all ([`is_readable`]).
pub async fn read(
    control: &Control,
    destination: &SecretDestination,
    whose: &Whose<'_>,
) -> Result<Option<Secret<String>>, DestinationError> {
    let location = location(destination, whose)?;
    in_time(read_at(control, destination, location.as_deref().unwrap_or_default())).await
}

async fn in_time<T>(work: impl Future<Output = Result<T, DestinationError>>) -> Result<T, DestinationError> {
    tokio::time::timeout(LONGEST, work).await.unwrap_or(Err(DestinationError::TooLong))
}

async fn write_at(
    control: &Control,
    destination: &SecretDestination,
    parcel: &Parcel<'_>,
    location: &str,
) -> Result<Delivered, DestinationError> {
    let desk = Desk::of(control, destination)?;
    match &destination.settings {
        Settings::Vault(vault) => vault::write(&desk, vault, location, parcel).await,
        Settings::Aws(aws) => aws::write(&desk, aws, location, parcel).await,
        Settings::Kubernetes(kubernetes) => kubernetes::write(&desk, kubernetes, location, parcel).await,
        Settings::File(_) => file::write(&control.destinations.folders, location, parcel).await,
        Settings::Webhook(webhook) => webhook::write(&desk, webhook, parcel).await,
        Settings::Command(command) => command::write(&desk, command, location, parcel).await,
        Settings::Google(google) => google::write(&desk, google, location, parcel).await,
        Settings::Azure(azure) => azure::write(&desk, azure, location, parcel).await,
    }
}

async fn read_at(
    control: &Control,
    destination: &SecretDestination,
    location: &str,
) -> Result<Option<Secret<String>>, DestinationError> {
    let desk = Desk::of(control, destination)?;
    match &destination.settings {
        Settings::Vault(vault) => vault::read(&desk, vault, location).await,
        Settings::Aws(aws) => aws::read(&desk, aws, location).await,
        Settings::Kubernetes(kubernetes) => kubernetes::read(&desk, kubernetes, location).await,
        Settings::File(_) => file::read(&control.destinations.folders, location).await,
        Settings::Webhook(_) | Settings::Command(_) => Ok(None),
        Settings::Google(google) => google::read(&desk, google, location).await,
        Settings::Azure(azure) => azure::read(&desk, azure, location).await,
    }
}

/// Takes away what a probe wrote; false where the kind cannot do that without leaving something worse.
async fn remove_at(
    control: &Control,
    destination: &SecretDestination,
    location: &str,
) -> Result<bool, DestinationError> {
    let desk = Desk::of(control, destination)?;
    match &destination.settings {
        Settings::Vault(vault) => vault::remove(&desk, vault, location).await?,
        Settings::Aws(aws) => aws::remove(&desk, aws, location).await?,
        Settings::Kubernetes(kubernetes) => kubernetes::remove(&desk, kubernetes, location).await?,
        Settings::File(_) => file::remove(&control.destinations.folders, location).await?,
        Settings::Google(google) => google::remove(&desk, google, location).await?,
        // What is deleted in a key vault keeps its name for weeks, and no other can be made under it.
        Settings::Azure(_) | Settings::Webhook(_) | Settings::Command(_) => return Ok(false),
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
