//! The addresses that a request names: `https` with a plain host, or the thing itself as `data:`; nothing else.
//!
//! Two readers of addresses disagree about user names, backslashes, blanks and odd hosts. An address in which they
//! could does not pass, so that the host that is judged here is the host that upstream would ask.

use super::Reader;
use super::path::Path;
use crate::json::{Cursor, Fault, Kind};

/// What stands in the place of an address.
pub(super) enum Address<'a> {
    /// `https`, the host in small letters.
    Remote(String),
    /// The thing itself; behind `data:`.
    Inline(&'a str),
}

/// Reads an address.
pub(super) fn address(text: &str) -> Option<Address<'_>> {
    let (scheme, rest) = text.split_once(':')?;
    if scheme.eq_ignore_ascii_case("data") {
        return Some(Address::Inline(rest));
    }
    let rest = rest.strip_prefix("//").filter(|_| scheme.eq_ignore_ascii_case("https"))?;
    if rest.bytes().any(|byte| byte <= b' ' || byte == b'\\' || byte == 0x7f) {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    host(rest.get(..end)?).map(Address::Remote)
}

/// The host of `host` or `host:port`.
fn host(authority: &str) -> Option<String> {
    let bracket = authority.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (host, behind) = match bracket {
        Some((address, behind)) => {
            let plain = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
            (Some(address).filter(|address| address.bytes().all(plain))?, behind)
        }
        None => {
            let (host, behind) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
            (Some(host).filter(|host| host.bytes().all(plain))?, behind)
        }
    };
    let port = behind.strip_prefix(':').map_or(behind.is_empty(), |port| {
        !port.is_empty() && port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit())
    });
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    (port && !host.is_empty()).then_some(host)
}

impl Reader {
    /// Consumes an address, and hands what is inline to `look`. What is inline does not count as text.
    pub(super) fn url(
        &mut self,
        cursor: &mut Cursor<'_>,
        path: &Path<'_>,
        look: impl FnOnce(&mut Self, Option<&str>),
    ) -> Result<(), Fault> {
        if cursor.kind()? != Kind::String {
            self.refuse_at(path, "string_type", "Input should be a valid string");
            return cursor.skip();
        }
        let before = cursor.string_bytes();
        let text = cursor.string()?.decoded();
        match address(&text) {
            Some(Address::Remote(_)) => look(self, None),
            Some(Address::Inline(inline)) => {
                cursor.set_string_bytes(before);
                look(self, Some(inline));
            }
            None => {}
        }
        self.judge_url(&text, path);
        Ok(())
    }

    /// Takes note of the host of an address, or refuses what is none.
    pub(super) fn judge_url(&mut self, text: &str, path: &Path<'_>) {
        match address(text) {
            Some(Address::Remote(host)) => self.request.hosts.push(host),
            Some(Address::Inline(_)) => {}
            None => self.refuse_at(path, "url_scheme", "URL should be a plain https or data URL"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_two_readers_could_read_differently_do_not_pass() {
        let read = |text: &str| match address(text) {
            Some(Address::Remote(host)) => host,
            Some(Address::Inline(_)) => "inline".to_owned(),
            None => String::new(),
        };
        for (text, host) in [
            ("https://example.com/a.pdf?x=1#y", "example.com"),
            ("HTTPS://Example.COM.:8443", "example.com"),
            ("https://a_b.example.com?x", "a_b.example.com"),
            ("https://[2001:DB8::1]:443/x", "2001:db8::1"),
            ("https://example.com/ä", "example.com"),
            ("data:application/pdf;base64,AA", "inline"),
            ("DATA:,x", "inline"),
        ] {
            assert_eq!(read(text), host, "{text}");
        }
        for text in [
            "http://example.com",
            "ftp://example.com",
            "file:///etc/passwd",
            "gopher://x",
            "//example.com",
            "example.com",
            "https:example.com",
            "https:/example.com",
            "https://",
            "https:///x",
            "https://user@example.com",
            "https://a:b@example.com/",
            "https://example.com\\@evil.test/",
            "https://exa mple.com",
            "https://example.com/\t",
            "https://example.com/a b",
            " https://example.com",
            "https://ex%61mple.com",
            "https://ｅxample.com",
            "https://example.com:",
            "https://example.com:x",
            "https://example.com:123456",
            "https://[::1",
            "https://[::1]x",
            "https://[fe80::1%25eth0]/",
            "https://.",
            "",
        ] {
            assert_eq!(read(text), "", "{text}");
        }
    }
}
