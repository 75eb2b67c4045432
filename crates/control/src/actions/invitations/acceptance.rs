//! An invitation is taken up: its link is good once, and makes whoever has it the person that was invited.

use crate::Control;
use crate::actions::users::NewUser;
use crate::actions::users::joining::Place;
use crate::actions::{Deed, commit_all};
use crate::api::invitations::Shown;
use crate::api::users::ShownMembership;
use crate::context::{Context, RequestContext};
use crate::error::ControlError;
use louver_domain::access::{Action, Actor, Identity, Rights, decide};
use louver_domain::invitations::Invitation;
use louver_domain::organizations::Organization;
use louver_domain::roles::{Roles, WORKSPACE_CONTRIBUTOR};
use louver_domain::tokens::{self, Purpose};
use louver_domain::users::{Membership, User};
use louver_store::{Tx, grants, invitations as store, users, workspaces};

/// What somebody who takes an invitation up tells of themselves.
#[derive(Clone, Debug, Default)]
pub struct Acceptance {
    /// The secret part of the link.
    pub token: String,
    /// The first name.
    pub first_name: Option<String>,
    /// The last name.
    pub last_name: Option<String>,
}

/// Makes the invited person a member. A link that is wrong, used, taken back or expired is not there.
pub async fn accept(
    control: &Control,
    origin: RequestContext,
    acceptance: Acceptance,
) -> Result<(User, Organization), ControlError> {
    let print = tokens::fingerprint(&control.pepper, Purpose::Invitation, &acceptance.token);
    let print = print.ok_or(ControlError::NotFound)?;
    // Looked up before the lock of deeds is taken, so that strangers cannot hold it.
    let seen = store::find_by_token(&control.store, &print).await?.ok_or(ControlError::NotFound)?;
    let (id, now) = (seen.invitation.organization_id, control.clock.now());
    // The link is the right to do this: nobody holds these permissions.
    let context = Context { origin: Some(origin), ..Context::system(id, now) };
    let mut tx = control.begin(&context).await?;
    let stored = store::load_by_token(&mut tx, &print).await?;
    let stored = stored.filter(|stored| !stored.invitation.is_expired(now)).ok_or(ControlError::NotFound)?;
    let invitation = &stored.invitation;
    let place = Place::load(control, &context, &mut tx).await?;
    must_still_hold(&context, &mut tx, invitation, &place.roles).await?;
    let permit = decide(&context.actor, Action::AcceptInvitation, id)?;
    store::delete(&mut tx, &permit, invitation.id).await?;
    let shown = Shown::of(&stored, &place.roles, now);
    let accepted = Deed::on(permit, invitation.id, &invitation.email).from(&shown)?;
    let permit = decide(&context.actor, Action::JoinOrganization, id)?;
    let new = NewUser {
        email: invitation.email.clone(),
        first_name: acceptance.first_name,
        last_name: acceptance.last_name,
        roles: invitation.roles.clone(),
        ..NewUser::default()
    };
    let (user, mut deeds) = place.join(&mut tx, permit, new).await?.ok_or(ControlError::NotFound)?;
    deeds.extend(become_member(&context, &mut tx, invitation, &user).await?);
    deeds.push(accepted);
    let organization = place.organization.clone();
    let identity = Identity::Person { id: user.id, email: user.email.clone() };
    let context = Context { actor: Actor::new(identity, id, Rights::default()), ..context.clone() };
    commit_all(control, &context, tx, deeds).await?;
    Ok((user, organization))
}

/// An invitation gives no more than the person who sent it could give now.
async fn must_still_hold(
    context: &Context,
    tx: &mut Tx,
    invitation: &Invitation,
    roles: &Roles,
) -> Result<(), ControlError> {
    let Some(id) = invitation.invited_by else { return Ok(()) };
    let organization = invitation.organization_id;
    let sender = users::load(tx, organization, id).await?.filter(|user| user.removed_at.is_none());
    let sender = sender.ok_or(ControlError::NotFound)?;
    let rights = Rights::of(Some(id), &grants::of(tx, &sender).await?, roles);
    let identity = Identity::Person { id, email: sender.email };
    let context = Context { actor: Actor::new(identity, organization, rights), ..context.clone() };
    let sends = decide(&context.actor, Action::SendInvitation, organization).is_ok();
    let gives = super::may_give(&context, roles, &invitation.roles, &invitation.workspaces).is_ok();
    if sends && gives { Ok(()) } else { Err(ControlError::NotFound) }
}

/// Memberships of the workspaces that are still open.
async fn become_member(
    context: &Context,
    tx: &mut Tx,
    invitation: &Invitation,
    user: &User,
) -> Result<Vec<Deed>, ControlError> {
    let mut deeds = vec![];
    for id in &invitation.workspaces {
        let workspace = workspaces::load(tx, user.organization_id, *id).await?;
        let Some(workspace) = workspace.filter(|found| found.archived_at.is_none()) else { continue };
        let permit = decide(&context.actor, Action::AddMember, user.organization_id)?;
        let membership = Membership {
            workspace_id: workspace.id,
            user_id: user.id,
            roles: vec![WORKSPACE_CONTRIBUTOR],
            model_role: None,
        };
        users::save_membership(tx, &permit, &membership).await?;
        let deed = Deed::on(permit, workspace.id, &workspace.name).inside(workspace.id);
        deeds.push(deed.to(&ShownMembership::of(&membership))?);
    }
    Ok(deeds)
}
