//! The steps of a rotation of an upstream key: upstream makes the new one, Louver's calls move to it, and upstream deletes the
//! old one. Each may be done again by whoever comes after one that died.

use super::steps::{self, Halt};
use super::trial::Verdict;
use super::upstream_keys::{Listed, Provider, present};
use super::{subject, told};
use crate::Control;
use louver_domain::access::Action;
use louver_domain::id::UpstreamId;
use louver_domain::keys::{Fingerprint, same_fingerprint};
use louver_domain::rotations::{OnOldUse, Outcome, Rotation, State, Step, UPSTREAM_QUIET_SECONDS};
use louver_domain::secret::Secret;
use louver_domain::time::Timestamp;
use louver_store::Tx;
use louver_store::rotations::Claimed;
use louver_store::seal::Place;
use louver_store::upstream_rotations::{self, KeyIds};
use louver_store::upstreams::{self, Upstream};
use uuid::Uuid;

/// Does the step that a rotation of this upstream credential is at, and notes it.
pub(super) async fn take(control: &Control, claimed: &Claimed, id: UpstreamId) -> Result<(), Halt> {
    let step = claimed.rotation.state.step;
    if step == Step::Propagating {
        return steps::advance(control, claimed).await;
    }
    let errand = Errand::of(control, claimed, id).await?;
    match step {
        Step::Creating => errand.create().await,
        Step::Writing => errand.move_calls().await,
        Step::Propagating => steps::advance(control, claimed).await,
        Step::Verifying => errand.verify().await,
        Step::Overlapping => errand.watch().await,
        Step::Retiring => errand.delete_old().await,
        Step::Checking => errand.check().await,
        Step::Undoing => errand.move_back().await,
        Step::Settling => errand.delete_new().await,
        Step::Done | Step::Cancelled => Err(Halt::Overtaken),
    }
}

/// Which key a credential has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Has {
    /// The one that it had when the rotation began.
    Old,
    /// The rotation's.
    New,
    /// One that somebody put there meanwhile.
    Another,
}

/// What a step works with.
struct Errand<'a> {
    control: &'a Control,
    claimed: &'a Claimed,
    provider: Provider<'a>,
    id: UpstreamId,
    /// The credential's key.
    key: Secret<String>,
    admin: Option<Secret<String>>,
    admin_user: Option<String>,
    ids: Option<KeyIds>,
    old: Option<Secret<String>>,
    new: Option<Secret<String>>,
}

impl<'a> Errand<'a> {
    async fn of(control: &'a Control, claimed: &'a Claimed, id: UpstreamId) -> Result<Self, Halt> {
        let rotation = &claimed.rotation;
        let mut tx = control.store.begin().await?;
        let upstream = load(&mut tx, rotation, id).await?;
        let ids = upstream_rotations::key_ids(&mut tx, rotation.id).await?;
        drop(tx);
        let server = control.rotating.upstream(upstream.server.as_deref());
        let server =
            server.ok_or_else(|| Halt::later("the settings of this node do not name its upstream"))?;
        let organization = rotation.organization_id;
        let admin_place = Place::upstream_admin(id, organization);
        let old_place = Place::old_secret(rotation.id, organization);
        let new_place = Place::new_secret(rotation.id, organization);
        Ok(Self {
            provider: Provider { control, server },
            key: control.master.open(&Place::upstream(id, organization), &upstream.sealed_key)?,
            admin: steps::open(control, &admin_place, upstream.sealed_admin_key.as_deref())?,
            admin_user: upstream.admin_user_id,
            old: steps::open(control, &old_place, claimed.sealed_old.as_deref())?,
            new: steps::open(control, &new_place, claimed.sealed_new.as_deref())?,
            control,
            claimed,
            id,
            ids,
        })
    }

    fn rotation(&self) -> &Rotation {
        &self.claimed.rotation
    }

    /// The name that its key has upstream: by it a key is found that was made and not noted.
    fn name(&self) -> String {
        format!("louver {}", self.rotation().id.prefixed())
    }

    fn admin(&self) -> Result<&Secret<String>, Halt> {
        let missing =
            || Halt::later("this credential has no admin key of its upstream any more: give it one");
        self.admin.as_ref().ok_or_else(missing)
    }

