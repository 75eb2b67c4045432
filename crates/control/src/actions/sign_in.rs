//! Signing in to the console: by password and second factor, counted against guessing; and showing again that it is you.

use super::{Deed, commit};
use crate::Control;
use crate::actions::names;
use crate::context::{Context, Credential, RequestContext};
use crate::error::ControlError;
use louver_domain::access::{Action, Actor, Identity, Permit, Rights, decide};
use louver_domain::id::{OrganizationId, SessionId, UserId};
use louver_domain::old_secrets::client_text;
use louver_domain::one_time_codes::matching_step;
use louver_domain::passwords::MOST;
use louver_domain::secret::Secret;
use louver_domain::sessions::Session;
use louver_domain::sign_in::Counted;
use louver_domain::tokens::{self, Purpose};
use louver_store::seal::Place;
use louver_store::second_factors::{self, SecondFactor};
use louver_store::{Tx, passwords, sessions as store, sign_in_attempts, users};
use serde_json::json;

/// Where a request to sign in comes from.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The request.
    pub origin: RequestContext,
    /// What the browser calls itself.
    pub client: Option<String>,
}

/// A session just opened: the only moment its token exists in Louver.
pub struct Opened {
    /// The session.
    pub session: Session,
    /// What the browser keeps.
    pub token: Secret<String>,
}

/// Opens a session for whoever has that mail address and password; it waits for a code where the person has a second
/// factor. What does not fit is one and the same [`ControlError::Unauthorized`].
pub async fn sign_in(
    control: &Control,
    visitor: Visitor,
    email: &str,
    password: Secret<String>,
) -> Result<Opened, ControlError> {
    let email = names::read_email("email", email.trim()).map_err(|_| ControlError::Unauthorized)?;
    let account = Counted::Account(email.clone());
    count(control, &Counted::Source(visitor.origin.address)).await?;
    count(control, &account).await?;
    if password.expose().chars().count() > MOST {
        return Err(ControlError::Unauthorized);
    }
    let mut known = passwords::find(&control.store, &email).await?.into_iter();
    // Nobody's password takes as long as somebody's.
    let mut next = known.next();
    let found = loop {
        let hash = next.as_ref().map(|known| known.hash.clone());
        let same = control.passwords.is(Secret::new(password.expose().clone()), hash).await?;
        match (same, known.next()) {
            (true, _) => break next,
            (false, Some(other)) => next = Some(other),
            (false, None) => break None,
        }
    };
    let opened = open(control, &visitor, &found.ok_or(ControlError::Unauthorized)?).await?;
    if !opened.session.needs_code {
        forget(control, &account).await?;
    }
    Ok(opened)
}

/// Shows the second factor in a session that waits for it: a new session takes its place. A wrong code is
/// [`ControlError::Unauthorized`].
pub async fn give_code(
    control: &Control,
    visitor: Visitor,
    waiting: &Session,
    code: &str,
) -> Result<Opened, ControlError> {
    let person = (waiting.organization_id, waiting.user_id);
    let counted = Counted::Person(person.1);
    count(control, &counted).await?;
    take_code(control, person, code).await?;
    forget(control, &counted).await?;
    forget(control, &Counted::Account(email_of(control, person).await?)).await?;
    let context = Context::system(waiting.organization_id, control.clock.now());
    let mut tx = control.begin(&context).await?;
    // It may have been ended meanwhile.
    let still = store::load(&mut tx, waiting.organization_id, waiting.id).await?;
    still.filter(|waiting| waiting.is_alive(control.clock.now())).ok_or(ControlError::Unauthorized)?;
    let (opened, deed) = begin_session(control, &mut tx, &visitor, person, false).await?;
    store::delete(&mut tx, &deed.permit, waiting.id).await?;
    commit_as(control, &context, tx, person, deed, &visitor).await?;
    Ok(opened)
}

