//! Encryption at rest: a stored secret opens only with the master key, and only in the row it was sealed for.
//!
//! A sealed value is: one byte of format (1), eight bytes of key id, twelve of nonce, then AES-256-GCM ciphertext and
//! tag. The associated data is `table|column|row id|organization id`, so that rows cannot be swapped.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest;
use aws_lc_rs::hmac;
use louver_domain::audit::checkpoint::SigningKey;
use louver_domain::entropy::Entropy;
use louver_domain::id::{
    AlertChannelId, InvitationId, OrganizationId, RequestId, RotationId, SecretDestinationId, UpstreamId,
    UserId,
};
use louver_domain::keys::Pepper;
use louver_domain::secret::Secret;

const FORMAT: u8 = 1;
const KEY_ID: usize = 8;

/// The key that seals stored secrets. It comes from a file outside the database.
pub struct MasterKey {
    bytes: Secret<[u8; 32]>,
    key: LessSafeKey,
    id: [u8; KEY_ID],
}

/// A sealed value does not open: wrong master key, or the value was moved or changed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value does not open with this master key")]
pub struct WrongMasterKey;

impl MasterKey {
    /// From 32 secret bytes.
    pub fn new(bytes: Secret<[u8; 32]>) -> Result<Self, WrongMasterKey> {
        let key = UnboundKey::new(&AES_256_GCM, bytes.expose()).map_err(|_| WrongMasterKey)?;
        let hash =
            digest::digest(&digest::SHA256, &[b"louver master key id".as_slice(), bytes.expose()].concat());
        let mut id = [0; KEY_ID];
        id.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
        Ok(Self { bytes, key: LessSafeKey::new(key), id })
    }

    /// The pepper for the fingerprints of keys, which follows from the master key.
    pub fn pepper(&self) -> Pepper {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.bytes.expose());
        let tag = hmac::sign(&key, b"louver key pepper 1");
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        Pepper::new(&bytes)
    }

    /// The key that signs the checkpoints of the audit log, which follows from the master key. Any seed is one.
    pub fn audit_key(&self) -> Result<SigningKey, WrongMasterKey> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.bytes.expose());
        let mut seed = [0; 32];
        let tag = hmac::sign(&key, b"louver audit checkpoints 1");
        seed.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        SigningKey::from_seed(&Secret::new(seed)).ok_or(WrongMasterKey)
    }

    /// Seals `secret` for one place.
    pub fn seal(
        &self,
        place: &Place,
        secret: &Secret<String>,
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, WrongMasterKey> {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce);
        let mut sealed = secret.expose().as_bytes().to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.words()),
                &mut sealed,
            )
            .map_err(|_| WrongMasterKey)?;
        Ok([[FORMAT].as_slice(), &self.id, &nonce, &sealed].concat())
    }

    /// Opens what was sealed for that place.
    pub fn open(&self, place: &Place, sealed: &[u8]) -> Result<Secret<String>, WrongMasterKey> {
        let rest = sealed.strip_prefix(&[FORMAT]).ok_or(WrongMasterKey)?;
        let rest = rest.strip_prefix(self.id.as_slice()).ok_or(WrongMasterKey)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>().ok_or(WrongMasterKey)?;
        let mut buffer = ciphertext.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self
            .key
            .open_in_place(nonce, Aad::from(place.words()), &mut buffer)
            .map_err(|_| WrongMasterKey)?;
        String::from_utf8(plain.to_vec()).map(Secret::new).map_err(|_| WrongMasterKey)
    }
}

/// The one place that a sealed value is good for.
pub struct Place {
    words: String,
}

impl Place {
    /// The key of an upstream credential.
    pub fn upstream(id: UpstreamId, organization: OrganizationId) -> Self {
        Self { words: format!("upstreams|sealed_key|{id}|{organization}") }
    }

    /// The admin key of an upstream credential.
    pub fn upstream_admin(id: UpstreamId, organization: OrganizationId) -> Self {
        Self { words: format!("upstreams|sealed_admin_key|{id}|{organization}") }
    }

    /// The address and signing secret of an alert channel.
    pub fn alert_channel(id: AlertChannelId, organization: OrganizationId) -> Self {
        Self { words: format!("alert_channels|sealed_target|{id}|{organization}") }
    }

    /// The credentials of a destination of secrets.
    pub fn secret_destination(id: SecretDestinationId, organization: OrganizationId) -> Self {
        Self { words: format!("secret_destinations|sealed_credentials|{id}|{organization}") }
    }

    /// The new secret of a rotation, until it was seen to work.
    pub fn new_secret(id: RotationId, organization: OrganizationId) -> Self {
        Self { words: format!("rotations|sealed_new|{id}|{organization}") }
    }

    /// The old secret of a rotation, until it is refused.
    pub fn old_secret(id: RotationId, organization: OrganizationId) -> Self {
        Self { words: format!("rotations|sealed_old|{id}|{organization}") }
    }

    /// The secret part of an invitation's link.
    pub fn invitation(id: InvitationId, organization: OrganizationId) -> Self {
        Self { words: format!("invitations|sealed_token|{id}|{organization}") }
    }

    /// The answer that one run of a request gave.
    pub fn answer(run: RequestId, organization: OrganizationId) -> Self {
        Self { words: format!("idempotency_keys|sealed_answer|{run}|{organization}") }
    }

    /// What a person's device shares with Louver.
    pub fn second_factor(id: UserId, organization: OrganizationId) -> Self {
        Self { words: format!("second_factors|sealed_secret|{id}|{organization}") }
    }

    fn words(&self) -> &[u8] {
        self.words.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(std::sync::atomic::AtomicU8);
    impl Entropy for Counting {
        fn fill(&self, out: &mut [u8]) {
            out.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        }
    }

    #[test]
    fn opens_only_in_its_place_with_its_key() {
        let entropy = Counting(1.into());
        let master = MasterKey::new(Secret::new([1; 32])).unwrap();
        let other = MasterKey::new(Secret::new([2; 32])).unwrap();
        let (a, b) = (UpstreamId::from_bytes([1; 16]), UpstreamId::from_bytes([2; 16]));
        let (own, foreign) = (OrganizationId::from_bytes([3; 16]), OrganizationId::from_bytes([4; 16]));
        let place = Place::upstream(a, own);
        let sealed = master.seal(&place, &Secret::new("the key".into()), &entropy).unwrap();
        assert_eq!(master.open(&place, &sealed).ok().unwrap().expose(), "the key");
        assert!(!sealed.windows(7).any(|w| w == b"the key"));
        assert!(master.open(&Place::upstream(b, own), &sealed).is_err());
        assert!(master.open(&Place::upstream(a, foreign), &sealed).is_err());
        assert!(master.open(&Place::upstream_admin(a, own), &sealed).is_err());
        assert!(other.open(&place, &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(master.open(&place, &changed).is_err(), "byte {at}");
            assert!(master.open(&place, &sealed[..at]).is_err(), "cut at {at}");
        }
    }
}
