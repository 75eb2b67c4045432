//! `/v1/admin/users-invite`: invitations into the organization.

use super::roles::{raw, resolve};
use super::{Answer, Shared};
use crate::actions::{custom_roles, invitations};
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::intake::{Body, Named, Object};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::id::{InvitationId, WorkspaceId};
use louver_domain::roles::{MEMBER, RoleLevel};
use louver_mistral::admin::invites::{
    OrganizationInviteIN, OrganizationInvitesCreateOUT, OrganizationUserInviteOUT,
};
use louver_mistral::admin::users::DeleteOUT;
use louver_store::invitations::StoredInvitation;
use uuid::Uuid;

const MOST_ADDRESSES: usize = 1000;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/admin/users-invite", Action::ReadInvitations, list)
        .post("/v1/admin/users-invite", Action::SendInvitation, send)
        .delete("/v1/admin/users-invite/{invite_uuid}", Action::RevokeInvitation, revoke)
}

fn invite_out(stored: &StoredInvitation) -> OrganizationUserInviteOUT {
    let invitation = &stored.invitation;
    let (roles, role) = raw(&invitation.roles, MEMBER);
    let invite_uuid = Uuid::from_bytes(invitation.id.bytes());
    OrganizationUserInviteOUT { invite_uuid, email: Some(invitation.email.clone()), roles, role }
}

async fn list(State(control): Shared, context: Context, params: Params) -> Answer {
    params.done()?;
    let (all, _) = invitations::list(&control, &context).await?;
    Ok(reply::ok(&all.iter().map(invite_out).collect::<Vec<_>>()))
}

async fn send(
    State(control): Shared,
    context: Context,
    Body(Object(given)): Body<Object<OrganizationInviteIN>>,
) -> Answer {
    let mut emails: Vec<String> = given.emails().map(str::to_owned).collect();
    if emails.len() > MOST_ADDRESSES {
        return Err(ControlError::field("email", "at most 1,000 addresses at once"));
    }
    if emails.is_empty() {
        emails.push(given.email.clone());
    }
    let names = custom_roles::list(&control, &context).await?;
    let roles = resolve(&names, RoleLevel::Organization, given.asked_roles())?.unwrap_or_default();
    let mut workspaces: Vec<WorkspaceId> = vec![];
    for id in given.workspace_uuids.iter().flatten().map(|id| WorkspaceId::from_bytes(id.into_bytes())) {
        if !workspaces.contains(&id) {
            workspaces.push(id);
        }
    }
    let new = invitations::NewInvitations { emails, roles, workspaces };
    let invited = invitations::send(&control, &context, new).await?;
    Ok(reply::ok(&OrganizationInvitesCreateOUT {
        invalid_emails: invited.refused,
        already_members: invited.members,
        invited_members_count: u64::try_from(invited.sent.len()).ok(),
    }))
}

async fn revoke(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let id = InvitationId::parse(&id).ok_or(ControlError::NotFound)?;
    invitations::revoke(&control, &context, id).await?;
    Ok(reply::ok(&DeleteOUT { message: "Organization invitation deleted successfully".into() }))
}
