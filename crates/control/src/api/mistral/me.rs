//! `/v1/users/me`: what an API key may know of itself.

use super::paging::{nullable, whole};
use super::{Answer, Shared};
use crate::actions::identity::{self, Holder};
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::key_holder::KeyHolder;
use crate::reply;
use crate::routes::{Access, Routes};
use axum::extract::State;
use http::Method;
use louver_domain::id::OrganizationId;
use louver_mistral::admin;
use louver_mistral::admin::me::{
    ListOrganizationsResponse, ListWorkspacesResponse, UserIdentity, UserIdentityApiKey,
    UserIdentityOrganization, UserIdentityWorkspace, UserOrganization, UserWorkspace,
};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route(Method::GET, "/v1/users/me", Access::ApiKey, me)
        .route(Method::GET, "/v1/users/me/organizations", Access::ApiKey, organizations)
        .route(Method::GET, "/v1/users/me/workspaces", Access::ApiKey, workspaces)
}

/// A key that is nobody's own stands for itself.
async fn me(State(control): Shared, caller: KeyHolder, params: Params) -> Answer {
    params.done()?;
    let organization = identity::organization(&control, &caller).await?;
    let (id, email, first_name, last_name) = match identity::holder(&control, &caller).await? {
        Holder::Person(user) => (user.id.to_string(), Some(user.email), user.first_name, user.last_name),
        Holder::Account(account) => (account.id.to_string(), None, Some(account.name), None),
        Holder::Key => (caller.key.id.to_string(), None, None, None),
    };
    let (key, workspace) = (caller.key, caller.workspace);
    Ok(reply::ok(&UserIdentity {
        id,
        email,
        first_name,
        last_name,
        workspace: Some(UserIdentityWorkspace { id: workspace.id.to_string(), name: workspace.name }),
        organization: Some(UserIdentityOrganization {
            id: organization.id.to_string(),
            name: organization.name,
        }),
        api_key: Some(UserIdentityApiKey { id: key.id.to_string(), name: Some(key.name) }),
    }))
}

/// A part of a list.
struct Cut {
    offset: usize,
    limit: usize,
}

impl Cut {
    fn read(params: &mut Params) -> Result<Self, ControlError> {
        let offset = whole(params, "offset")?.unwrap_or(0);
        let offset = u64::try_from(offset);
        let offset = offset.map_err(|_| ControlError::parameter("offset", "must be 0 or more"))?;
        let limit = whole(params, "limit")?.map_or(Some(admin::ME_LIMIT), |n| u64::try_from(n).ok());
        let limit = limit.filter(|limit| (1..=admin::ME_LIMIT).contains(limit));
        let limit = limit.ok_or_else(|| ControlError::parameter("limit", "must be from 1 to 100"))?;
        let size = |number| usize::try_from(number).unwrap_or(usize::MAX);
        Ok(Self { offset: size(offset), limit: size(limit) })
    }

    fn of<T>(&self, all: impl IntoIterator<Item = T>) -> Vec<T> {
        all.into_iter().skip(self.offset).take(self.limit).collect()
    }
}

async fn organizations(State(control): Shared, caller: KeyHolder, mut params: Params) -> Answer {
    let cut = Cut::read(&mut params)?;
    params.done()?;
    identity::holder(&control, &caller).await?;
    let one = identity::organization(&control, &caller).await?;
    let organizations = cut.of([UserOrganization { id: one.id.to_string(), name: one.name }]);
    Ok(reply::ok(&ListOrganizationsResponse { organizations }))
}

async fn workspaces(State(control): Shared, caller: KeyHolder, mut params: Params) -> Answer {
    let cut = Cut::read(&mut params)?;
    let asked = nullable(&mut params, "organization_id")?.map(|text| {
        OrganizationId::parse(&text)
            .ok_or_else(|| ControlError::parameter("organization_id", "expected a UUID"))
    });
    params.done()?;
    let asked = asked.transpose()?;
    let mut all = identity::workspaces_of(&control, &caller).await?;
    all.retain(|workspace| asked.is_none_or(|id| workspace.organization_id == id));
    let shown = all.into_iter().map(|workspace| UserWorkspace {
        id: workspace.id.to_string(),
        name: workspace.name,
        organization_id: workspace.organization_id.to_string(),
    });
    Ok(reply::ok(&ListWorkspacesResponse { workspaces: cut.of(shown) }))
}
