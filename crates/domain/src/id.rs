//! Typed ids: UUIDs of version 7, each with the prefix it is printed with.

use crate::entropy::Entropy;
use crate::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

/// Reads a UUID in either form: with hyphens, or `<prefix>_<32 hex digits>`.
fn parse_either(text: &str, prefix: &str) -> Option<Uuid> {
    let bare = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_'));
    match bare {
        Some(hex) if hex.len() == 32 => Uuid::try_parse(hex).ok(),
        Some(_) => None,
        None if text.len() == 36 => Uuid::try_parse(text).ok(),
        None => None,
    }
}

fn version_7(now: Timestamp, random: &[u8; 10]) -> Uuid {
    let millis = u64::try_from(now.micros().div_euclid(1000)).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid()
}

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id: 48 bits of `now` in milliseconds, 74 random bits.
            pub fn new(now: Timestamp, entropy: &dyn Entropy) -> Self {
                let mut random = [0; 10];
                entropy.fill(&mut random);
                Self(version_7(now, &random))
            }

            /// From the 16 bytes of the UUID.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The 16 bytes of the UUID.
            pub const fn bytes(&self) -> [u8; 16] {
                *self.0.as_bytes()
            }

            /// Reads the UUID, or its prefixed form without hyphens.
            pub fn parse(text: &str) -> Option<Self> {
                parse_either(text, $prefix).map(Self)
            }

            /// The form with hyphens, written into `buffer`.
            pub fn encode<'b>(&self, buffer: &'b mut [u8; 36]) -> &'b str {
                self.0.as_hyphenated().encode_lower(buffer)
            }

            /// The prefixed form: prefix, underscore, 32 hexadecimal digits.
            pub fn prefixed(&self) -> String {
                format!(concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self.0.as_hyphenated(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| {
                    serde::de::Error::custom(concat!("a UUID or ", $prefix, "_ and 32 hexadecimal digits"))
                })
            }
        }
    };
}

typed_id!(
    /// An organization.
    OrganizationId, "org");
typed_id!(
    /// A workspace of an organization.
    WorkspaceId, "ws");
typed_id!(
    /// A person.
    UserId, "user");
typed_id!(
    /// A machine's account that owns keys.
    ServiceAccountId, "sa");
typed_id!(
    /// A budget: always the same for the same scope, window and unit.
    BudgetId, "budget");
typed_id!(
    /// One node's share of a budget in one period.
    LeaseId, "lease");
typed_id!(
    /// A node, for as long as its journal lives.
    NodeId, "node");
typed_id!(
    /// An API key (not its secret, and not the public id inside the secret).
    KeyId, "key");
typed_id!(
    /// An admin key.
    AdminKeyId, "akey");
typed_id!(
    /// A stored upstream credential.
    UpstreamId, "up");
typed_id!(
    /// An object that the provider keeps, as Louver knows it.
    ObjectId, "obj");
typed_id!(
    /// A correction of what was charged.
    AdjustmentId, "adj");
typed_id!(
    /// One request to Louver; also the answer's `x-request-id`.
    RequestId, "req");
typed_id!(
    /// An alert.
    AlertId, "alert");
typed_id!(
    /// A channel that alerts are sent to.
    AlertChannelId, "ach");
typed_id!(
    /// A role on the admin side, built in or custom.
    RoleId, "role");
typed_id!(
    /// A group of people.
    GroupId, "group");
typed_id!(
    /// An invitation into an organization.
    InvitationId, "inv");
typed_id!(
    /// A place outside that secrets of keys are written to.
    SecretDestinationId, "dest");
typed_id!(
    /// A managed rotation of a key's secret.
    RotationId, "rot");
typed_id!(
    /// A session of a person in the console.
    SessionId, "ses");
typed_id!(
    /// A link that signs a person in once.
    SignInLinkId, "link");
typed_id!(
    /// One audit event.
    EventId, "evt");

impl RequestId {
    /// The id of a further attempt at the request: it differs in its last byte only, in which no two requests of a
    /// process differ.
    pub const fn attempt(self, number: u8) -> Self {
        Self(Uuid::from_u128(self.0.as_u128() ^ (number as u128)))
    }

    /// The least id of a request at that time: ids of later requests are greater.
    pub fn first_of(at: Timestamp) -> Self {
        Self(version_7(at, &[0; 10]))
    }
}

impl LeaseId {
    /// The id of the lease of that number in the process of that epoch: a journal need only write down the number.
    pub const fn of(epoch: i64, number: u32) -> Self {
        let (e, n) = (epoch.to_be_bytes(), number.to_be_bytes());
        Self::from_bytes([e[0], e[1], e[2], e[3], e[4], e[5], e[6], e[7], 0, 0, 0, 0, n[0], n[1], n[2], n[3]])
    }
}

/// Makes request ids without a call for entropy each: unique by a counter over a random start, not secret.
pub struct RequestIds {
    seed: u64,
    next: AtomicU64,
}

impl RequestIds {
    /// A sequence with its own random start.
    pub fn new(entropy: &dyn Entropy) -> Self {
        let (mut seed, mut start) = ([0; 8], [0; 8]);
        entropy.fill(&mut seed);
        entropy.fill(&mut start);
        Self { seed: u64::from_le_bytes(seed), next: AtomicU64::new(u64::from_le_bytes(start)) }
    }

    /// The next id.
    pub fn next(&self, now: Timestamp) -> RequestId {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        // Multiplication by an odd constant permutes the 64-bit numbers: no repeat before 2^64 calls.
        let mixed = count.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ self.seed;
        let mut random = [0; 10];
        for (to, from) in
            random.iter_mut().zip(mixed.to_be_bytes().into_iter().chain(self.seed.to_be_bytes()))
        {
            *to = from;
        }
        RequestId(version_7(now, &random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;
    impl Entropy for Fixed {
        fn fill(&self, out: &mut [u8]) {
            out.fill(7);
        }
    }

    #[test]
    fn both_forms_are_read() {
        let id = WorkspaceId::new(Timestamp::from_micros(1_700_000_000_000_000), &Fixed);
        assert_eq!(WorkspaceId::parse(&id.to_string()), Some(id));
        assert_eq!(WorkspaceId::parse(&id.prefixed()), Some(id));
        for bad in
            ["", "ws_", "ws_123", "key_0193", &id.to_string()[1..], "ws_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"]
        {
            assert_eq!(WorkspaceId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn request_ids_do_not_repeat() {
        let ids = RequestIds::new(&Fixed);
        let now = Timestamp::from_micros(0);
        let seen: std::collections::HashSet<_> = (0..10_000).map(|_| ids.next(now)).collect();
        assert_eq!(seen.len(), 10_000);
    }
}
