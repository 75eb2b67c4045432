//! The life of a key: its format, what is stored of it, and when it is accepted.
//!
//! A key reads `lvr_<public id>_<secret><checksum>` (`lva_` for admin keys): 12 base62 characters to look it up
//! by, 43 that carry 256 random bits, 6 of the CRC-32 of everything before them. The expression for scanners is
//! `lv[ra]_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}`. The checksum finds typing errors offline; it is no security.

use crate::entropy::Entropy;
use crate::id::{AdminKeyId, KeyId, OrganizationId, ServiceAccountId, UserId, WorkspaceId};
use crate::limits::Limits;
use crate::network::Cidr;
use crate::secret::Secret;
use crate::time::Timestamp;
use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PUBLIC_ID: usize = 12;
const SECRET: usize = 43;
const CHECKSUM: usize = 6;
/// Characters of a whole key.
pub const KEY_LENGTH: usize = 4 + PUBLIC_ID + 1 + SECRET + CHECKSUM;

/// The two disjoint kinds of keys; neither works in the other's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// Calls models.
    Api,
    /// Calls the admin API.
    Admin,
}

impl KeyKind {
    /// What keys of this kind begin with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Api => "lvr_",
            Self::Admin => "lva_",
        }
    }
}

/// The part of a key that is stored in clear and found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PublicId([u8; PUBLIC_ID]);

impl PublicId {
    /// From its characters, as stored.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; PUBLIC_ID] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_alphanumeric).then_some(Self(bytes))
    }

    /// Its 12 characters.
    pub fn as_str(&self) -> &str {
        // Only ASCII letters and digits ever come in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// HMAC-SHA-256 of a whole key under the pepper: all that is stored of a secret.
pub type Fingerprint = [u8; 32];

/// The secret that fingerprints are made with. It is kept outside the database.
pub struct Pepper {
    key: hmac::Key,
}

impl Pepper {
    /// From 32 secret bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, bytes) }
    }

    /// A workspace's own name for what a client calls `key`: nobody else can make it, or learn `key` from it.
    pub fn name_of(&self, workspace: WorkspaceId, key: &str) -> String {
        let text = format!("prompt-cache-key {workspace} {key}");
        hmac::sign(&self.key, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The fingerprint of a whole key.
    pub fn fingerprint(&self, key: &str) -> Fingerprint {
        let tag = hmac::sign(&self.key, key.as_bytes());
        let mut out = [0; 32];
        for (to, from) in out.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        out
    }
}

/// Whether two fingerprints are equal, in time that does not depend on where they differ.
pub fn same_fingerprint(a: &Fingerprint, b: &Fingerprint) -> bool {
    a.ct_eq(b).into()
}

/// A key just made: the only moment its secret exists in Louver.
pub struct MintedKey {
    /// What it is found by.
    pub public_id: PublicId,
    /// The whole key, to be shown once.
    pub secret: Secret<String>,
    /// The last four characters, for people to tell keys apart.
    pub last_four: String,
}

/// Makes a new key.
pub fn mint(kind: KeyKind, entropy: &dyn Entropy) -> MintedKey {
    let mut id_bytes = [0; 9];
    entropy.fill(&mut id_bytes);
    let mut secret_bytes = [0; 32];
    entropy.fill(&mut secret_bytes);
    let secret_bytes = Secret::new(secret_bytes);
    let id = base62(&id_bytes, PUBLIC_ID);
    let mut key = format!("{}{id}_{}", kind.prefix(), base62(secret_bytes.expose(), SECRET));
    key.push_str(&checksum(&key));
    let last_four = key.chars().skip(KEY_LENGTH.saturating_sub(4)).collect();
    let mut public_id = [b'0'; PUBLIC_ID];
    for (to, from) in public_id.iter_mut().zip(id.bytes()) {
        *to = from;
    }
    MintedKey { public_id: PublicId(public_id), secret: Secret::new(key), last_four }
}

/// Reads the public id out of a well-formed key of `kind`; `None` for anything else, including a bad checksum.
pub fn read_public_id(kind: KeyKind, key: &str) -> Option<PublicId> {
    if key.len() != KEY_LENGTH || !key.is_ascii() {
        return None;
    }
    let body = key.strip_prefix(kind.prefix())?;
    let (id, rest) = body.split_at_checked(PUBLIC_ID)?;
    let rest = rest.strip_prefix('_')?;
    let checked = key.get(..KEY_LENGTH.checked_sub(CHECKSUM)?)?;
    let sum = key.get(checked.len()..)?;
    let clean = rest.bytes().all(|b| b.is_ascii_alphanumeric());
    (clean && checksum(checked) == sum).then(|| PublicId::parse(id))?
}

/// Whether some text holds what looks like one of our keys (to refuse it where it would be logged).
pub fn looks_like_key(text: &str) -> bool {
    [KeyKind::Api, KeyKind::Admin].iter().any(|kind| {
        text.match_indices(kind.prefix()).any(|(at, _)| {
            text.get(at..).is_some_and(|t| {
                t.bytes().skip(4).take(PUBLIC_ID).filter(u8::is_ascii_alphanumeric).count() == PUBLIC_ID
            })
        })
    })
}

fn checksum(text: &str) -> String {
    base62(&crc32fast::hash(text.as_bytes()).to_be_bytes(), CHECKSUM)
}

/// The big-endian number in `bytes`, modulo 62^`width`, in base 62 with leading zeros.
pub(crate) fn base62(bytes: &[u8], width: usize) -> String {
    let mut number = bytes.to_vec();
    let mut digits = Vec::with_capacity(width);
    for _ in 0..width {
        let mut remainder: u32 = 0;
        for byte in &mut number {
            let value = (remainder << 8) | u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            remainder = value % 62;
        }
        let digit = usize::try_from(remainder).ok().and_then(|i| ALPHABET.get(i)).copied().unwrap_or(b'0');
        digits.push(char::from(digit));
    }
    digits.iter().rev().collect()
}

/// Who a key belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Nobody in particular: the workspace.
    Workspace,
    /// A person.
    User(UserId),
    /// A machine's account.
    ServiceAccount(ServiceAccountId),
}

/// Whose rights an admin key carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminHolder {
    /// All of the organization's.
    Organization,
    /// A person's: what their roles give them at the time of each request.
    User(UserId),
    /// A service account's.
    ServiceAccount(ServiceAccountId),
}

