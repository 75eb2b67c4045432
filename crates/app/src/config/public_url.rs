//! Where people reach this installation, for the links that are mailed to them.

use http::Uri;

/// Reads `public_url`. Where it is not set, it is the listener of the admin side.
pub(super) fn check(value: Option<String>, listen: &str, tls: bool, errors: &mut Vec<String>) -> String {
    let Some(value) = value else {
        return format!("{}://{listen}", if tls { "https" } else { "http" });
    };
    let url = value.trim_end_matches('/');
    if !is_base(url) {
        errors.push(format!(
            "public_url must be http:// or https:// with a host and perhaps a port and a path, such as \
             https://louver.example.com, not {value:?}"
        ));
    }
    url.to_owned()
}

fn is_base(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let web = matches!(uri.scheme_str(), Some("http" | "https"));
    let host = uri.authority().is_some_and(|a| !a.host().is_empty() && !a.as_str().contains('@'));
    web && host && uri.query().is_none() && !url.contains('#')
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_base_for_links() {
        let read = |value: Option<&str>, tls| {
            let mut errors = vec![];
            let url = check(value.map(str::to_owned), "127.0.0.1:8080", tls, &mut errors);
            errors.is_empty().then_some(url)
        };
        assert_eq!(read(None, false).as_deref(), Some("http://127.0.0.1:8080"));
        assert_eq!(read(None, true).as_deref(), Some("https://127.0.0.1:8080"));
        let good = read(Some("https://louver.example.com/"), false);
        assert_eq!(good.as_deref(), Some("https://louver.example.com"));
        assert!(read(Some("http://[::1]:8080/gateway"), false).is_some());
        for bad in [
            "",
            "louver.example.com",
            "ftp://x",
            "https://",
            "https://a@b",
            "https://x?y",
            "https://x#y",
            "a b",
        ] {
            assert_eq!(read(Some(bad), false), None, "{bad}");
        }
    }
}
