//! What of a file is secret: `${NAME}` from the environment, and the files that new secrets are written to.

use crate::config::Environment;
use http::Uri;
use louver_domain::secret::Secret;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// `text` with each `${NAME}` replaced by that variable of the environment.
pub(super) fn expand(text: &str, environment: &Environment) -> Result<Secret<String>, String> {
    let mut expanded = Secret::new(String::new());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').ok_or("has ${ without }")?;
        let named = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let value = environment.get(name).filter(|value| named && !value.is_empty());
        let value = value.ok_or_else(|| format!("the environment has no {name}"))?;
        expanded = Secret::new([expanded.expose(), before, value].concat());
        rest = after;
    }
    Ok(Secret::new([expanded.expose(), rest].concat()))
}

/// Host and port of an address as Louver shows them; nothing else of it is told.
pub(super) fn host(url: &Secret<String>) -> Result<String, String> {
    let wrong = "url is not an address such as https://example.com/path";
    let uri: Uri = url.expose().parse().map_err(|_| wrong)?;
    let secure = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(wrong.into()),
    };
    let authority = uri.authority().ok_or(wrong)?;
    let host = authority.host().to_ascii_lowercase();
    let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
    Ok(if secure && port == 443 { host } else { format!("{host}:{port}") })
}

/// Refuses a file that a secret cannot go to.
pub(super) fn check(path: &Path) -> Result<(), String> {
    if fs::symlink_metadata(path).is_ok() {
        return Err(format!("secret_file {} is there already", path.display()));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.is_dir()) {
        return Err(format!("secret_file {}: its folder is not there", path.display()));
    }
    Ok(())
}

/// A new file that a secret is to be written to; dropped before that, it is removed.
pub(super) struct Reserved {
    path: PathBuf,
    file: Option<File>,
}

impl Reserved {
    /// Makes it, readable to nobody else.
    pub(super) fn make(path: &Path) -> Result<Self, String> {
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = made.map_err(|error| format!("secret_file {}: {error}", path.display()))?;
        Ok(Self { path: path.to_owned(), file: Some(file) })
    }

    /// Writes the secret, and keeps the file from then on.
    pub(super) fn fill(mut self, secret: &Secret<String>) -> Result<(), String> {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        let written = writeln!(file, "{}", secret.expose()).and_then(|()| file.sync_all());
        written.map_err(|error| format!("secret_file {}: {error}", self.path.display()))
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // Nothing is in it; a file that stays would only be in the way of the next try.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn variables_are_put_in_and_missing_ones_named() {
        let environment: Environment =
            [("HOOK".to_owned(), "T1/${B}".to_owned()), ("EMPTY".to_owned(), String::new())].into();
        let expand = |text: &str| expand(text, &environment).map(|secret| secret.expose().clone());
        assert_eq!(expand("https://x/${HOOK}?a=$b").unwrap(), "https://x/T1/${B}?a=$b");
        assert_eq!(expand("plain").unwrap(), "plain");
        for (bad, said) in [
            ("${NONE}", "the environment has no NONE"),
            ("${EMPTY}", "the environment has no EMPTY"),
            ("${HOOK", "has ${ without }"),
            ("${}", "the environment has no "),
            ("${a b}", "the environment has no a b"),
        ] {
            assert_eq!(expand(bad).unwrap_err(), said);
        }
    }

    #[test]
    fn hosts_read_as_louver_shows_them() {
        for (url, shown) in [
            ("https://Hooks.Example.com/a?b=c", Some("hooks.example.com")),
            ("https://x:443/", Some("x")),
            ("https://x:8443", Some("x:8443")),
            ("http://127.0.0.1/", Some("127.0.0.1:80")),
            ("https://[::1]/", Some("[::1]")),
            ("ftp://x", None),
            ("hooks", None),
        ] {
            assert_eq!(host(&Secret::new(url.to_owned())).ok().as_deref(), shown, "{url}");
        }
    }

    #[test]
    fn a_reserved_file_is_private_and_goes_away_unless_it_is_filled() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        drop(Reserved::make(&path).unwrap());
        assert!(!path.exists());
        Reserved::make(&path).unwrap().fill(&Secret::new("lvr_x".into())).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "lvr_x\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(check(&path).unwrap_err().contains("is there already"));
        assert!(Reserved::make(&path).is_err(), "never over something");
        assert_eq!(fs::read_to_string(&path).unwrap(), "lvr_x\n");
        assert!(check(&folder.path().join("none/key")).unwrap_err().contains("folder"));
    }
}