/// What an admin set a key to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyStatus {
    /// Accepted until it expires.
    Active,
    /// Refused until it is enabled again.
    Disabled,
    /// Refused for good.
    Revoked,
}

impl KeyStatus {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Revoked => "revoked",
        }
    }

    /// From its stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Disabled, Self::Revoked].into_iter().find(|s| s.as_str() == text)
    }
}

/// An API key as stored: everything but its secret.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Its id.
    pub id: KeyId,
    /// The organization it belongs to.
    pub organization_id: OrganizationId,
    /// The workspace it belongs to, for good.
    pub workspace_id: WorkspaceId,
    /// Who owns it.
    pub owner: Owner,
    /// A name for people.
    pub name: String,
    /// A description for people.
    pub description: Option<String>,
    /// What it is found by.
    pub public_id: PublicId,
    /// What its secret is compared with.
    pub fingerprint: Fingerprint,
    /// The last four characters of the secret.
    pub last_four: String,
    /// Its own limits; they can only narrow those above it.
    pub limits: Limits,
    /// A model role of its own, besides its owner's.
    pub role: Option<String>,
    /// The addresses it may be used from; `None` is any.
    pub allowed_cidrs: Option<Vec<Cidr>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// When it was last used; up to a minute behind.
    pub last_used_at: Option<Timestamp>,
    /// What an admin set it to.
    pub status: KeyStatus,
    /// Who made it, by name.
    pub created_by: Option<String>,
    /// When it was enabled last, if it ever was disabled.
    pub enabled_at: Option<Timestamp>,
    /// A bait: it is refused like a key that is not there, and people are told who tried it.
    pub canary: bool,
}

