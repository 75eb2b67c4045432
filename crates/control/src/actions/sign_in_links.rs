//! Links that sign somebody in once: made in a terminal or by an admin, and taken up in a browser.

use super::sign_in::{Opened, Visitor, begin_session, commit_as};
use super::{Deed, commit, commit_all, names};
use crate::Control;
use crate::actions::users::NewUser;
use crate::actions::users::joining::Place;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, Actor, Identity, Rights, decide, may_grant};
use louver_domain::id::{SignInLinkId, UserId};
use louver_domain::roles::ORGANIZATION_ADMIN;
use louver_domain::secret::Secret;
use louver_domain::sign_in_links::SignInLink;
use louver_domain::time::Timestamp;
use louver_domain::tokens::{self, Purpose};
use louver_store::{
    Tx, custom_roles, grants, passwords, second_factors, sessions, sign_in_links as store, users,
};
use serde_json::json;

/// A link just made: the only moment its token exists in Louver.
pub struct Made {
    /// What stands at the end of the link.
    pub token: Secret<String>,
    /// From when on it is refused.
    pub expires_at: Timestamp,
}

/// Makes a link that signs a person in, good for so many seconds. Whoever makes it must hold all that the person holds. It
/// replaces the person's earlier links. Without a person it makes the organization's first admin; only the program itself
/// may make that one.
pub async fn make(
    control: &Control,
    context: &Context,
    user: Option<UserId>,
    seconds: i64,
) -> Result<Made, ControlError> {
    let organization_id = context.organization_id();
    let permit = decide(&context.actor, Action::CreateSignInLink, organization_id)?;
    let mut tx = control.begin(context).await?;
    let name = match user {
        Some(id) => may_sign_in(context, &mut tx, id).await?,
        None if context.actor.identity == Identity::System => String::from("the first person"),
        None => return Err(ControlError::Forbidden("only the program itself may do that".into())),
    };
    let (now, token) = (control.clock.now(), tokens::mint(&*control.entropy));
    let link = SignInLink {
        id: SignInLinkId::new(now, &*control.entropy),
        organization_id,
        user_id: user,
        fingerprint: tokens::fingerprint(&control.pepper, Purpose::SignInLink, token.expose())
            .ok_or(ControlError::Unauthorized)?,
        created_at: now,
        expires_at: now.plus_seconds(seconds),
    };
    store::delete_of(&mut tx, &permit, user).await?;
    store::insert(&mut tx, &permit, &link).await?;
    let target = user.map_or_else(String::new, |id| id.to_string());
    let deed =
        Deed::on(permit, target, &name).to(&json!({"link_id": link.id, "expires_at": link.expires_at}))?;
    commit(control, context, tx, deed).await?;
    Ok(Made { token, expires_at: link.expires_at })
}

/// A link that is still good.
pub async fn find(control: &Control, token: &str) -> Result<SignInLink, ControlError> {
    let print = tokens::fingerprint(&control.pepper, Purpose::SignInLink, token);
    let found = store::find_by_token(&control.store, &print.ok_or(ControlError::NotFound)?).await?;
    let good = found.filter(|link| link.is_good(control.clock.now()));
    good.ok_or(ControlError::NotFound)
}

/// Takes up a link of a person: a session begins, and the password, second factor and other sessions that they had are gone,
/// since nobody knows who else has them; whoever made the link vouches for the person.
pub async fn take_up(control: &Control, visitor: Visitor, token: &str) -> Result<Opened, ControlError> {
    let seen = find(control, token).await?;
    let user = seen.user_id.ok_or(ControlError::NotFound)?;
    let person = (seen.organization_id, user);
    let context = Context::system(seen.organization_id, control.clock.now());
    let mut tx = control.begin(&context).await?;
    let link = still_good(control, &mut tx, &seen).await?;
    let (opened, deed) = begin_session(control, &mut tx, &visitor, person, false).await?;
    store::delete(&mut tx, &deed.permit, link.id).await?;
    second_factors::delete(&mut tx, &deed.permit, user).await?;
    passwords::delete(&mut tx, &deed.permit, user).await?;
    sessions::delete_of(&mut tx, &deed.permit, user, Some(opened.session.id)).await?;
    commit_as(control, &context, tx, person, deed, &visitor).await?;
    Ok(opened)
}

/// What the first person of an organization tells of themselves.
#[derive(Clone, Debug, Default)]
pub struct FirstPerson {
    /// The mail address.
    pub email: String,
    /// The first name.
    pub first_name: Option<String>,
    /// The last name.
    pub last_name: Option<String>,
}

/// Takes up the link that makes the organization's first person, an organization_admin, and signs them in. A person of that
/// address who is there already becomes that.
pub async fn begin_organization(
    control: &Control,
    visitor: Visitor,
    token: &str,
    person: FirstPerson,
) -> Result<Opened, ControlError> {
    let seen = find(control, token).await?;
    if seen.user_id.is_some() {
        return Err(ControlError::NotFound);
    }
    let organization = seen.organization_id;
    let email = names::read_email("email", person.email.trim())?;
    let context = Context::system(organization, control.clock.now());
    let mut tx = control.begin(&context).await?;
    let link = still_good(control, &mut tx, &seen).await?;
    let place = Place::load(control, &context, &mut tx).await?;
    let permit = decide(&context.actor, Action::CreateUser, organization)?;
    let new = NewUser {
        email,
        first_name: person.first_name,
        last_name: person.last_name,
        roles: vec![ORGANIZATION_ADMIN],
        ..NewUser::default()
    };
    let taken =
        || ControlError::field("email", "is that of somebody who is here already: make a link for them");
    let (user, mut deeds) = place.join(&mut tx, permit, new).await?.ok_or_else(taken)?;
    let (opened, deed) = begin_session(control, &mut tx, &visitor, (organization, user.id), false).await?;
    store::delete(&mut tx, &deed.permit, link.id).await?;
    deeds.push(deed);
    let identity = Identity::Person { id: user.id, email: user.email };
    let actor = Actor::new(identity, organization, Rights::default());
    let context = Context { actor, origin: Some(visitor.origin), ..context };
    commit_all(control, &context, tx, deeds).await?;
    Ok(opened)
}

async fn still_good(control: &Control, tx: &mut Tx, seen: &SignInLink) -> Result<SignInLink, ControlError> {
    let link = store::load_by_token(tx, &seen.fingerprint).await?;
    link.filter(|link| link.is_good(control.clock.now())).ok_or(ControlError::NotFound)
}

/// Whoever makes somebody's link could use it: they must hold all that it gives. Answers the mail address.
async fn may_sign_in(context: &Context, tx: &mut Tx, id: UserId) -> Result<String, ControlError> {
    let found = users::load(tx, context.organization_id(), id).await?;
    let user = found.filter(|user| user.removed_at.is_none()).ok_or(ControlError::NotFound)?;
    if context.actor.identity != Identity::System {
        let (roles, held) =
            (custom_roles::load(tx, context.organization_id()).await?, grants::of(tx, &user).await?);
        may_grant(&context.actor, Some(id), roles.actions(&held.organization), None)?;
        for (workspace, ids) in &held.workspaces {
            may_grant(&context.actor, Some(id), roles.actions(ids), Some(*workspace))?;
        }
    }
    Ok(user.email)
}
