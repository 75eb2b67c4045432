//! Invitations in the database: those that can still be taken up, or have expired unseen; with the mail of each, which
//! nodes claim here when it is due.

use crate::db::{Row, Store, Tx, Value};
use crate::deliveries::LEASE_SECONDS;
use crate::error::StoreError;
use crate::organizations::{read_json, write_json};
use louver_domain::access::Permit;
use louver_domain::deliveries::{DeliveryState, Next};
use louver_domain::id::{InvitationId, OrganizationId, UserId};
use louver_domain::invitations::Invitation;
use louver_domain::keys::Fingerprint;
use louver_domain::time::Timestamp;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization_id, email, roles, workspaces, fingerprint, created_at, expires_at, sealed_token, ",
            "mail_state, mail_attempts, mail_next_at, mail_error, invited_by FROM invitations ",
            $rest
        )
    };
}

/// An invitation with the sealed secret part of its link.
#[derive(Clone, Debug)]
pub struct StoredInvitation {
    /// The invitation.
    pub invitation: Invitation,
    /// The secret part of its link, sealed.
    pub sealed_token: Vec<u8>,
    /// Its mail; none where no mail server was set when it was made.
    pub mail: Option<InvitationMail>,
}

/// The mail that carries an invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationMail {
    /// How it stands.
    pub state: DeliveryState,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is tried next, while it is pending.
    pub next_at: Timestamp,
    /// What went wrong last.
    pub error: Option<String>,
}

impl InvitationMail {
    /// One that is due.
    pub const fn due(now: Timestamp) -> Self {
        Self { state: DeliveryState::Pending, attempts: 0, next_at: now, error: None }
    }
}

/// The invitations of an organization, by mail address.
pub async fn list(store: &Store, organization: OrganizationId) -> Result<Vec<StoredInvitation>, StoreError> {
    let sql = select!("WHERE organization_id = $1 ORDER BY email");
    store.fetch(sql, vec![organization.bytes().into()]).await?.iter().map(read).collect()
}

/// One page of the invitations of an organization by mail address, and how many there are on all pages.
pub async fn page(
    store: &Store,
    organization: OrganizationId,
    filter: &crate::users::Filter,
) -> Result<(Vec<StoredInvitation>, u64), StoreError> {
    let pattern = crate::dialect::holding(&filter.email);
    let values: Vec<Value> = vec![organization.bytes().into(), pattern.into()];
    let count = "SELECT COUNT(*) FROM invitations WHERE organization_id = $1 AND email LIKE $2 ESCAPE '\\'";
    let total = store.fetch(count, values.clone()).await?;
    let total = total.first().map_or(Ok(0), |row| row.count(0))?;
    let sql =
        select!("WHERE organization_id = $1 AND email LIKE $2 ESCAPE '\\' ORDER BY email LIMIT $3 OFFSET $4");
    let paging = [Value::from(filter.limit), Value::from(filter.offset)];
    let rows = store.fetch(sql, values.into_iter().chain(paging).collect()).await?;
    Ok((rows.iter().map(read).collect::<Result<_, _>>()?, total))
}

/// Claims up to `most` mails that are due: their time is moved by [`LEASE_SECONDS`], so that no other node takes them
/// meanwhile, and that they are taken again if this one dies. The attempt is counted.
pub async fn claim(store: &Store, now: Timestamp, most: usize) -> Result<Vec<StoredInvitation>, StoreError> {
    let due =
        select!("WHERE mail_state = 'pending' AND mail_next_at <= $1 ORDER BY mail_next_at, id LIMIT $2");
    let values =
        || -> Vec<Value> { vec![now.micros().into(), i64::try_from(most).unwrap_or(i64::MAX).into()] };
    // Most looks find nothing; they need no transaction.
    if store.fetch(due, values()).await?.is_empty() {
        return Ok(vec![]);
    }
    let mut tx = store.begin().await?;
    let mut claimed = vec![];
    for row in &tx.fetch(due, values()).await? {
        let mut stored = read(row)?;
        let Some(mail) = &mut stored.mail else { continue };
        let lease = now.plus_seconds(LEASE_SECONDS).micros();
        let id = stored.invitation.id.bytes();
        // Another node may have claimed it since the look: then its time is another.
        let sql = "UPDATE invitations SET mail_next_at = $1, mail_attempts = mail_attempts + 1 \
                   WHERE id = $2 AND mail_state = 'pending' AND mail_next_at = $3";
        let values = vec![lease.into(), id.into(), mail.next_at.micros().into()];
        mail.attempts = mail.attempts.saturating_add(1);
        if tx.execute(sql, values).await? == 1 {
            claimed.push(stored);
        }
    }
    tx.commit_plain().await?;
    Ok(claimed)
}

/// Writes what became of an attempt. `error` is a sentence for the admin. The word on a link that was replaced
/// meanwhile, or of an attempt that outlived its lease, does not count.
pub async fn finish(
    store: &Store,
    claimed: &StoredInvitation,
    next: Next,
    error: Option<&str>,
) -> Result<(), StoreError> {
    let attempts = claimed.mail.as_ref().map_or(0, |mail| mail.attempts);
    let mut tx = store.begin().await?;
    tx.execute(
        "UPDATE invitations SET mail_state = $1, mail_next_at = $2, mail_error = $3 \
         WHERE id = $4 AND fingerprint = $5 AND mail_state = 'pending' AND mail_attempts = $6",
        vec![
            next.state.as_str().into(),
            next.at.micros().into(),
            error.map(str::to_owned).into(),
            claimed.invitation.id.bytes().into(),
            claimed.invitation.fingerprint.into(),
            i64::from(attempts).into(),
        ],
    )
    .await?;
    tx.commit_plain().await
}

