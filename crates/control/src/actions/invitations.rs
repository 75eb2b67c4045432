//! Invitations: sent, sent anew, taken back, and taken up by whoever holds the link.

pub mod acceptance;

use super::{Deed, commit, commit_all, names};
use crate::Control;
use crate::actions::users::joining::Place;
use crate::api::invitations::Shown;
use crate::context::Context;
use crate::delivery::mail::is_address;
use crate::error::ControlError;
use louver_domain::access::{Action, Actor, Permit, Resource, decide, may_grant};
use louver_domain::deliveries::DeliveryState;
use louver_domain::id::{InvitationId, OrganizationId, RoleId, WorkspaceId};
use louver_domain::invitations::{Invitation, LIFETIME_DAYS};
use louver_domain::roles::{MEMBER, Roles, WORKSPACE_CONTRIBUTOR};
use louver_domain::secret::Secret;
use louver_domain::tokens::{self, Purpose};
use louver_domain::users::User;
use louver_store::invitations::{self as store, InvitationMail, StoredInvitation};
use louver_store::seal::Place as Sealed;
use louver_store::{Tx, custom_roles, users, workspaces};
use std::collections::BTreeSet;

const DAY_SECONDS: i64 = 86_400;

/// Who is invited, and to what.
#[derive(Clone, Debug, Default)]
pub struct NewInvitations {
    /// The mail addresses as they were given.
    pub emails: Vec<String>,
    /// The roles in the organization; none is `member`.
    pub roles: Vec<RoleId>,
    /// The workspaces they will be members of.
    pub workspaces: Vec<WorkspaceId>,
}

/// What became of invitations.
#[derive(Clone, Debug, Default)]
pub struct Invited {
    /// Those that were sent, or sent anew.
    pub sent: Vec<Invitation>,
    /// What is no mail address.
    pub refused: Vec<String>,
    /// The addresses of people who are members already.
    pub members: Vec<String>,
}

/// The invitations of the caller's organization by mail address, and its roles to name theirs.
pub async fn list(
    control: &Control,
    context: &Context,
) -> Result<(Vec<StoredInvitation>, Roles), ControlError> {
    decide(&context.actor, Action::ReadInvitations, context.organization_id())?;
    let all = store::list(&control.store, context.organization_id()).await?;
    Ok((all, custom_roles::list(&control.store, context.organization_id()).await?))
}

/// Invites people. Who was invited before gets a new link, and the old one is worth nothing.
pub async fn send(
    control: &Control,
    context: &Context,
    new: NewInvitations,
) -> Result<Invited, ControlError> {
    let permit = decide(&context.actor, Action::SendInvitation, context.organization_id())?;
    let mut tx = control.begin(context).await?;
    let place = Place::load(control, context, &mut tx).await?;
    let roles = if new.roles.is_empty() { vec![MEMBER] } else { new.roles };
    may_give(context, &place.roles, &roles, &new.workspaces)?;
    must_be_open(&mut tx, context.organization_id(), &new.workspaces).await?;
    let (mut invited, mut deeds, mut seen) = (Invited::default(), vec![], BTreeSet::new());
    for given in new.emails {
        let Some(email) = names::read_email("email", &given).ok().filter(|email| is_address(email)) else {
            invited.refused.push(given);
            continue;
        };
        if !seen.insert(email.clone()) {
            continue;
        }
        let known = users::load_by_email(&mut tx, context.organization_id(), &email).await?;
        if known.is_some_and(|user| user.removed_at.is_none()) {
            invited.members.push(given);
            continue;
        }
        let draft = (email, roles.clone(), new.workspaces.clone());
        let (invitation, deed) = invite(control, context, &mut tx, permit, &place.roles, draft).await?;
        invited.sent.push(invitation);
        deeds.push(deed);
    }
    if !deeds.is_empty() {
        commit_all(control, context, tx, deeds).await?;
        control.outbound.wake();
    }
    Ok(invited)
}

/// Refuses an invitation to what the actor could not give to somebody themselves.
fn may_give(
    context: &Context,
    names: &Roles,
    roles: &[RoleId],
    workspaces: &[WorkspaceId],
) -> Result<(), ControlError> {
    may_grant(&context.actor, None, names.actions(roles), None)?;
    for id in workspaces {
        let resource = Resource::workspace(context.organization_id(), *id);
        decide(&context.actor, Action::AddMember, resource)?;
        may_grant(&context.actor, None, names.actions(&[WORKSPACE_CONTRIBUTOR]), Some(*id))?;
    }
    Ok(())
}

async fn must_be_open(
    tx: &mut Tx,
    organization: OrganizationId,
    ids: &[WorkspaceId],
) -> Result<(), ControlError> {
    for id in ids {
        let gone = || ControlError::NotHere(format!("there is no workspace {id}"));
        let workspace = workspaces::load(tx, organization, *id).await?.ok_or_else(gone)?;
        if workspace.archived_at.is_some() {
            return Err(ControlError::Conflict(format!("the workspace {id} is archived")));
        }
    }
    Ok(())
}

