//! All the rules at one revision, read in one transaction: what a gateway decides by.

use crate::db::Store;
use crate::error::StoreError;
use crate::models::PricedModel;
use crate::upstreams::Upstream;
use crate::{keys, model_roles, models, organizations, revision, upstreams, users, workspaces};
use louver_domain::id::OrganizationId;
use louver_domain::keys::ApiKey;
use louver_domain::model_roles::ModelRole;
use louver_domain::organizations::Organization;
use louver_domain::users::{Membership, ServiceAccount, User};
use louver_domain::workspaces::Workspace;

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
    /// Who has which model role where.
    pub memberships: Vec<Membership>,
    /// Model roles.
    pub roles: Vec<(OrganizationId, ModelRole)>,
    /// The catalogue.
    pub models: Vec<PricedModel>,
    /// Keys that are not revoked.
    pub keys: Vec<ApiKey>,
    /// Upstream credentials, sealed.
    pub upstreams: Vec<Upstream>,
}

/// Reads the rules, all of one revision.
pub async fn load(store: &Store) -> Result<Rules, StoreError> {
    let mut tx = store.begin_read().await?;
    let rules = Rules {
        revision: revision::seen(&mut tx).await?,
        organizations: organizations::all(&mut tx).await?,
        workspaces: workspaces::all(&mut tx).await?,
        users: users::all(&mut tx).await?,
        service_accounts: users::all_accounts(&mut tx).await?,
        memberships: users::all_memberships(&mut tx).await?,
        roles: model_roles::all(&mut tx).await?,
        models: models::load(&mut tx).await?,
        keys: keys::all_live(&mut tx).await?,
        upstreams: upstreams::all(&mut tx).await?,
    };
    tx.commit_plain().await?;
    Ok(rules)
}
