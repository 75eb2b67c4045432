//! Secrets that Louver hands out besides keys: of links that work once, and of sessions.

use crate::entropy::Entropy;
use crate::keys::{Fingerprint, Pepper, base62};
use crate::secret::Secret;

/// What a token is good for. Each has fingerprints of its own, so that none is taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The link of an invitation.
    Invitation,
    /// A session in the console.
    Session,
    /// A link that signs somebody in once.
    SignInLink,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::Session => "session",
            Self::SignInLink => "sign-in link",
        }
    }
}

/// Characters of a token: 256 bits in base 62.
const LENGTH: usize = 43;

/// Makes a token.
pub fn mint(entropy: &dyn Entropy) -> Secret<String> {
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes);
    Secret::new(base62(Secret::new(bytes).expose(), LENGTH))
}

/// The fingerprint of a token; `None` for what cannot be one.
pub fn fingerprint(pepper: &Pepper, purpose: Purpose, token: &str) -> Option<Fingerprint> {
    let sound = token.len() == LENGTH && token.bytes().all(|b| b.is_ascii_alphanumeric());
    sound.then(|| pepper.fingerprint(&format!("{} {token}", purpose.as_str())))
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
    fn tokens_differ_and_nothing_else_has_a_fingerprint() {
        let (entropy, pepper) = (Counting(250.into()), Pepper::new(&[9; 32]));
        let (one, two) = (mint(&entropy), mint(&entropy));
        assert_ne!(one.expose(), two.expose());
        let print = |token: &str, purpose| fingerprint(&pepper, purpose, token);
        let of_one = [Purpose::Invitation, Purpose::Session, Purpose::SignInLink]
            .map(|purpose| print(one.expose(), purpose).expect("a token"));
        assert!(of_one[0] != of_one[1] && of_one[1] != of_one[2] && of_one[0] != of_one[2]);
        assert_ne!(Some(of_one[0]), print(two.expose(), Purpose::Invitation));
        assert!(!of_one.contains(&pepper.fingerprint(one.expose())), "keys have fingerprints of their own");
        for bad in ["", "x", &one.expose()[1..], &format!("{}0", one.expose()), &"/".repeat(LENGTH)] {
            assert_eq!(print(bad, Purpose::Session), None, "{bad}");
        }
    }
}
