//! The addresses that a request may name: `https`, a plain host, and not this gateway's own.

/// Whether upstream may be sent to an address that a client named. `own` is how the client names this gateway.
///
/// What two readers of addresses could understand differently is no address here: user names, backslashes, blanks,
/// letters beyond ASCII, an empty host.
pub fn is_foreign(address: &str, own: &str) -> bool {
    let (scheme, rest) = address.split_at_checked(8).unwrap_or_default();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or_default();
    let plain = address.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    let named = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    let port = matches!(port.len(), 1..=5) && port.bytes().all(|byte| byte.is_ascii_digit());
    let secure = scheme.eq_ignore_ascii_case("https://");
    secure
        && plain
        && named
        && port
        && !host_of(host).is_empty()
        && !host_of(host).eq_ignore_ascii_case(host_of(own))
}

/// The host, without a port and the dot that ends a full name.
fn host_of(authority: &str) -> &str {
    authority.split(':').next().unwrap_or_default().trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_addresses_elsewhere_pass() {
        for good in [
            "https://example.com",
            "HTTPS://Example.com/a.mp3",
            "https://example.com:8443/a?b=c#d",
            "https://louver.test.example.com/",
            "https://203.0.113.5/a",
        ] {
            assert!(is_foreign(good, "louver.test:8080"), "{good}");
        }
        for bad in [
            "",
            "https://",
            "https:///a",
            "http://example.com/a",
            "ftp://example.com",
            "file:///etc/passwd",
            "data:audio/wav;base64,AAAA",
            "//example.com",
            "https:/example.com",
            "https:\\\\example.com",
            "https://example.com\\@louver.test/",
            "https://user@example.com/",
            "https://user:x@example.com/",
            "https://example.com:/",
            "https://example.com:443443/",
            "https://exa mple.com",
            "https://example.com/a b",
            "https://ex%61mple.com/",
            "https://[::1]/",
            "https://éxample.com/",
            "https://.",
            "https://louver.test/v1/files/x/content",
            "https://LOUVER.test:443/",
            "https://louver.test./",
            " https://example.com",
        ] {
            assert!(!is_foreign(bad, "louver.test:8080"), "{bad}");
        }
    }
}
