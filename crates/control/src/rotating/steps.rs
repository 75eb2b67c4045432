//! The steps of a rotation: what each does, so that it may be done again by whoever comes after one that died.

use super::subject::{self, Key};
use super::told;
use super::trial::{self, Verdict};
use super::upstream;
use crate::Control;
use crate::actions::{Deed, commit};
use crate::context::Context;
use crate::destinations::{self, DestinationError, Parcel};
use crate::error::ControlError;
use louver_domain::access::Action;
use louver_domain::keys::{KeyKind, KeyStatus, PublicId, mint, read_public_id, same_fingerprint};
use louver_domain::old_secrets::{Fate, LastUse, MOST};
use louver_domain::rotations::{Outcome, Rotation, State, Step, Subject};
use louver_domain::secret::Secret;
use louver_domain::time::Timestamp;
use louver_store::old_secrets::{self, Fresh, Secrets};
use louver_store::rotations::Claimed;
use louver_store::seal::{Place, WrongMasterKey};
use louver_store::secret_destinations::{self, SecretDestination};
use louver_store::{StoreError, Tx, admin_keys, keys};
use serde_json::json;

/// Why a step is not done.
#[derive(Debug)]
pub(super) enum Halt {
    /// It is tried again.
    Later(String),
    /// There is nothing left to do: the rotation ends.
    Never(String),
    /// Somebody else carries it on, or called it off.
    Overtaken,
}

impl Halt {
    pub(super) fn later(sentence: impl Into<String>) -> Self {
        Self::Later(sentence.into())
    }

    pub(super) fn never(sentence: impl Into<String>) -> Self {
        Self::Never(sentence.into())
    }
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a step of a rotation met the store");
        Self::later("the database did not do as it was asked")
    }
}

impl From<ControlError> for Halt {
    fn from(error: ControlError) -> Self {
        tracing::error!(%error, "a step of a rotation could not be committed");
        Self::later("the step could not be written down")
    }
}

impl From<WrongMasterKey> for Halt {
    fn from(_: WrongMasterKey) -> Self {
        Self::later("a sealed secret does not open with this master key")
    }
}

/// Does the step that a rotation is at, and notes it.
pub(super) async fn take(control: &Control, claimed: &Claimed) -> Result<(), Halt> {
    if let Subject::Upstream(id) = claimed.rotation.subject {
        return upstream::take(control, claimed, id).await;
    }
    match claimed.rotation.state.step {
        Step::Creating => create(control, claimed).await,
        Step::Writing => write(control, claimed).await,
        Step::Propagating => advance(control, claimed).await,
        Step::Verifying => verify(control, claimed).await,
        Step::Overlapping => overlap(control, claimed).await,
        Step::Retiring => retire(control, claimed).await,
        Step::Checking => check(control, claimed).await,
        Step::Undoing => undo(control, claimed).await,
        Step::Settling => settle(control, claimed).await,
        Step::Done | Step::Cancelled => Err(Halt::Overtaken),
    }
}

/// A deed of the program by itself, begun: its transaction, and the time of the store.
pub(super) async fn begin(control: &Control, rotation: &Rotation) -> Result<(Context, Tx, Timestamp), Halt> {
    let context = Context::system(rotation.organization_id, control.clock.now());
    let mut tx = control.begin(&context).await?;
    let now = tx.now().await?;
    Ok((context, tx, now))
}

async fn load(tx: &mut Tx, rotation: &Rotation) -> Result<Key, Halt> {
    let key = subject::load(tx, rotation.organization_id, rotation.subject).await?;
    key.ok_or_else(|| Halt::never("the key is gone"))
}

/// The key while this rotation is what gives it its secrets, and whether it is accepted at all.
async fn load_ours(tx: &mut Tx, rotation: &Rotation, now: Timestamp) -> Result<Key, Halt> {
    let key = load(tx, rotation).await?;
    if Some(key.public_id) != rotation.new_public_id {
        return Err(Halt::never("the key got another secret meanwhile"));
    }
    key.must_live(now)?;
    Ok(key)
}

