//! Destinations of secrets: made, changed, tried out, removed; their credentials are sealed, and go nowhere but there.

mod rules;

use super::{Deed, commit, names};
use crate::Control;
use crate::api::secret_destinations::Shown;
use crate::context::Context;
use crate::destinations::{Probed, probe};
use crate::error::ControlError;
use louver_domain::access::{Action, Denied, Permit, Resource, decide};
use louver_domain::alert_channels::SigningSecret;
use louver_domain::id::{SecretDestinationId, WorkspaceId};
use louver_domain::secret::Secret;
use louver_domain::secret_destinations::DestinationKind;
use louver_store::rotation_policies::{self, SetPolicy};
use louver_store::secret_destinations as store;
pub use louver_store::secret_destinations::SecretDestination;
use louver_store::{StoreError, Tx, rotations, workspaces};
use serde_json::Value;
use std::collections::BTreeMap;

/// The most destinations of an organization.
const MOST: usize = 200;
/// For a probe of an organization's destination, which belongs to no workspace.
const NO_WORKSPACE: &str = "probe";

/// A destination to be made.
pub struct NewDestination {
    /// A name for people, new in the organization.
    pub name: String,
    /// The one workspace whose keys it takes; none is any.
    pub workspace_id: Option<WorkspaceId>,
    /// What it is.
    pub kind: DestinationKind,
    /// Its settings, in the shape of its kind.
    pub settings: Value,
    /// Its credentials by name.
    pub credentials: BTreeMap<String, Secret<String>>,
    /// Whether secrets are written there.
    pub enabled: bool,
}

/// A partial change. Settings and credentials are each replaced as a whole.
#[derive(Default)]
pub struct DestinationPatch {
    /// A new name.
    pub name: Option<String>,
    /// Other settings.
    pub settings: Option<Value>,
    /// Other credentials.
    pub credentials: Option<BTreeMap<String, Secret<String>>>,
    /// Whether secrets are written there.
    pub enabled: Option<bool>,
}

/// A destination just made, with the signing secret when Louver made that.
pub struct Made {
    /// The destination.
    pub destination: SecretDestination,
    /// Shown this once.
    pub secret: Option<Secret<String>>,
}

fn place(context: &Context, workspace: Option<WorkspaceId>) -> Resource {
    let organization = context.organization_id();
    workspace.map_or(Resource::organization(organization), |id| Resource::workspace(organization, id))
}

/// What is acted on. Files and commands belong to the machine that all workspaces share, so that only who may do it in the
/// whole organization may have one.
fn resource(context: &Context, workspace: Option<WorkspaceId>, kind: DestinationKind) -> Resource {
    place(context, workspace.filter(|_| !kind.is_local()))
}

/// The destinations that the caller sees, by name.
pub async fn list(control: &Control, context: &Context) -> Result<Vec<SecretDestination>, ControlError> {
    let mut all = store::list(&control.store, context.organization_id()).await?;
    if let Some(seen) = context.actor.workspaces_with(Action::ReadSecretDestinations) {
        all.retain(|destination| destination.workspace_id.is_some_and(|id| seen.contains(&id)));
    }
    Ok(all)
}

/// One of them.
pub async fn get(
    control: &Control,
    context: &Context,
    id: SecretDestinationId,
) -> Result<SecretDestination, ControlError> {
    let found = store::get(&control.store, context.organization_id(), id).await?;
    let destination = found.ok_or(ControlError::NotFound)?;
    decide(&context.actor, Action::ReadSecretDestinations, place(context, destination.workspace_id))?;
    Ok(destination)
}

/// Makes a destination.
pub async fn create(control: &Control, context: &Context, new: NewDestination) -> Result<Made, ControlError> {
    let nowhere = || ControlError::field("workspace_id", "names no active workspace");
    let resource = resource(context, new.workspace_id, new.kind);
    let permit = match decide(&context.actor, Action::CreateSecretDestination, resource) {
        Err(Denied::Unseen) => return Err(nowhere().concealing()),
        decided => decided?,
    };
    let mut credentials = new.credentials;
    let made = sign_with_new_secret(control, new.kind, &mut credentials);
    let credentials = rules::credentials(new.kind, credentials)?;
    let mut destination = SecretDestination {
        id: SecretDestinationId::new(context.now, &*control.entropy),
        organization_id: context.organization_id(),
        workspace_id: new.workspace_id,
        name: names::read("name", &new.name)?,
        settings: rules::settings(control, new.kind, new.settings)?,
        credential_names: vec![],
        sealed_credentials: None,
        enabled: new.enabled,
        created_at: context.now,
    };
    credentials.seal(&control.master, &mut destination, &*control.entropy)?;
    let mut tx = control.begin(context).await?;
    if let Some(id) = new.workspace_id {
        let found = workspaces::load(&mut tx, context.organization_id(), id).await?;
        found.filter(|workspace| workspace.archived_at.is_none()).ok_or_else(nowhere)?;
    }
    if store::list(&control.store, context.organization_id()).await?.len() >= MOST {
        return Err(ControlError::Conflict("there are 200 destinations already".into()));
    }
    store::insert(&mut tx, &permit, &destination).await.map_err(taken)?;
    commit(control, context, tx, deed(permit, &destination).to(&Shown::of(&destination)?)?).await?;
    Ok(Made { destination, secret: made })
}

