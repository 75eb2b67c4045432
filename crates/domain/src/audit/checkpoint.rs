//! Signed words about a chain: a checkpoint says how far it had come, a cut says where it now begins.

use super::chain::{Hash, unhex};
use crate::id::OrganizationId;
use crate::secret::Secret;
use crate::time::Timestamp;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use std::fmt;

/// How far a chain had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose chain.
    pub organization_id: OrganizationId,
    /// The place of its last record.
    pub place: u64,
    /// The hash of that record.
    pub hash: Hash,
    /// When that was so.
    pub at: Timestamp,
}

/// What is said about a place in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The chain had come as far as this.
    Checkpoint,
    /// Everything up to this was cut off, and the chain begins after it.
    Cut,
}

impl Checkpoint {
    /// The bytes that are signed. All parts have fixed lengths but the label, which ends them.
    fn bytes(&self, word: Word) -> Vec<u8> {
        let label: &[u8] = match word {
            Word::Checkpoint => b"louver audit checkpoint 1",
            Word::Cut => b"louver audit cut 1",
        };
        let (place, at) = (self.place.to_be_bytes(), self.at.micros().to_be_bytes());
        [self.organization_id.bytes().as_slice(), &place, &self.hash.bytes(), &at, label].concat()
    }
}

/// A checkpoint or a cut with its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// What is said.
    pub checkpoint: Checkpoint,
    /// The Ed25519 signature.
    pub signature: Signature,
}

/// An Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 64]);

impl Signature {
    /// From its 64 bytes.
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// Its 64 bytes.
    pub const fn bytes(&self) -> [u8; 64] {
        self.0
    }

    /// From 128 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        unhex(text).map(Self)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Who can check signatures: anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// From 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        unhex(text).map(Self)
    }

    /// Whether the signature is of this key and over these words.
    pub fn accepts(&self, word: Word, signed: &Signed) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, self.0);
        key.verify(&signed.checkpoint.bytes(word), &signed.signature.0).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Who can sign: the holder of the master key, which is not in the database.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// From 32 secret bytes.
    pub fn from_seed(seed: &Secret<[u8; 32]>) -> Option<Self> {
        Ed25519KeyPair::from_seed_unchecked(seed.expose()).ok().map(Self)
    }

    /// Signs.
    pub fn sign(&self, word: Word, checkpoint: Checkpoint) -> Signed {
        let mut signature = [0; 64];
        let signed = self.0.sign(&checkpoint.bytes(word));
        signature.iter_mut().zip(signed.as_ref()).for_each(|(to, from)| *to = *from);
        Signed { checkpoint, signature: Signature(signature) }
    }

    /// The other half.
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(self.0.public_key().as_ref()).for_each(|(to, from)| *to = *from);
        PublicKey(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, 7.1, test 1 has this seed and this public key.
    #[test]
    fn the_key_is_ed25519() {
        let seed = unhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        let key = SigningKey::from_seed(&Secret::new(seed)).unwrap();
        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert_eq!(key.public().to_string(), public);
        assert_eq!(PublicKey::parse(public), Some(key.public()));
    }

    #[test]
    fn a_signature_is_good_for_its_words_only() {
        let key = SigningKey::from_seed(&Secret::new([1; 32])).unwrap();
        let other = SigningKey::from_seed(&Secret::new([2; 32])).unwrap();
        let said = Checkpoint {
            organization_id: OrganizationId::from_bytes([3; 16]),
            place: 7,
            hash: Hash::from_bytes([4; 32]),
            at: Timestamp::from_micros(5),
        };
        let signed = key.sign(Word::Checkpoint, said);
        assert!(key.public().accepts(Word::Checkpoint, &signed));
        assert!(!key.public().accepts(Word::Cut, &signed), "a checkpoint is no cut");
        assert!(!other.public().accepts(Word::Checkpoint, &signed));
        for changed in [
            Checkpoint { organization_id: OrganizationId::from_bytes([9; 16]), ..said },
            Checkpoint { place: 8, ..said },
            Checkpoint { hash: Hash::START, ..said },
            Checkpoint { at: Timestamp::from_micros(6), ..said },
        ] {
            let forged = Signed { checkpoint: changed, ..signed };
            assert!(!key.public().accepts(Word::Checkpoint, &forged), "{changed:?}");
        }
        assert_eq!(Signature::parse(&signed.signature.to_string()), Some(signed.signature));
        assert_eq!(Signature::parse("zz"), None);
    }
}