/// Writes how it goes on together with what changed for the key, as one deed in the audit log.
pub(super) async fn settle_deed(
    control: &Control,
    claimed: &Claimed,
    (context, mut tx): (Context, Tx),
    next: State,
) -> Result<(), Halt> {
    if !claimed.save(&mut tx, &next, None).await? {
        return Err(Halt::Overtaken);
    }
    let rotation = &claimed.rotation;
    let permit = subject::permit(rotation.organization_id, Action::AdvanceRotation)?;
    let shown = |state: &State| {
        json!({
            "object": "rotation",
            "subject": rotation.subject.kind(),
            "subject_id": rotation.subject.shown_id(),
            "step": state.step.as_str(),
            "ends_at": state.ends_at.map(Timestamp::rfc3339),
        })
    };
    let mut deed = Deed::on(permit, rotation.id, &rotation.name);
    if let Some(workspace) = rotation.workspace_id {
        deed = deed.inside(workspace);
    }
    let deed = deed.from(&shown(&rotation.state))?.to(&shown(&next))?;
    commit(control, &context, tx, deed).await?;
    Ok(())
}

/// Notes that the step is done where nothing else changes.
pub(super) async fn advance(control: &Control, claimed: &Claimed) -> Result<(), Halt> {
    let Rotation { state, plan, .. } = &claimed.rotation;
    let next = state.after(plan, Outcome::Worked, control.store.now().await?);
    let saved = claimed.note(&control.store, &next, None).await?;
    if saved { Ok(()) } else { Err(Halt::Overtaken) }
}

/// The key gets its new secret; the old one has no end.
async fn create(control: &Control, claimed: &Claimed) -> Result<(), Halt> {
    let rotation = &claimed.rotation;
    let (context, mut tx, now) = begin(control, rotation).await?;
    let key = load(&mut tx, rotation).await?;
    key.must_live(now)?;
    let secrets = secrets(&mut tx, rotation).await?;
    if secrets.old.len() >= MOST {
        return Err(Halt::later("too many old secrets of the key still work"));
    }
    let permit = subject::permit(rotation.organization_id, subject::action(rotation.subject))?;
    let minted = mint(key.kind, &*control.entropy);
    let fresh = Fresh {
        public_id: minted.public_id,
        fingerprint: control.pepper.fingerprint(minted.secret.expose()),
        last_four: minted.last_four,
    };
    old_secrets::replace(&mut tx, &permit, key.of, &fresh, Fate::UntilTold, now).await?;
    let place = Place::new_secret(rotation.id, rotation.organization_id);
    let sealed = control.master.seal(&place, &minted.secret, &*control.entropy)?;
    claimed.keep_new(&mut tx, (key.public_id, fresh.public_id), sealed).await?;
    let next = rotation.state.after(&rotation.plan, Outcome::Worked, now);
    settle_deed(control, claimed, (context, tx), next).await
}

async fn secrets(tx: &mut Tx, rotation: &Rotation) -> Result<Secrets, Halt> {
    let of = subject::of(rotation.subject).ok_or_else(|| Halt::never("it has no secrets of Louver's"))?;
    let found = old_secrets::load(tx, rotation.organization_id, of).await?;
    found.ok_or_else(|| Halt::never("the key is gone"))
}

/// The key, what it and its workspace were called when the rotation began, and its destinations, for what is done outside
/// of a transaction.
struct Errand {
    key: Key,
    name: String,
    workspace: String,
    rotation: String,
    made: Timestamp,
    old: Option<louver_domain::old_secrets::OldSecret>,
    destinations: Vec<SecretDestination>,
}

impl Errand {
    async fn of(control: &Control, rotation: &Rotation) -> Result<Self, Halt> {
        let mut tx = control.store.begin().await?;
        let now = tx.now().await?;
        let key = load_ours(&mut tx, rotation, now).await?;
        let secrets = secrets(&mut tx, rotation).await?;
        let mut destinations = Vec::new();
        for id in &rotation.plan.destinations {
            let found = secret_destinations::load(&mut tx, rotation.organization_id, *id).await?;
            destinations
                .push(found.ok_or_else(|| Halt::later("a destination is gone: call the rotation off"))?);
        }
        let is_old =
            |old: &louver_domain::old_secrets::OldSecret| Some(old.public_id) == rotation.old_public_id;
        Ok(Self {
            name: rotation.name.clone(),
            workspace: rotation.workspace.clone(),
            rotation: rotation.id.prefixed(),
            made: secrets.current.created_at,
            old: secrets.old.into_iter().find(is_old),
            key,
            destinations,
        })
    }

