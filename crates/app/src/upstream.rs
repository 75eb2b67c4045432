//! Turns the addresses and keys of upstream servers into what the data plane connects with.

use crate::config::{Config, UpstreamKey};
use http::HeaderValue;
use http::uri::{Scheme, Uri};
use louver_gateway::{ServerKind, UpstreamTarget};
use rustls::RootCertStore;
use std::sync::Arc;

/// Scheme, host and port of upstream; it can have nothing else.
pub struct Address {
    tls: bool,
    host: String,
    port: u16,
    authority: String,
}

impl Address {
    /// Reads `https://host[:port]`; plain `http` only to a loopback address.
    pub fn parse(url: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("the address of upstream {url:?}: {why}");
        if url.contains('#') || url.ends_with("//") {
            return Err(wrong("must end after the host and port: Louver adds the paths itself"));
        }
        let uri: Uri = url.trim_end_matches('/').parse().map_err(|_| wrong("is not an address"))?;
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(wrong("must start with https:// (or http:// on this machine)")),
        };
        if uri.path() != "/" || uri.query().is_some() {
            return Err(wrong("must end after the host and port: Louver adds the paths itself"));
        }
        let authority = uri.authority().ok_or_else(|| wrong("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("must not hold credentials"));
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let loopback =
            host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if !tls && !loopback {
            return Err(wrong("plain http would send the key in clear; use https"));
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { tls, host, port, authority: authority.as_str().to_owned() })
    }
}

impl Address {
    /// Whether the host is one of Mistral's own.
    pub fn is_mistrals(&self) -> bool {
        self.tls && self.host.to_ascii_lowercase().ends_with(".mistral.ai")
    }
}

/// The servers of the data plane: the first one, then those with names.
pub fn targets(config: &Config) -> Result<Arc<[UpstreamTarget]>, String> {
    let mut tls = None;
    let mut targets = vec![UpstreamTarget {
        region: config.upstream_region,
        ..target(&config.upstream_url, config.upstream_key.as_ref(), &mut tls)?
    }];
    for server in &config.upstreams {
        targets.push(UpstreamTarget {
            name: Some(server.name.as_str().into()),
            kind: server.kind,
            region: server.region,
            keyless: server.keyless,
            ..target(&server.url, server.key.as_ref(), &mut tls)?
        });
    }
    Ok(targets.into())
}

/// One server. The certificates of the system are read once for all.
fn target(
    url: &str,
    key: Option<&UpstreamKey>,
    known: &mut Option<Arc<rustls::ClientConfig>>,
) -> Result<UpstreamTarget, String> {
    let address = Address::parse(url)?;
    if address.tls && known.is_none() {
        *known = Some(Arc::new(client_tls()?));
    }
    let tls = known.clone().filter(|_| address.tls);
    let credential = key.map(|key| {
        let mut value =
            HeaderValue::try_from(format!("Bearer {}", key.expose())).map_err(|e| e.to_string())?;
        value.set_sensitive(true);
        Ok::<_, String>(value)
    });
    Ok(UpstreamTarget {
        name: None,
        kind: ServerKind::Mistral,
        region: None,
        keyless: false,
        host: address.host,
        port: address.port,
        authority: HeaderValue::try_from(address.authority).map_err(|e| e.to_string())?,
        tls,
        default_credential: credential.transpose()?,
    })
}

/// TLS towards upstream: HTTP/2 when offered.
fn client_tls() -> Result<rustls::ClientConfig, String> {
    let mut config = trusting_system()?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// TLS towards others: the system's roots, verification always on.
pub(crate) fn trusting_system() -> Result<rustls::ClientConfig, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err("the system has no root certificates: install its package of CA certificates".into());
    }
    Ok(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_origin_is_an_upstream() {
        for good in [
            "https://api.mistral.ai",
            "https://api.mistral.ai/",
            "http://127.0.0.1:9000",
            "http://[::1]:9000",
            "http://localhost:1",
        ] {
            assert!(Address::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "api.mistral.ai",
            "ftp://x",
            "http://api.mistral.ai",
            "https://a/v1",
            "https://a/..",
            "https://a/#b",
            "https://a//",
            "https://u:p@a",
            "https://a?x=1",
            "http://10.0.0.1",
        ] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }
}
