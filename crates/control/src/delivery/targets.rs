//! Where webhooks may go: public addresses over HTTPS on port 443, and what the operator lets in besides.
//!
//! An address is looked at twice: its text when it is stored, and what its name resolves to at each connect. Only an
//! address that passed is connected to, so that a name that changes its mind gains nothing.

use http::Uri;
use http::uri::Scheme;
use louver_domain::network::Cidr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Receivers that need not be public, and may use other ports and plain HTTP.
#[derive(Clone, Debug, Default)]
pub struct AllowedTargets {
    hosts: Vec<(String, u16)>,
    blocks: Vec<Cidr>,
}

impl AllowedTargets {
    /// Reads entries that are each `host:port` or a block of addresses.
    pub fn parse(entries: &[String]) -> Result<Self, String> {
        let mut allowed = Self::default();
        for entry in entries {
            if let Some(block) = Cidr::parse(entry) {
                allowed.blocks.push(block);
                continue;
            }
            let wrong = || format!("{entry:?} is neither host:port nor a block such as 10.1.2.0/24");
            let (host, port) = entry.rsplit_once(':').ok_or_else(wrong)?;
            let (host, _) = read_host(host).ok_or_else(wrong)?;
            let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
            allowed.hosts.push((host, port));
        }
        Ok(allowed)
    }

    fn names(&self, host: &str, port: u16) -> bool {
        self.hosts.iter().any(|(name, known)| name == host && *known == port)
    }

    /// Whether a connection for `address` may go to `ip`, one of those that its host resolved to.
    pub fn admits(&self, address: &Address, ip: IpAddr) -> bool {
        let usual = address.tls && address.port == HTTPS && is_public(ip);
        usual || self.names(&address.host, address.port) || self.blocks.iter().any(|block| block.contains(ip))
    }
}

const HTTPS: u16 = 443;
const HTTP: u16 = 80;
const LONGEST_URL: usize = 2048;

/// An address that was read, with nothing in it that readers might read in two ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Whether it is `https`.
    pub tls: bool,
    /// A name in small letters, or an IP address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Path and query, beginning with a slash.
    pub path: String,
}

impl Address {
    /// Reads an address; the error is a sentence about the text, never about the network.
    pub fn parse(url: &str, allowed: &AllowedTargets) -> Result<Self, &'static str> {
        // What URL readers disagree about is refused before one of them reads it.
        let plain = |byte: u8| byte.is_ascii_graphic() && !br#"\<>"^`{|}#"#.contains(&byte);
        if url.len() > LONGEST_URL || !url.bytes().all(plain) {
            return Err("expected an address of at most 2,048 visible ASCII characters, without a fragment");
        }
        let uri: Uri = url.parse().map_err(|_| "expected an address such as https://example.com/path")?;
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err("must begin with https://"),
        };
        let authority = uri.authority().ok_or("has no host")?;
        if authority.as_str().contains('@') {
            return Err("must not hold credentials");
        }
        let (host, literal) = read_host(authority.host())
            .ok_or("has a host that is neither a name nor an IP address in its usual form")?;
        let written = authority.as_str().strip_prefix(authority.host()).unwrap_or("?");
        let port = read_port(written).ok_or("has a port that is no port")?;
        let port = port.unwrap_or(if tls { HTTPS } else { HTTP });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let address = Self { tls, host, port, path };
        address.check(literal, allowed)?;
        Ok(address)
    }

    /// What can be said before the name is resolved.
    fn check(&self, literal: Option<IpAddr>, allowed: &AllowedTargets) -> Result<(), &'static str> {
        if let Some(ip) = literal {
            return if allowed.admits(self, ip) {
                Ok(())
            } else {
                Err("must lead to a public address, by https on port 443")
            };
        }
        // A name may turn out to lie in an allowed block; then it is judged at the connect.
        let usual = self.tls && self.port == HTTPS;
        if usual || allowed.names(&self.host, self.port) || !allowed.blocks.is_empty() {
            return Ok(());
        }
        Err("must be https, on port 443")
    }

    /// Host and port as people see it; the rest may be a secret.
    pub fn destination(&self) -> String {
        let host = self.bracketed();
        if self.tls && self.port == HTTPS { host } else { format!("{host}:{}", self.port) }
    }

    fn bracketed(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }

    /// The addresses behind the host that may be connected to.
    pub(crate) async fn resolve(&self, allowed: &AllowedTargets) -> Vec<SocketAddr> {
        let found: Vec<SocketAddr> = match self.host.parse::<IpAddr>() {
            Ok(ip) => vec![SocketAddr::new(ip, self.port)],
            Err(_) => tokio::net::lookup_host((self.host.as_str(), self.port))
                .await
                .map_or_else(|_| vec![], Iterator::collect),
        };
        found.into_iter().filter(|socket| allowed.admits(self, socket.ip())).collect()
    }
}

/// The host in small letters without brackets, and the IP address that it is, if it is one. Brackets are for IPv6.
fn read_host(written: &str) -> Option<(String, Option<IpAddr>)> {
    let bare = written.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(bare) = bare {
        let ip: Ipv6Addr = bare.parse().ok()?;
        return Some((ip.to_string(), Some(IpAddr::V6(ip))));
    }
    let host = written.to_ascii_lowercase();
    match host.parse::<Ipv4Addr>() {
        Ok(ip) => Some((host, Some(IpAddr::V4(ip)))),
        Err(_) => is_name(&host).then_some((host, None)),
    }
}

/// The port behind a host, if there is one: `http` takes `:+443`, and reads `:` and `:99999` as none.
fn read_port(written: &str) -> Option<Option<u16>> {
    if written.is_empty() {
        return Some(None);
    }
    let digits = written.strip_prefix(':').filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
    digits.parse().ok().filter(|port| *port != 0).map(Some)
}

/// A DNS name in small letters. Its last label is not a number: `2130706433`, `0x7f.1` and `017.0.0.1` are addresses
/// to some resolvers.
fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    let number = last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x");
    host.len() <= 253 && host.split('.').all(label) && !number
}

/// Whether an address is a public unicast one. Sources: the IANA registries of special-purpose IPv4 and IPv6
/// addresses; of IPv6 only 2000::/3 is given out at all.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => !SPECIAL_V4.iter().any(|(block, bits)| within_v4(v4, *block, *bits)),
        IpAddr::V6(v6) => {
            within_v6(v6, Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3)
                && !SPECIAL_V6.iter().any(|(block, bits)| within_v6(v6, *block, *bits))
        }
    }
}

const SPECIAL_V4: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    // Carrier-grade NAT.
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Link-local, with the metadata service of clouds.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 52, 193, 0), 24),
    // Relays of 6to4.
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast, reserved and broadcast: 224/4 and 240/4.
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// Inside 2000::/3; NAT64, mapped, unique local, link-local and multicast addresses lie outside of it.
const SPECIAL_V6: [(Ipv6Addr, u32); 5] = [
    // Protocols, Teredo among them.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    // 6to4, which carries an IPv4 address.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

fn within_v4(ip: Ipv4Addr, block: Ipv4Addr, bits: u32) -> bool {
    let mask = u32::MAX.checked_shl(u32::BITS.saturating_sub(bits)).unwrap_or(0);
    u32::from(ip) & mask == u32::from(block)
}

fn within_v6(ip: Ipv6Addr, block: Ipv6Addr, bits: u32) -> bool {
    let mask = u128::MAX.checked_shl(u128::BITS.saturating_sub(bits)).unwrap_or(0);
    u128::from(ip) & mask == u128::from(block)
}

#[cfg(test)]
mod tests;