    fn parcel<'a>(&'a self, secret: &'a Secret<String>) -> Parcel<'a> {
        Parcel {
            key: &self.key.prefixed,
            name: &self.name,
            workspace: &self.workspace,
            rotation: &self.rotation,
            secret,
            created_at: self.made,
        }
    }

    /// Writes a secret to every destination, or says which did not take it. Never over the secret of another key.
    async fn deliver(
        &self,
        control: &Control,
        rotation: &Rotation,
        secret: &Secret<String>,
    ) -> Result<(), Halt> {
        for destination in &self.destinations {
            if destinations::is_readable(destination) {
                let found = destinations::read(control, destination, &self.parcel(secret).whose()).await;
                if let Some(found) = found.map_err(|error| troubled(destination, &error))? {
                    must_be_nobodys(control, rotation, destination, &found).await?;
                }
            }
            let written = destinations::write(control, destination, &self.parcel(secret)).await;
            written.map_err(|error| troubled(destination, &error))?;
        }
        Ok(())
    }
}

fn troubled(destination: &SecretDestination, error: &DestinationError) -> Halt {
    Halt::later(format!("destination {}: {}", destination.name, error.sentence()))
}

pub(super) fn open(
    control: &Control,
    place: &Place,
    sealed: Option<&[u8]>,
) -> Result<Option<Secret<String>>, Halt> {
    Ok(sealed.map(|sealed| control.master.open(place, sealed)).transpose()?)
}

pub(super) fn new_secret(control: &Control, claimed: &Claimed) -> Result<Secret<String>, Halt> {
    let place = Place::new_secret(claimed.rotation.id, claimed.rotation.organization_id);
    let secret = open(control, &place, claimed.sealed_new.as_deref())?;
    secret.ok_or_else(|| Halt::never("the new secret is not there any more"))
}

pub(super) fn old_secret(control: &Control, claimed: &Claimed) -> Result<Option<Secret<String>>, Halt> {
    let place = Place::old_secret(claimed.rotation.id, claimed.rotation.organization_id);
    open(control, &place, claimed.sealed_old.as_deref())
}

/// What the destinations have is kept first, so that it can be put back; then the new secret goes there.
async fn write(control: &Control, claimed: &Claimed) -> Result<(), Halt> {
    let secret = new_secret(control, claimed)?;
    let errand = Errand::of(control, &claimed.rotation).await?;
    if claimed.sealed_old.is_none() {
        keep_old(control, claimed, &errand).await?;
    }
    if !claimed.will_write(&control.store).await? {
        return Err(Halt::Overtaken);
    }
    errand.deliver(control, &claimed.rotation, &secret).await?;
    advance(control, claimed).await
}

/// Reads the old secret back from where it can be read. It is known by its fingerprint: what else lies there is nobody's
/// business, and what cannot be read is no reason to stop.
async fn keep_old(control: &Control, claimed: &Claimed, errand: &Errand) -> Result<(), Halt> {
    let Some(old) = &errand.old else { return Ok(()) };
    let rotation = &claimed.rotation;
    for destination in errand.destinations.iter().filter(|one| destinations::is_readable(one)) {
        let empty = Secret::new(String::new());
        let found = destinations::read(control, destination, &errand.parcel(&empty).whose()).await;
        let Some(found) = found.map_err(|error| troubled(destination, &error))? else { continue };
        if !same_fingerprint(&control.pepper.fingerprint(found.expose()), &old.fingerprint) {
            continue;
        }
        let place = Place::old_secret(rotation.id, rotation.organization_id);
        let sealed = control.master.seal(&place, &found, &*control.entropy)?;
        claimed.keep_old(&control.store, sealed).await?;
        return Ok(());
    }
    Ok(())
}

/// Refuses to write over the secret of another key: names of keys, and so places that are named after them, are free.
async fn must_be_nobodys(
    control: &Control,
    rotation: &Rotation,
    destination: &SecretDestination,
    found: &Secret<String>,
) -> Result<(), Halt> {
    let Some((owner, status)) = owner_of(control, found.expose()).await? else { return Ok(()) };
    if owner == rotation.subject || status == KeyStatus::Revoked {
        return Ok(());
    }
    let sentence = format!("destination {} has the secret of another key at this place", destination.name);
    Err(Halt::later(sentence))
}

