//! How a person comes into the organization: added by an admin, or by an invitation; who was there before comes back.

use super::NewUser;
use crate::Control;
use crate::actions::{Deed, limits, names};
use crate::api::invitations::Shown as ShownInvitation;
use crate::api::users::Shown;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, Actor, Permit, decide, may_grant};
use louver_domain::budgets::Scope;
use louver_domain::folding::composed;
use louver_domain::id::{RoleId, UserId};
use louver_domain::limits::Level;
use louver_domain::organizations::Organization;
use louver_domain::roles::{MEMBER, Roles};
use louver_domain::users::User;
use louver_store::{Tx, custom_roles, invitations, ledger, organizations, users};

/// What people join, as it is within a deed.
pub(crate) struct Place<'a> {
    control: &'a Control,
    context: &'a Context,
    pub(crate) organization: Organization,
    pub(crate) roles: Roles,
}

impl<'a> Place<'a> {
    pub(crate) async fn load(
        control: &'a Control,
        context: &'a Context,
        tx: &mut Tx,
    ) -> Result<Self, ControlError> {
        let id = context.organization_id();
        let organization = organizations::load(tx, id).await?.ok_or(ControlError::NotFound)?;
        let roles = custom_roles::load(tx, id).await?;
        Ok(Self { control, context, organization, roles })
    }

    /// Refuses roles of the organization that the actor may not give to somebody new.
    pub(crate) fn may_give(&self, roles: &[RoleId]) -> Result<(), ControlError> {
        Ok(may_grant(&self.context.actor, None, self.roles.actions(roles), None)?)
    }

    /// Makes somebody a member; `None` when they are one already. The mail address is in small letters.
    pub(crate) async fn join(
        &self,
        tx: &mut Tx,
        permit: Permit,
        new: NewUser,
    ) -> Result<Option<(User, Vec<Deed>)>, ControlError> {
        let new = NewUser {
            first_name: new.first_name.as_deref().map(composed),
            last_name: new.last_name.as_deref().map(composed),
            name: new.name.as_deref().map(composed),
            ..new
        };
        self.check(tx, &new).await?;
        let known = users::load_by_email(tx, self.organization.id, &new.email).await?;
        let user = match known {
            Some(known) if known.removed_at.is_none() => return Ok(None),
            Some(known) => {
                let before = known.limits.clone();
                let user = User { id: known.id, ..self.user(new) };
                users::save(tx, &permit, &user).await?;
                let scope = Scope::of(Level::User, user.id.bytes());
                ledger::reopen(tx, &scope, &before, &user.limits).await?;
                user
            }
            None => {
                let user = self.user(new);
                users::insert(tx, &permit, &user).await?;
                user
            }
        };
        let mut deeds = vec![Deed::on(permit, user.id, &user.email).to(&Shown::of(&user, &self.roles))?];
        deeds.extend(self.take_back_invitation(tx, &user.email).await?);
        Ok(Some((user, deeds)))
    }

    async fn check(&self, tx: &mut Tx, new: &NewUser) -> Result<(), ControlError> {
        let parts = [("first_name", &new.first_name), ("last_name", &new.last_name)];
        for (field, name) in parts {
            name.as_ref().map_or(Ok(()), |name| names::check(field, name))?;
        }
        // A name that was put together of the parts may be longer than a single one.
        if let (Some(name), None, None) = (&new.name, &new.first_name, &new.last_name) {
            names::check("name", name)?;
        }
        limits::check(tx, &new.limits, &[("organization", &self.organization.limits)], limits::nested).await
    }

    fn user(&self, new: NewUser) -> User {
        let parts: Vec<&str> =
            [&new.first_name, &new.last_name].into_iter().flatten().map(String::as_str).collect();
        let whole = Some(parts.join(" ")).filter(|name| !name.is_empty());
        let now = self.context.now;
        User {
            id: UserId::new(now, &*self.control.entropy),
            organization_id: self.organization.id,
            email: new.email,
            name: new.name.or(whole),
            first_name: new.first_name,
            last_name: new.last_name,
            roles: if new.roles.is_empty() { vec![MEMBER] } else { new.roles },
            limits: new.limits,
            created_at: now,
            removed_at: None,
        }
    }

    /// An invitation of somebody who is a member by now would lead nowhere.
    async fn take_back_invitation(&self, tx: &mut Tx, email: &str) -> Result<Option<Deed>, ControlError> {
        let organization = self.organization.id;
        let Some(stored) = invitations::load_by_email(tx, organization, email).await? else {
            return Ok(None);
        };
        let permit = decide(&Actor::system(organization), Action::RevokeInvitation, organization)?;
        invitations::delete(tx, &permit, stored.invitation.id).await?;
        let shown = ShownInvitation::of(&stored, &self.roles, self.context.now);
        Ok(Some(Deed::on(permit, stored.invitation.id, email).from(&shown)?))
    }
}