async fn invite(
    control: &Control,
    context: &Context,
    tx: &mut Tx,
    permit: Permit,
    names: &Roles,
    (email, roles, workspaces): (String, Vec<RoleId>, Vec<WorkspaceId>),
) -> Result<(Invitation, Deed), ControlError> {
    let organization_id = context.organization_id();
    let before = store::load_by_email(tx, organization_id, &email).await?;
    let permit = match &before {
        Some(before) => {
            let permit = decide(&context.actor, Action::ResendInvitation, organization_id)?;
            may_give(context, names, &before.invitation.roles, &before.invitation.workspaces)?;
            store::delete(tx, &permit, before.invitation.id).await?;
            permit
        }
        None => permit,
    };
    let token = tokens::mint(&*control.entropy);
    let fresh = || InvitationId::new(context.now, &*control.entropy);
    let invitation = Invitation {
        id: before.as_ref().map_or_else(fresh, |before| before.invitation.id),
        organization_id,
        email,
        roles,
        workspaces,
        invited_by: context.actor.user_id(),
        fingerprint: tokens::fingerprint(&control.pepper, Purpose::Invitation, token.expose())
            .unwrap_or_default(),
        created_at: context.now,
        expires_at: context.now.plus_seconds(LIFETIME_DAYS.saturating_mul(DAY_SECONDS)),
    };
    let sealed = Sealed::invitation(invitation.id, organization_id);
    let stored = StoredInvitation {
        sealed_token: control.master.seal(&sealed, &token, &*control.entropy)?,
        mail: control.outbound.mailer.as_ref().map(|_| InvitationMail::due(context.now)),
        invitation,
    };
    store::insert(tx, &permit, &stored).await?;
    let invitation = stored.invitation.clone();
    let mut deed = Deed::on(permit, invitation.id, &invitation.email);
    if let Some(before) = &before {
        deed = deed.from(&Shown::of(before, names, context.now))?;
    }
    Ok((invitation, deed.to(&Shown::of(&stored, names, context.now))?))
}

/// Takes back what a person sent who is leaving, within that deed: it needs no permission of its own.
pub(crate) async fn revoke_of(
    tx: &mut Tx,
    context: &Context,
    user: &User,
    names: &Roles,
) -> Result<Vec<Deed>, ControlError> {
    let organization = context.organization_id();
    let permit = decide(&Actor::system(organization), Action::RevokeInvitation, organization)?;
    let mut deeds = vec![];
    for stored in store::load_sent_by(tx, organization, user.id).await? {
        store::delete(tx, &permit, stored.invitation.id).await?;
        let deed = Deed::on(permit, stored.invitation.id, &stored.invitation.email);
        deeds.push(deed.from(&Shown::of(&stored, names, context.now))?);
    }
    Ok(deeds)
}

/// Takes an invitation back.
pub async fn revoke(control: &Control, context: &Context, id: InvitationId) -> Result<(), ControlError> {
    let mut tx = control.begin(context).await?;
    let stored = store::load(&mut tx, context.organization_id(), id).await?.ok_or(ControlError::NotFound)?;
    let permit = decide(&context.actor, Action::RevokeInvitation, stored.invitation.organization_id)?;
    let names = custom_roles::load(&mut tx, context.organization_id()).await?;
    store::delete(&mut tx, &permit, id).await?;
    let deed = Deed::on(permit, id, &stored.invitation.email);
    commit(control, context, tx, deed.from(&Shown::of(&stored, &names, context.now))?).await
}

/// The link of an invitation, while no mail carries it: for those who could send it themselves, since whoever has it may
/// take it up.
pub fn link(
    control: &Control,
    context: &Context,
    names: &Roles,
    stored: &StoredInvitation,
) -> Result<Option<Secret<String>>, ControlError> {
    let invitation = &stored.invitation;
    let carried = stored.mail.as_ref().is_some_and(|mail| match mail.state {
        DeliveryState::Delivered => true,
        DeliveryState::Pending => mail.error.is_none() && control.outbound.mailer.is_some(),
        DeliveryState::Failed => false,
    });
    let may_send = decide(&context.actor, Action::SendInvitation, invitation.organization_id).is_ok()
        && may_give(context, names, &invitation.roles, &invitation.workspaces).is_ok();
    if carried || !may_send || invitation.is_expired(context.now) {
        return Ok(None);
    }
    address(control, stored).map(Some)
}

/// The address that takes the invitation up.
pub(crate) fn address(control: &Control, stored: &StoredInvitation) -> Result<Secret<String>, ControlError> {
    let sealed = Sealed::invitation(stored.invitation.id, stored.invitation.organization_id);
    let token = control.master.open(&sealed, &stored.sealed_token)?;
    Ok(Secret::new(format!("{}/invitations/{}", control.outbound.public_url(), token.expose())))
}