/// Whose secret a text is, current or old, and what that key is set to.
async fn owner_of(control: &Control, text: &str) -> Result<Option<(Subject, KeyStatus)>, Halt> {
    let store = &control.store;
    if let Some(public_id) = read_public_id(KeyKind::Api, text) {
        let key = match old_secrets::find(store, public_id).await? {
            Some((id, _)) => keys::find_by_id(store, id).await?,
            None => keys::find(store, public_id).await?,
        };
        return Ok(key.map(|key| (Subject::ApiKey(key.id), key.status)));
    }
    let Some(public_id) = read_public_id(KeyKind::Admin, text) else { return Ok(None) };
    let key = match old_secrets::find_admin(store, public_id).await? {
        Some((id, _)) => admin_keys::get(store, id).await?,
        None => admin_keys::find(store, public_id).await?,
    };
    Ok(key.map(|key| (Subject::AdminKey(key.id), key.status)))
}

/// The destinations have the new secret, and it works: from here on the old one has an end.
async fn verify(control: &Control, claimed: &Claimed) -> Result<(), Halt> {
    let rotation = &claimed.rotation;
    let secret = new_secret(control, claimed)?;
    let errand = Errand::of(control, rotation).await?;
    for destination in errand.destinations.iter().filter(|one| destinations::is_readable(one)) {
        let found = destinations::read(control, destination, &errand.parcel(&secret).whose()).await;
        let found = found.map_err(|error| troubled(destination, &error))?;
        let wanted = control.pepper.fingerprint(secret.expose());
        if !found.is_some_and(|found| same_fingerprint(&control.pepper.fingerprint(found.expose()), &wanted))
        {
            return Err(Halt::later(format!(
                "destination {} does not have the new secret",
                destination.name
            )));
        }
    }
    if trial::call(control, errand.key.kind, &secret).await? == Verdict::Refused {
        return Err(Halt::later("the gateway refuses the new secret"));
    }
    let (context, mut tx, now) = begin(control, rotation).await?;
    load_ours(&mut tx, rotation, now).await?;
    let next = rotation.state.after(&rotation.plan, Outcome::Worked, now);
    if next.step == Step::Overlapping {
        end_old(&mut tx, rotation, next.hard_end(&rotation.plan)).await?;
    }
    claimed.forget_new(&mut tx).await?;
    settle_deed(control, claimed, (context, tx), next).await
}

async fn end_old(tx: &mut Tx, rotation: &Rotation, end: Option<Timestamp>) -> Result<(), Halt> {
    let permit = subject::permit(rotation.organization_id, subject::action(rotation.subject))?;
    Ok(old_secrets::set_deadline(tx, &permit, old_id(rotation)?, end).await?)
}

fn old_id(rotation: &Rotation) -> Result<PublicId, Halt> {
    rotation.old_public_id.ok_or_else(|| Halt::never("the rotation has no old secret"))
}

/// Looks whether the old secret is still used: then its end moves, or somebody is told that it will not.
async fn overlap(control: &Control, claimed: &Claimed) -> Result<(), Halt> {
    let rotation = &claimed.rotation;
    let (plan, was) = (&rotation.plan, rotation.state);
    let (_, mut tx, now) = begin(control, rotation).await?;
    load_ours(&mut tx, rotation, now).await?;
    let secrets = secrets(&mut tx, rotation).await?;
    drop(tx);
    let old = secrets.old.into_iter().find(|old| Some(old.public_id) == rotation.old_public_id);
    let used_at = |used: Option<LastUse>| used.map(|used| used.at);
    let state = State { observed_at: was.observed_at.or(used_at(secrets.current.used)), ..was };
    let looked = Outcome::Looked { in_use: state.is_old_used(plan, used_at(old.and_then(|old| old.used))) };
    let next = state.after(plan, looked, now);
    if let (Outcome::Looked { in_use: true }, false, Some(end)) = (looked, was.looked, was.ends_at)
        && next.step == Step::Overlapping
    {
        // Told first: who dies here tells it again, and it is told once.
        told::old_secret_used(control, rotation, end, next.ends_at.unwrap_or(end)).await?;
    }
    let (context, mut tx, now) = begin(control, rotation).await?;
    load_ours(&mut tx, rotation, now).await?;
    let next = state.after(plan, looked, now);
    if (next.ends_at, next.hard_end(plan)) != (was.ends_at, was.hard_end(plan)) {
        end_old(&mut tx, rotation, next.hard_end(plan)).await?;
        return settle_deed(control, claimed, (context, tx), next).await;
    }
    drop(tx);
    let saved = claimed.note(&control.store, &next, None).await?;
    if saved { Ok(()) } else { Err(Halt::Overtaken) }
}

