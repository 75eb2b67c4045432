//! Links that sign a person in once, found by the fingerprint of a token.

use crate::db::{Row, Store, Tx};
use crate::error::StoreError;
use louver_domain::access::Permit;
use louver_domain::id::{OrganizationId, SignInLinkId, UserId};
use louver_domain::keys::Fingerprint;
use louver_domain::sign_in_links::SignInLink;
use louver_domain::time::Timestamp;

const BY_TOKEN: &str = "SELECT id, organization_id, user_id, fingerprint, created_at, expires_at FROM sign_in_links \
                        WHERE fingerprint = $1";

/// The link of that token, of whatever organization; the caller looks whether it is still good.
pub async fn find_by_token(
    store: &Store,
    fingerprint: &Fingerprint,
) -> Result<Option<SignInLink>, StoreError> {
    store.fetch(BY_TOKEN, vec![(*fingerprint).into()]).await?.first().map(read).transpose()
}

/// The same inside a transaction.
pub async fn load_by_token(tx: &mut Tx, fingerprint: &Fingerprint) -> Result<Option<SignInLink>, StoreError> {
    tx.fetch(BY_TOKEN, vec![(*fingerprint).into()]).await?.first().map(read).transpose()
}

/// Adds a link.
pub async fn insert(tx: &mut Tx, permit: &Permit, link: &SignInLink) -> Result<(), StoreError> {
    let values = vec![
        link.id.bytes().into(),
        permit.organization_id().bytes().into(),
        link.user_id.map(|id| id.bytes()).into(),
        link.fingerprint.into(),
        link.created_at.micros().into(),
        link.expires_at.micros().into(),
    ];
    let sql = "INSERT INTO sign_in_links (id, organization_id, user_id, fingerprint, created_at, expires_at) \
               VALUES ($1, $2, $3, $4, $5, $6)";
    tx.execute(sql, values).await.map(drop)
}

/// Takes a link away that was used.
pub async fn delete(tx: &mut Tx, permit: &Permit, id: SignInLinkId) -> Result<(), StoreError> {
    let sql = "DELETE FROM sign_in_links WHERE organization_id = $1 AND id = $2";
    tx.execute(sql, vec![permit.organization_id().bytes().into(), id.bytes().into()]).await.map(drop)
}

/// Takes away a person's links, or those that are for nobody yet: a newer one replaces them.
pub async fn delete_of(tx: &mut Tx, permit: &Permit, user: Option<UserId>) -> Result<(), StoreError> {
    let organization = permit.organization_id().bytes().into();
    match user {
        Some(user) => {
            let sql = "DELETE FROM sign_in_links WHERE organization_id = $1 AND user_id = $2";
            tx.execute(sql, vec![organization, user.bytes().into()]).await.map(drop)
        }
        None => {
            let sql = "DELETE FROM sign_in_links WHERE organization_id = $1 AND user_id IS NULL";
            tx.execute(sql, vec![organization]).await.map(drop)
        }
    }
}

/// Takes away what is no longer good.
pub async fn prune(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    tx.execute("DELETE FROM sign_in_links WHERE expires_at <= $1", vec![now.micros().into()]).await?;
    tx.commit_plain().await
}

fn read(row: &Row) -> Result<SignInLink, StoreError> {
    Ok(SignInLink {
        id: SignInLinkId::from_bytes(row.id(0)?),
        organization_id: OrganizationId::from_bytes(row.id(1)?),
        user_id: row.opt_id(2)?.map(UserId::from_bytes),
        fingerprint: row.array(3)?,
        created_at: Timestamp::from_micros(row.int(4)?),
        expires_at: Timestamp::from_micros(row.int(5)?),
    })
}