/// Shows again in a session, by password and code, that it is still the same person. What does not fit is
/// [`ControlError::Unauthorized`], and counted as an attempt to sign in. Answers what the request stands on from here.
pub async fn confirm(
    control: &Control,
    context: &Context,
    password: Secret<String>,
    code: &str,
) -> Result<Credential, ControlError> {
    let (Some(user), Some(Credential::Session { id, .. })) = (context.actor.user_id(), context.credential)
    else {
        return Err(ControlError::Unauthorized);
    };
    let person = (context.organization_id(), user);
    let counted = Counted::Person(person.1);
    count(control, &counted).await?;
    let hash = passwords::get(&control.store, person.0, user).await?.map(|(hash, _)| hash);
    if !control.passwords.is(password, hash).await? {
        return Err(ControlError::Unauthorized);
    }
    if confirmed_factor(control, person.0, user).await?.is_some() {
        take_code(control, person, code).await?;
    }
    forget(control, &counted).await?;
    let mut tx = control.begin(context).await?;
    let permit = decide(&Actor::system(person.0), Action::ConfirmSession, person.0)?;
    let confirmed_at = control.clock.now();
    store::confirm(&mut tx, &permit, id, confirmed_at).await?;
    commit(control, context, tx, Deed::on(permit, user, context.actor.name())).await?;
    Ok(Credential::Session { id, confirmed_at })
}

/// Whether the person of a session has a second factor.
pub async fn has_second_factor(control: &Control, context: &Context) -> Result<bool, ControlError> {
    let user = context.actor.user_id().ok_or(ControlError::Unauthorized)?;
    Ok(confirmed_factor(control, context.organization_id(), user).await?.is_some())
}

/// Opens a session within a deed that has shown who it is for.
pub(crate) async fn begin_session(
    control: &Control,
    tx: &mut Tx,
    visitor: &Visitor,
    (organization_id, user_id): (OrganizationId, UserId),
    needs_code: bool,
) -> Result<(Opened, Deed), ControlError> {
    let user = users::load(tx, organization_id, user_id).await?.filter(|user| user.removed_at.is_none());
    let user = user.ok_or(ControlError::Unauthorized)?;
    let permit = decide(&Actor::system(organization_id), Action::SignIn, organization_id)?;
    let (now, token) = (control.clock.now(), tokens::mint(&*control.entropy));
    let session = Session {
        id: SessionId::new(now, &*control.entropy),
        organization_id,
        user_id,
        fingerprint: tokens::fingerprint(&control.pepper, Purpose::Session, token.expose())
            .ok_or(ControlError::Unauthorized)?,
        created_at: now,
        seen_at: now,
        confirmed_at: now,
        needs_code,
        address: Some(visitor.origin.address.to_string()),
        client: visitor.client.as_deref().map(|name| client_text(name.as_bytes())),
    };
    store::insert(tx, &permit, &session).await?;
    let told =
        json!({"session_id": session.id, "second_factor_pending": needs_code, "client": session.client});
    let deed = Deed::on(permit, user.id, &user.email).to(&told)?;
    Ok((Opened { session, token }, deed))
}

/// Commits a deed of a person who is just signing in.
pub(crate) async fn commit_as(
    control: &Control,
    context: &Context,
    tx: Tx,
    (organization, user): (OrganizationId, UserId),
    deed: Deed,
    visitor: &Visitor,
) -> Result<(), ControlError> {
    let identity = Identity::Person { id: user, email: deed.target_name.clone() };
    let actor = Actor::new(identity, organization, Rights::default());
    let context = Context { actor, origin: Some(visitor.origin), ..context.clone() };
    commit(control, &context, tx, deed).await
}