/// One invitation of an organization, inside a transaction.
pub async fn load(
    tx: &mut Tx,
    organization: OrganizationId,
    id: InvitationId,
) -> Result<Option<StoredInvitation>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND id = $2");
    tx.fetch(sql, vec![organization.bytes().into(), id.bytes().into()]).await?.first().map(read).transpose()
}

/// The invitation of that mail address, inside a transaction.
pub async fn load_by_email(
    tx: &mut Tx,
    organization: OrganizationId,
    email: &str,
) -> Result<Option<StoredInvitation>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND email = $2");
    tx.fetch(sql, vec![organization.bytes().into(), email.into()]).await?.first().map(read).transpose()
}

/// The invitations that a person sent, inside a transaction.
pub async fn load_sent_by(
    tx: &mut Tx,
    organization: OrganizationId,
    user: UserId,
) -> Result<Vec<StoredInvitation>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND invited_by = $2 ORDER BY email");
    tx.fetch(sql, vec![organization.bytes().into(), user.bytes().into()]).await?.iter().map(read).collect()
}

/// The invitation whose link has that fingerprint, of whatever organization.
pub async fn find_by_token(
    store: &Store,
    fingerprint: &Fingerprint,
) -> Result<Option<StoredInvitation>, StoreError> {
    let sql = select!("WHERE fingerprint = $1");
    store.fetch(sql, vec![(*fingerprint).into()]).await?.first().map(read).transpose()
}

/// The same inside a transaction.
pub async fn load_by_token(
    tx: &mut Tx,
    fingerprint: &Fingerprint,
) -> Result<Option<StoredInvitation>, StoreError> {
    let sql = select!("WHERE fingerprint = $1");
    tx.fetch(sql, vec![(*fingerprint).into()]).await?.first().map(read).transpose()
}

/// Adds an invitation; there is one for each mail address.
pub async fn insert(tx: &mut Tx, permit: &Permit, stored: &StoredInvitation) -> Result<(), StoreError> {
    let invitation = &stored.invitation;
    let mail = stored.mail.as_ref();
    tx.execute(
        "INSERT INTO invitations (id, organization_id, email, roles, workspaces, fingerprint, sealed_token, \
         created_at, expires_at, mail_state, mail_attempts, mail_next_at, mail_error, invited_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        vec![
            invitation.id.bytes().into(),
            permit.organization_id().bytes().into(),
            invitation.email.clone().into(),
            write_json(&invitation.roles)?.into(),
            write_json(&invitation.workspaces)?.into(),
            invitation.fingerprint.into(),
            stored.sealed_token.clone().into(),
            invitation.created_at.micros().into(),
            invitation.expires_at.micros().into(),
            mail.map(|mail| mail.state.as_str().to_owned()).into(),
            mail.map_or(0, |mail| i64::from(mail.attempts)).into(),
            mail.map_or(0, |mail| mail.next_at.micros()).into(),
            mail.and_then(|mail| mail.error.clone()).into(),
            invitation.invited_by.map(|id| id.bytes()).into(),
        ],
    )
    .await?;
    Ok(())
}

/// Deletes an invitation: it was taken up, taken back or sent anew.
pub async fn delete(tx: &mut Tx, permit: &Permit, id: InvitationId) -> Result<(), StoreError> {
    let sql = "DELETE FROM invitations WHERE organization_id = $1 AND id = $2";
    tx.execute(sql, vec![permit.organization_id().bytes().into(), id.bytes().into()]).await?;
    Ok(())
}

fn read(row: &Row) -> Result<StoredInvitation, StoreError> {
    let invitation = Invitation {
        id: InvitationId::from_bytes(row.id(0)?),
        organization_id: OrganizationId::from_bytes(row.id(1)?),
        email: row.text(2)?,
        roles: read_json(&row.text(3)?)?,
        workspaces: read_json(&row.text(4)?)?,
        fingerprint: row.array(5)?,
        invited_by: row.opt_id(13)?.map(UserId::from_bytes),
        created_at: Timestamp::from_micros(row.int(6)?),
        expires_at: Timestamp::from_micros(row.int(7)?),
    };
    Ok(StoredInvitation { invitation, sealed_token: row.bytes(8)?, mail: read_mail(row)? })
}

fn read_mail(row: &Row) -> Result<Option<InvitationMail>, StoreError> {
    let Some(state) = row.opt_text(9)? else { return Ok(None) };
    let corrupt = || StoreError::Corrupt("the state of an invitation's mail".into());
    Ok(Some(InvitationMail {
        state: DeliveryState::parse(&state).ok_or_else(corrupt)?,
        attempts: u32::try_from(row.count(10)?).unwrap_or(u32::MAX),
        next_at: Timestamp::from_micros(row.int(11)?),
        error: row.opt_text(12)?,
    }))
}
