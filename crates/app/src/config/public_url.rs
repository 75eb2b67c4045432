//! Where people, and Louver itself, reach this installation.

use http::Uri;

/// Reads the setting of that name. Where it is not set, it is the node's own listener.
pub(super) fn check(name: &str, value: Option<String>, errors: &mut Vec<String>) -> Option<String> {
    let value = value?;
    let url = value.trim_end_matches('/');
    if !is_base(url) {
        errors.push(format!(
            "{name} must be http:// or https:// with a host and perhaps a port and a path, such as \
             https://louver.example.com, not {value:?}"
        ));
    }
    Some(url.to_owned())
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
        let read = |value: &str| {
            let mut errors = vec![];
            let url = check("public_url", Some(value.to_owned()), &mut errors);
            url.filter(|_| errors.is_empty())
        };
        assert_eq!(read("https://louver.example.com/").as_deref(), Some("https://louver.example.com"));
        assert!(read("http://[::1]:8080/gateway").is_some());
        assert_eq!(check("public_url", None, &mut vec![]), None);
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
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