    fn old_key(&self) -> Result<&Secret<String>, Halt> {
        self.old.as_ref().ok_or_else(|| Halt::never("the old key is not known any more"))
    }

    fn new_key(&self) -> Result<&Secret<String>, Halt> {
        self.new.as_ref().ok_or_else(|| Halt::never("the new key is not known any more"))
    }

    fn ids(&self) -> Result<(Uuid, Uuid), Halt> {
        let read = |ids: &KeyIds| Some((Uuid::parse_str(&ids.old).ok()?, Uuid::parse_str(&ids.new).ok()?));
        self.ids.as_ref().and_then(read).ok_or_else(|| Halt::never("the keys of upstream were not noted"))
    }

    fn fingerprint(&self, key: &Secret<String>) -> Fingerprint {
        self.control.pepper.fingerprint(key.expose())
    }

    fn same(&self, key: &Secret<String>, other: Option<&Secret<String>>) -> bool {
        other.is_some_and(|other| same_fingerprint(&self.fingerprint(key), &self.fingerprint(other)))
    }

    fn has(&self, key: &Secret<String>) -> Has {
        if self.same(key, self.new.as_ref()) {
            Has::New
        } else if self.same(key, self.old.as_ref()) {
            Has::Old
        } else {
            Has::Another
        }
    }

    /// The credential, and what it has, inside a transaction.
    async fn load(&self, tx: &mut Tx) -> Result<(Upstream, Has), Halt> {
        let upstream = load(tx, self.rotation(), self.id).await?;
        let place = Place::upstream(self.id, self.rotation().organization_id);
        let key = self.control.master.open(&place, &upstream.sealed_key)?;
        let has = self.has(&key);
        Ok((upstream, has))
    }

    fn must_have(has: Has, wanted: Has) -> Result<(), Halt> {
        if has == wanted { Ok(()) } else { Err(Halt::never("the credential got another key meanwhile")) }
    }

    /// Puts a key into the credential, together with how the rotation goes on.
    async fn put(&self, key: &Secret<String>, from: Has) -> Result<(), Halt> {
        let Self { control, claimed, .. } = self;
        let rotation = self.rotation();
        let (context, mut tx, now) = steps::begin(control, rotation).await?;
        let (mut upstream, has) = self.load(&mut tx).await?;
        Self::must_have(has, from)?;
        let place = Place::upstream(self.id, rotation.organization_id);
        upstream.sealed_key = control.master.seal(&place, key, &*control.entropy)?;
        let permit = subject::permit(rotation.organization_id, Action::UpdateUpstream)?;
        upstreams::save(&mut tx, &permit, &upstream).await?;
        let next = rotation.state.after(&rotation.plan, Outcome::Worked, now);
        steps::settle_deed(control, claimed, (context, tx), next).await
    }

    /// Notes that the step is done, as a deed.
    async fn done(&self) -> Result<(), Halt> {
        let rotation = self.rotation();
        let (context, tx, now) = steps::begin(self.control, rotation).await?;
        let next = rotation.state.after(&rotation.plan, Outcome::Worked, now);
        steps::settle_deed(self.control, self.claimed, (context, tx), next).await
    }

    /// Upstream makes the new key. One that an earlier try made goes first: its secret is known to nobody.
    async fn create(&self) -> Result<(), Halt> {
        let (admin, name) = (self.admin()?, self.name());
        let all = self.provider.list(admin).await?;
        let present = present(&all, &self.key, &name)?;
        let home = present.home(self.admin_user.as_deref())?;
        for stray in all.iter().filter(|key| key.is_named(&name)) {
            self.provider.delete(admin, stray.id).await?;
        }
        let (new_id, new) = self.provider.create(admin, &name, home).await?;
        self.keep(KeyIds { old: present.id.to_string(), new: new_id.to_string() }, &new).await
    }