/// Opens a session for whoever knew that password, if it still is theirs: comparing takes its time.
async fn open(
    control: &Control,
    visitor: &Visitor,
    known: &passwords::Known,
) -> Result<Opened, ControlError> {
    let person = (known.organization_id, known.user_id);
    let context = Context::system(person.0, control.clock.now());
    let mut tx = control.begin(&context).await?;
    let hash = passwords::load(&mut tx, person.0, person.1).await?;
    if hash.as_ref() != Some(&known.hash) {
        return Err(ControlError::Unauthorized);
    }
    let factor = second_factors::load(&mut tx, person.0, person.1).await?;
    let needs_code = factor.is_some_and(|factor| factor.confirmed_at.is_some());
    let (opened, deed) = begin_session(control, &mut tx, visitor, person, needs_code).await?;
    commit_as(control, &context, tx, person, deed, visitor).await?;
    Ok(opened)
}

async fn confirmed_factor(
    control: &Control,
    organization: OrganizationId,
    user: UserId,
) -> Result<Option<SecondFactor>, ControlError> {
    let factor = second_factors::get(&control.store, organization, user).await?;
    Ok(factor.filter(|factor| factor.confirmed_at.is_some()))
}

/// Takes a code of a person's second factor, or one of those for the day the device is lost: each once.
async fn take_code(
    control: &Control,
    (organization, user): (OrganizationId, UserId),
    code: &str,
) -> Result<(), ControlError> {
    let context = Context::system(organization, control.clock.now());
    let mut tx = control.begin(&context).await?;
    let factor = second_factors::load(&mut tx, organization, user).await?;
    let factor = factor.filter(|factor| factor.confirmed_at.is_some()).ok_or(ControlError::Unauthorized)?;
    let factor = after_code(control, organization, factor, code.trim()).ok_or(ControlError::Unauthorized)?;
    let permit: Permit = decide(&context.actor, Action::ConfirmSession, organization)?;
    second_factors::save(&mut tx, &permit, &factor).await?;
    let told = json!({"second_factor": true, "recovery_codes_left": factor.recovery.len()});
    commit(control, &context, tx, Deed::on(permit, user, "second factor").to(&told)?).await
}

/// What a second factor is after a code was taken; `None` where it is none of its codes.
fn after_code(
    control: &Control,
    organization: OrganizationId,
    factor: SecondFactor,
    code: &str,
) -> Option<SecondFactor> {
    let secret = control
        .master
        .open(&Place::second_factor(factor.user_id, organization), &factor.sealed_secret)
        .ok()?;
    if let Some(step) = matching_step(&secret, code, control.clock.now(), factor.last_step) {
        return Some(SecondFactor { last_step: step, ..factor });
    }
    let print = recovery_print(control, code);
    let recovery: Vec<String> = factor.recovery.iter().filter(|one| **one != print).cloned().collect();
    (recovery.len() < factor.recovery.len()).then_some(SecondFactor { recovery, ..factor })
}

/// The fingerprint of a code for the day the device is lost, as it is stored.
pub(crate) fn recovery_print(control: &Control, code: &str) -> String {
    let print = control.pepper.fingerprint(&format!("recovery code {code}"));
    print.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn email_of(
    control: &Control,
    (organization, user): (OrganizationId, UserId),
) -> Result<String, ControlError> {
    let found = users::get(&control.store, organization, user).await?;
    found.map(|user| user.email).ok_or(ControlError::Unauthorized)
}

async fn count(control: &Control, counted: &Counted) -> Result<(), ControlError> {
    let now = control.clock.now();
    let attempts = sign_in_attempts::count(&control.store, subject(control, counted), now).await?;
    attempts.wait(counted.most(), now).map_or(Ok(()), |wait| Err(ControlError::TooManyAttempts(wait)))
}

async fn forget(control: &Control, counted: &Counted) -> Result<(), ControlError> {
    Ok(sign_in_attempts::forget(&control.store, subject(control, counted)).await?)
}

fn subject(control: &Control, counted: &Counted) -> [u8; 32] {
    control.pepper.fingerprint(&format!("sign-in {}", counted.name()))
}