/// The old secret ends.
async fn retire(control: &Control, claimed: &Claimed) -> Result<(), Halt> {
    let rotation = &claimed.rotation;
    let (context, mut tx, now) = begin(control, rotation).await?;
    load(&mut tx, rotation).await?;
    let permit = subject::permit(rotation.organization_id, subject::action(rotation.subject))?;
    old_secrets::retire(&mut tx, &permit, old_id(rotation)?).await?;
    let next = rotation.state.after(&rotation.plan, Outcome::Worked, now);
    settle_deed(control, claimed, (context, tx), next).await
}

/// A call with the old secret is refused. Where nobody knows it any more, it is looked whether it is gone.
async fn check(control: &Control, claimed: &Claimed) -> Result<(), Halt> {
    let rotation = &claimed.rotation;
    let (context, mut tx, now) = begin(control, rotation).await?;
    let key = load(&mut tx, rotation).await?;
    let secrets = secrets(&mut tx, rotation).await?;
    drop(tx);
    if secrets.old.iter().any(|old| Some(old.public_id) == rotation.old_public_id) {
        return Err(Halt::later("the old secret is still there"));
    }
    if let Some(old) = old_secret(control, claimed)?
        && trial::call(control, key.kind, &old).await? == Verdict::Accepted
    {
        return Err(Halt::later("the gateway still accepts the old secret"));
    }
    let next = rotation.state.after(&rotation.plan, Outcome::Worked, now);
    told::done(control, rotation).await?;
    let tx = control.begin(&context).await?;
    settle_deed(control, claimed, (context, tx), next).await
}

/// The old secret goes back to where the new one was written.
async fn undo(control: &Control, claimed: &Claimed) -> Result<(), Halt> {
    if claimed.rotation.state.written {
        let errand = Errand::of(control, &claimed.rotation).await?;
        let old = old_secret(control, claimed)?;
        let old = old.ok_or_else(|| {
            Halt::later("the old secret is not known: write it to the destinations by hand")
        })?;
        errand.deliver(control, &claimed.rotation, &old).await?;
    }
    advance(control, claimed).await
}

/// The destinations have the old secret still: whoever wrote the new one late is written over, and it is waited again.
async fn must_be_back(control: &Control, claimed: &Claimed) -> Result<(), Halt> {
    let errand = Errand::of(control, &claimed.rotation).await?;
    let old = old_secret(control, claimed)?;
    let old = old.ok_or_else(|| Halt::later("the old secret is not known any more"))?;
    for destination in errand.destinations.iter().filter(|one| destinations::is_readable(one)) {
        let found = destinations::read(control, destination, &errand.parcel(&old).whose()).await;
        let found = found.map_err(|error| troubled(destination, &error))?;
        let wanted = control.pepper.fingerprint(old.expose());
        if !found.is_some_and(|found| same_fingerprint(&control.pepper.fingerprint(found.expose()), &wanted))
        {
            errand.deliver(control, &claimed.rotation, &old).await?;
            let now = control.store.now().await?;
            let again = State {
                since: now,
                next_at: now.plus_seconds(claimed.rotation.plan.propagation_seconds),
                ..claimed.rotation.state
            };
            let sentence = format!("destination {} had lost the old secret again", destination.name);
            claimed.note(&control.store, &again, Some(&sentence)).await?;
            return Err(Halt::Overtaken);
        }
    }
    Ok(())
}

/// Everybody has read the old secret again: it is the key's own once more, and the new one ends.
async fn settle(control: &Control, claimed: &Claimed) -> Result<(), Halt> {
    let rotation = &claimed.rotation;
    if rotation.state.written {
        must_be_back(control, claimed).await?;
    }
    let (context, mut tx, now) = begin(control, rotation).await?;
    let key = load_ours(&mut tx, rotation, now).await?;
    let permit = subject::permit(rotation.organization_id, subject::action(rotation.subject))?;
    if !old_secrets::restore(&mut tx, &permit, key.of, old_id(rotation)?).await? {
        return Err(Halt::never("the old secret was not there any more; the key has the new one"));
    }
    let next = rotation.state.after(&rotation.plan, Outcome::Worked, now);
    settle_deed(control, claimed, (context, tx), next).await
}