/// A webhook without a signing secret gets one.
fn sign_with_new_secret(
    control: &Control,
    kind: DestinationKind,
    credentials: &mut BTreeMap<String, Secret<String>>,
) -> Option<Secret<String>> {
    if kind != DestinationKind::Webhook || !credentials.is_empty() {
        return None;
    }
    let secret = SigningSecret::generate(&*control.entropy).text();
    credentials.insert("secret".into(), secret.clone());
    Some(secret)
}

/// Changes a destination. Where its credentials would go elsewhere, they must be given anew.
pub async fn update(
    control: &Control,
    context: &Context,
    id: SecretDestinationId,
    patch: DestinationPatch,
) -> Result<SecretDestination, ControlError> {
    let mut tx = control.begin(context).await?;
    let (permit, mut destination) = load(&mut tx, context, id, Action::UpdateSecretDestination).await?;
    let before = Shown::of(&destination)?;
    context.must_match(control, &before)?;
    if let Some(name) = patch.name {
        destination.name = names::read("name", &name)?;
    }
    let kind = destination.settings.kind();
    if let Some(settings) = patch.settings {
        let settings = rules::settings(control, kind, settings)?;
        let elsewhere = settings.aim() != destination.settings.aim();
        if elsewhere && patch.credentials.is_none() && !destination.credential_names.is_empty() {
            let message = "must be given anew, as the settings would send them elsewhere";
            return Err(ControlError::field("credentials", message));
        }
        destination.settings = settings;
    }
    let mut replaced: &[&str] = &[];
    if let Some(credentials) = patch.credentials {
        let credentials = rules::credentials(kind, credentials)?;
        credentials.seal(&control.master, &mut destination, &*control.entropy)?;
        replaced = &["credentials"];
    }
    destination.enabled = patch.enabled.unwrap_or(destination.enabled);
    store::save(&mut tx, &permit, &destination).await.map_err(taken)?;
    let deed = deed(permit, &destination).from(&before)?;
    let deed = deed.after_replacing(&Shown::of(&destination)?, replaced)?;
    commit(control, context, tx, deed).await?;
    Ok(destination)
}

/// Removes a destination; what was written there stays there.
pub async fn delete(
    control: &Control,
    context: &Context,
    id: SecretDestinationId,
) -> Result<(), ControlError> {
    let mut tx = control.begin(context).await?;
    let (permit, destination) = load(&mut tx, context, id, Action::DeleteSecretDestination).await?;
    must_be_unused(&mut tx, context, id).await?;
    store::delete(&mut tx, &permit, id).await?;
    commit(control, context, tx, deed(permit, &destination).from(&Shown::of(&destination)?)?).await
}

/// A rotation or a policy that names a destination would wait for it for ever.
async fn must_be_unused(tx: &mut Tx, context: &Context, id: SecretDestinationId) -> Result<(), ControlError> {
    let organization = context.organization_id();
    let policies = rotation_policies::load_all(tx, organization).await?;
    let named = |set: &SetPolicy| set.policy.destinations.iter().flatten().any(|one| *one == id);
    if policies.iter().any(named) {
        return Err(ControlError::Conflict("a rotation policy names it: take it out of there first".into()));
    }
    let live = rotations::load_live(tx, organization).await?;
    match live.iter().find(|rotation| rotation.plan.destinations.contains(&id)) {
        Some(rotation) => {
            let sentence =
                format!("the rotation {} writes to it: wait for its end, or call it off", rotation.id);
            Err(ControlError::Conflict(sentence))
        }
        None => Ok(()),
    }
}

/// Tries a destination out. The deed stands in the audit log before anything leaves, and no transaction waits for the
/// answer.
pub async fn test(
    control: &Control,
    context: &Context,
    id: SecretDestinationId,
) -> Result<Probed, ControlError> {
    let mut tx = control.begin(context).await?;
    let (permit, destination) = load(&mut tx, context, id, Action::TestSecretDestination).await?;
    let workspace = match destination.workspace_id {
        Some(id) => workspaces::load(&mut tx, context.organization_id(), id).await?,
        None => None,
    };
    commit(control, context, tx, deed(permit, &destination)).await?;
    let workspace = workspace.map_or_else(|| NO_WORKSPACE.to_owned(), |workspace| workspace.name);
    Ok(probe(control, &destination, &workspace).await)
}

async fn load(
    tx: &mut Tx,
    context: &Context,
    id: SecretDestinationId,
    action: Action,
) -> Result<(Permit, SecretDestination), ControlError> {
    let found = store::load(tx, context.organization_id(), id).await?;
    let destination = found.ok_or(ControlError::NotFound)?;
    // Who may not know of its workspace may not know of it either, whatever it is.
    decide(&context.actor, Action::ReadSecretDestinations, place(context, destination.workspace_id))?;
    let resource = resource(context, destination.workspace_id, destination.settings.kind());
    Ok((decide(&context.actor, action, resource)?, destination))
}

fn deed(permit: Permit, destination: &SecretDestination) -> Deed {
    let deed = Deed::on(permit, destination.id, &destination.name);
    match destination.workspace_id {
        Some(id) => deed.inside(id),
        None => deed,
    }
}

fn taken(error: StoreError) -> ControlError {
    ControlError::or_taken(error, "a destination of that name exists already")
}