    async fn keep(&self, ids: KeyIds, new: &Secret<String>) -> Result<(), Halt> {
        let Self { control, claimed, .. } = self;
        let rotation = self.rotation();
        let (context, mut tx, now) = steps::begin(control, rotation).await?;
        let place = Place::upstream(self.id, rotation.organization_id);
        let stored = load(&mut tx, rotation, self.id).await?.sealed_key;
        if !self.same(&self.key, Some(&control.master.open(&place, &stored)?)) {
            return Err(Halt::later("the credential got another key meanwhile"));
        }
        let seal = |place: Place, key| control.master.seal(&place, key, &*control.entropy);
        let sealed = (
            seal(Place::old_secret(rotation.id, rotation.organization_id), &self.key)?,
            seal(Place::new_secret(rotation.id, rotation.organization_id), new)?,
        );
        claimed.keep_upstream_keys(&mut tx, &ids, sealed).await?;
        let next = rotation.state.after(&rotation.plan, Outcome::Worked, now);
        steps::settle_deed(control, claimed, (context, tx), next).await
    }

    async fn must_take(&self, key: &Secret<String>, which: &str) -> Result<(), Halt> {
        match self.provider.tries(key).await? {
            Verdict::Accepted => Ok(()),
            Verdict::Refused => Err(Halt::later(format!("upstream refuses the {which} key"))),
        }
    }

    async fn must_refuse(&self, key: &Secret<String>, which: &str) -> Result<(), Halt> {
        match self.provider.tries(key).await? {
            Verdict::Refused => Ok(()),
            Verdict::Accepted => Err(Halt::later(format!("upstream still accepts the {which} key"))),
        }
    }

    /// Upstream takes the new key: from here on calls are made with it.
    async fn move_calls(&self) -> Result<(), Halt> {
        Self::must_have(self.has(&self.key), Has::Old)?;
        self.must_take(self.new_key()?, "new").await?;
        self.put(self.new_key()?, Has::Old).await
    }

    /// Every node has taken the new key over, and upstream still takes it: from here on the old one has an end.
    async fn verify(&self) -> Result<(), Halt> {
        Self::must_have(self.has(&self.key), Has::New)?;
        self.must_take(&self.key, "new").await?;
        self.done().await
    }

    /// When calls of Louver had a key last, as far as the nodes have said.
    async fn last_used(&self, key: &Secret<String>) -> Result<Option<Timestamp>, Halt> {
        let mut tx = self.control.store.begin().await?;
        Ok(upstream_rotations::last_used(&mut tx, self.id, &self.fingerprint(key)).await?)
    }

    /// No call that is under way may have this key.
    async fn must_rest(&self, key: &Secret<String>, which: &str) -> Result<(), Halt> {
        let now = self.control.clock.now();
        let rests = |at: Timestamp| at.plus_seconds(UPSTREAM_QUIET_SECONDS) < now;
        if self.last_used(key).await?.is_none_or(rests) {
            return Ok(());
        }
        Err(Halt::later(format!(
            "calls are still under way with the {which} key; it is deleted when none is"
        )))
    }

    /// Looks whether the old key is still used, by Louver or by somebody else: then its end moves, or somebody is told.
    async fn watch(&self) -> Result<(), Halt> {
        let Self { control, claimed, .. } = self;
        let rotation = self.rotation();
        let Rotation { state, plan, .. } = rotation;
        Self::must_have(self.has(&self.key), Has::New)?;
        let observed_at = state.observed_at.or(self.last_used(&self.key).await?);
        let state = &State { observed_at, ..*state };
        let since = state.watched_since(plan).unwrap_or(state.since);
        let used = self.last_used(self.old_key()?).await?.is_some_and(|at| at >= since);
        let in_use = used || self.is_used_elsewhere(since).await?;
        let now = control.clock.now();
        let looked = Outcome::Looked { in_use };
        if let (true, false, Some(was)) = (in_use, state.looked, state.ends_at.filter(|end| now < *end)) {
            // Told first: who dies here tells it again, and it is told once.
            let end = state.after(plan, looked, now).ends_at.unwrap_or(was);
            told::old_secret_used(control, rotation, was, end).await?;
        }
        let (context, tx, now) = steps::begin(control, rotation).await?;
        let next = state.after(plan, looked, now);
        if next.ends_at != state.ends_at {
            return steps::settle_deed(control, claimed, (context, tx), next).await;
        }
        drop(tx);
        let saved = claimed.note(&control.store, &next, None).await?;
        if saved { Ok(()) } else { Err(Halt::Overtaken) }
    }

