//! All the rules at one revision, read in one transaction: what a gateway decides by.

use crate::db::{Store, Tx};
use crate::error::StoreError;
use crate::models::PriceList;
use crate::upstreams::Upstream;
use crate::{
    groups, keys, model_roles, model_sightings, models, old_secrets, organizations, revision,
    service_accounts, upstreams, users, workspaces,
};
use louver_domain::id::{KeyId, OrganizationId, UserId, WorkspaceId};
use louver_domain::keys::ApiKey;
use louver_domain::model_roles::ModelRole;
use louver_domain::models::Catalogue;
use louver_domain::old_secrets::OldSecret;
use louver_domain::organizations::Organization;
use louver_domain::users::{ServiceAccount, User};
use louver_domain::workspaces::Workspace;
use std::collections::HashMap;

/// The model roles of people, by workspace and person.
pub type MemberRoles = HashMap<(WorkspaceId, UserId), String>;

/// The rules as stored.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The revision they belong to.
    pub revision: i64,
    /// Organizations.
    pub organizations: Vec<Organization>,
    /// Workspaces, archived ones too.
    pub workspaces: Vec<Workspace>,
    /// People.
    pub users: Vec<User>,
    /// Service accounts.
    pub service_accounts: Vec<ServiceAccount>,
    /// Who has which model role where, by themselves or through groups.
    pub member_roles: MemberRoles,
    /// Model roles.
    pub roles: Vec<(OrganizationId, ModelRole)>,
    /// What has a price: the catalogue, and tools.
    pub prices: PriceList,
    /// Aliases that upstream gave to other models, and that nobody has looked at.
    pub quarantined: Vec<String>,
    /// Keys that are not revoked.
    pub keys: Vec<ApiKey>,
    /// Secrets that keys had before, and that still work.
    pub old_secrets: Vec<(KeyId, OldSecret)>,
    /// Upstream credentials, sealed.
    pub upstreams: Vec<Upstream>,
}

impl Rules {
    /// The catalogue as calls meet it.
    pub fn catalogue(&self) -> Catalogue {
        let models = self.prices.models.iter().map(|entry| entry.model.clone()).collect();
        Catalogue::new(models).without_calls_by(self.quarantined.iter().cloned())
    }
}

/// Reads the rules, all of one revision.
pub async fn load(store: &Store) -> Result<Rules, StoreError> {
    let mut tx = store.begin_read().await?;
    let organizations = organizations::all(&mut tx).await?;
    let member_roles = member_roles(&mut tx, &organizations).await?;
    let rules = Rules {
        revision: revision::seen(&mut tx).await?,
        organizations,
        workspaces: workspaces::all(&mut tx).await?,
        users: users::all(&mut tx).await?,
        service_accounts: service_accounts::all(&mut tx).await?,
        member_roles,
        roles: model_roles::all(&mut tx).await?,
        prices: models::load(&mut tx).await?,
        quarantined: model_sightings::quarantined(&mut tx).await?,
        keys: keys::all_live(&mut tx).await?,
        old_secrets: old_secrets::all(&mut tx).await?,
        upstreams: upstreams::all(&mut tx).await?,
    };
    tx.commit_plain().await?;
    Ok(rules)
}

/// A person's own model role in a workspace, else that of the oldest group through which the person is in it.
async fn member_roles(tx: &mut Tx, organizations: &[Organization]) -> Result<MemberRoles, StoreError> {
    let mut roles = MemberRoles::new();
    for membership in users::all_memberships(tx).await? {
        if let Some(role) = membership.model_role {
            roles.insert((membership.workspace_id, membership.user_id), role);
        }
    }
    for organization in organizations {
        add_through_groups(tx, organization.id, &mut roles).await?;
    }
    Ok(roles)
}

async fn add_through_groups(
    tx: &mut Tx,
    organization: OrganizationId,
    roles: &mut MemberRoles,
) -> Result<(), StoreError> {
    // Ids are made in the order of time: sorted by id, the oldest group comes first.
    let places = groups::all_workspaces(tx, organization).await?;
    if places.iter().all(|place| place.model_role.is_none()) {
        return Ok(());
    }
    let nesting = groups::nesting(tx, organization).await?;
    let members = groups::all_members(tx, organization).await?;
    let reached: Vec<_> =
        members.iter().map(|(group, user)| (nesting.reached_from([*group]), *user)).collect();
    for place in &places {
        let Some(role) = &place.model_role else { continue };
        for (_, user) in reached.iter().filter(|(groups, _)| groups.contains(&place.group_id)) {
            roles.entry((place.workspace_id, *user)).or_insert_with(|| role.clone());
        }
    }
    Ok(())
}