impl ApiKey {
    /// Whether the key is accepted at `now`: active, and strictly before its expiry.
    pub fn is_accepted(&self, now: Timestamp) -> bool {
        self.status == KeyStatus::Active && self.expires_at.is_none_or(|end| now < end)
    }

    /// Who a model role's daily tokens are counted for: the owner, or the key itself.
    pub const fn holder(&self) -> [u8; 16] {
        match self.owner {
            Owner::Workspace => self.id.bytes(),
            Owner::User(id) => id.bytes(),
            Owner::ServiceAccount(id) => id.bytes(),
        }
    }

    /// The status to show: what was set, or `expired`.
    pub fn shown_status(&self, now: Timestamp) -> &'static str {
        match self.status {
            KeyStatus::Active if !self.is_accepted(now) => "expired",
            status => status.as_str(),
        }
    }

    /// A stand-in for the secret that tells keys apart: prefix, and the last four characters.
    pub fn hidden(&self) -> String {
        format!("lvr_…{}", self.last_four)
    }
}

/// An admin key as stored: everything but its secret.
#[derive(Clone, Debug)]
pub struct AdminKey {
    /// Its id.
    pub id: AdminKeyId,
    /// The organization it administers.
    pub organization_id: OrganizationId,
    /// Whose rights it carries.
    pub holder: AdminHolder,
    /// A name for people.
    pub name: String,
    /// What it is found by.
    pub public_id: PublicId,
    /// What its secret is compared with.
    pub fingerprint: Fingerprint,
    /// The last four characters of the secret.
    pub last_four: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// What it was set to.
    pub status: KeyStatus,
}

impl AdminKey {
    /// Whether the key is accepted at `now`.
    pub fn is_accepted(&self, now: Timestamp) -> bool {
        self.status == KeyStatus::Active && self.expires_at.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Bytes(u8);
    impl Entropy for Bytes {
        fn fill(&self, out: &mut [u8]) {
            for (i, byte) in out.iter_mut().enumerate() {
                *byte = self.0.wrapping_mul(31).wrapping_add(i as u8).wrapping_mul(17);
            }
        }
    }

    #[test]
    fn a_minted_key_reads_back_and_nothing_else_does() {
        let minted = mint(KeyKind::Api, &Bytes(3));
        let key = minted.secret.expose();
        assert_eq!(key.len(), KEY_LENGTH);
        assert_eq!(read_public_id(KeyKind::Api, key), Some(minted.public_id));
        assert_eq!(read_public_id(KeyKind::Admin, key), None, "kinds are disjoint");
        for at in 0..key.len() {
            let mut typo: Vec<u8> = key.bytes().collect();
            typo[at] = if typo[at] == b'x' { b'y' } else { b'x' };
            assert_eq!(
                read_public_id(KeyKind::Api, std::str::from_utf8(&typo).unwrap()),
                None,
                "typo at {at}"
            );
        }
        assert!(looks_like_key(&format!("api_key={key}")));
        assert!(!looks_like_key("lvr_short"));
    }

    #[test]
    fn fingerprints_depend_on_pepper_and_key() {
        let (a, b) = (Pepper::new(&[1; 32]), Pepper::new(&[2; 32]));
        assert!(same_fingerprint(&a.fingerprint("k"), &a.fingerprint("k")));
        assert!(!same_fingerprint(&a.fingerprint("k"), &b.fingerprint("k")));
        assert!(!same_fingerprint(&a.fingerprint("k"), &a.fingerprint("l")));
    }

    #[test]
    fn base62_keeps_all_256_bits() {
        assert_eq!(base62(&[0; 32], SECRET), "0".repeat(SECRET));
        assert_ne!(base62(&[0xff; 32], SECRET), base62(&[[0x7f].as_slice(), &[0xff; 31]].concat(), SECRET));
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in "\\PC{0,80}") {
            let _ = read_public_id(KeyKind::Api, &text);
            let _ = looks_like_key(&text);
        }
    }
}
