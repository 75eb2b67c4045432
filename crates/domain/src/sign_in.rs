//! How often somebody may try to sign in: so many attempts for one account, and for one source, in a while.

use crate::id::UserId;
use crate::time::Timestamp;
use std::net::{IpAddr, Ipv6Addr};

/// The while.
pub const WINDOW_SECONDS: i64 = 15 * 60;

/// What attempts are counted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counted {
    /// The mail address that somebody signs in with, whether anybody has it or not.
    Account(String),
    /// Somebody who has a session, and shows more of who they are: strangers cannot use this up.
    Person(UserId),
    /// Where they come from.
    Source(IpAddr),
}

impl Counted {
    /// Attempts in a while.
    pub const fn most(&self) -> u32 {
        match self {
            Self::Account(_) | Self::Person(_) => 10,
            Self::Source(_) => 100,
        }
    }

    /// What the count is kept under. A network of IPv6 is one source, since one machine has all its addresses.
    pub fn name(&self) -> String {
        match self {
            Self::Account(email) => format!("account {email}"),
            Self::Person(id) => format!("person {id}"),
            Self::Source(IpAddr::V4(address)) => format!("source {address}"),
            Self::Source(IpAddr::V6(address)) => {
                let [a, b, c, d, ..] = address.segments();
                format!("source {}", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        }
    }
}

/// Attempts so far, the present one included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// How many.
    pub count: u32,
    /// When the while began.
    pub since: Timestamp,
}

impl Attempts {
    /// Seconds until the next one may come; `None` when this one may go on.
    pub fn wait(&self, most: u32, now: Timestamp) -> Option<u64> {
        let left = self.since.plus_seconds(WINDOW_SECONDS).seconds().saturating_sub(now.seconds());
        (self.count > most).then(|| u64::try_from(left).unwrap_or(0).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_the_last_attempt_waits_until_the_while_is_over() {
        let since = Timestamp::from_micros(0);
        for (count, now, wait) in
            [(10, 0, None), (11, 0, Some(900)), (11, 899, Some(1)), (11, 2_000, Some(1))]
        {
            assert_eq!(Attempts { count, since }.wait(10, since.plus_seconds(now)), wait, "{count} at {now}");
        }
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let name = |text: &str| Counted::Source(text.parse().expect("an address")).name();
        assert_eq!(name("2001:db8:1:2::1"), name("2001:db8:1:2:ffff::9"));
        assert_ne!(name("2001:db8:1:2::1"), name("2001:db8:1:3::1"));
        assert_ne!(name("192.0.2.1"), name("192.0.2.2"));
    }
}