    /// Upstream tells the day of a key's last use, and no more: it counts if it is after the day of the move.
    async fn is_used_elsewhere(&self, since: Timestamp) -> Result<bool, Halt> {
        let old = self.ids()?.0;
        let all = self.provider.list(self.admin()?).await?;
        let day = |at: Timestamp| at.rfc3339().chars().take(10).collect::<String>();
        let moved = self.rotation().state.verified_at.unwrap_or(since);
        let used = |key: &Listed| {
            key.last_used.as_ref().is_some_and(|last| *last > day(moved) && *last >= day(since))
        };
        Ok(all.iter().any(|key| key.id == old && used(key)))
    }

    /// Nobody else in Louver has the old key.
    async fn must_be_nobodys(&self) -> Result<(), Halt> {
        let old = self.old_key()?;
        if self.same(old, self.provider.server.key.as_ref()) {
            return Err(Halt::later("the settings have the old key too: take it out there first"));
        }
        let mut tx = self.control.store.begin().await?;
        for other in upstreams::all(&mut tx).await? {
            let place = Place::upstream(other.id, other.organization_id);
            // What does not open is nobody's to use.
            let key = self.control.master.open(&place, &other.sealed_key).ok();
            if self.same(old, key.as_ref()) {
                let sentence =
                    "another upstream credential has the old key too: give it one of its own first";
                return Err(if other.id == self.id {
                    Halt::never("the credential has its old key again: nothing was deleted")
                } else {
                    Halt::later(sentence)
                });
            }
        }
        Ok(())
    }

    /// Upstream deletes the old key.
    async fn delete_old(&self) -> Result<(), Halt> {
        self.must_be_nobodys().await?;
        let Rotation { plan, emergency, .. } = self.rotation();
        if plan.on_old_use == OnOldUse::Hold && !emergency {
            self.must_rest(self.old_key()?, "old").await?;
        }
        self.provider.delete(self.admin()?, self.ids()?.0).await?;
        self.done().await
    }

    /// Upstream refuses the old key.
    async fn check(&self) -> Result<(), Halt> {
        let old = self.old_key()?;
        self.must_refuse(old, "old").await?;
        told::done(self.control, self.rotation()).await?;
        let (context, mut tx, now) = steps::begin(self.control, self.rotation()).await?;
        upstream_rotations::forget_uses(&mut tx, self.id, &self.fingerprint(old)).await?;
        let next = self.rotation().state.after(&self.rotation().plan, Outcome::Worked, now);
        steps::settle_deed(self.control, self.claimed, (context, tx), next).await
    }

    /// Calls are made with the old key again, if upstream takes it and nobody put another one there.
    async fn move_back(&self) -> Result<(), Halt> {
        if self.new.is_none() || self.has(&self.key) != Has::New {
            return steps::advance(self.control, self.claimed).await;
        }
        self.must_take(self.old_key()?, "old").await?;
        self.put(self.old_key()?, Has::New).await
    }

    /// Upstream deletes the new key, and any other that the rotation made.
    async fn delete_new(&self) -> Result<(), Halt> {
        let name = self.name();
        let admin = self.admin.as_ref().ok_or_else(|| {
            let sentence = "without an admin key nothing could be deleted there: delete the key";
            Halt::never(format!("{sentence} {name:?} by hand, if there is one"))
        })?;
        if let Some(new) = &self.new {
            if self.has(&self.key) == Has::New {
                return Err(Halt::later("the credential has the new key still"));
            }
            self.must_rest(new, "new").await?;
        }
        let noted = self.ids.as_ref().and_then(|ids| Uuid::parse_str(&ids.new).ok());
        for key in self.provider.list(admin).await? {
            if key.is_named(&name) || Some(key.id) == noted {
                self.provider.delete(admin, key.id).await?;
            }
        }
        if let Some(new) = &self.new {
            self.must_refuse(new, "new").await?;
        }
        self.done().await
    }
}

async fn load(tx: &mut Tx, rotation: &Rotation, id: UpstreamId) -> Result<Upstream, Halt> {
    let found = upstreams::load(tx, rotation.organization_id, id).await?;
    found.ok_or_else(|| Halt::never("the upstream credential is gone: look after its keys there by hand"))
}
