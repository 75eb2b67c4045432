//! Settings: which are read from where, and which are refused.

use super::*;

fn environment(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

#[test]
fn all_errors_come_at_once() {
    let errors = load(
        None,
        &environment(&[
            ("LOUVER_LISTEN", "nowhere"),
            ("LOUVER_UPSTREM_URL", "x"),
            ("LOUVER_UPSTREAM_URL", "ftp://x"),
            ("LOUVER_TLS_KEY_FILE", "k"),
            ("LOUVER_AUDIT_CHECKPOINT_SYSLOG", "tcp://x:1"),
            ("LOUVER_AUDIT_RETENTION_DAYS", "0"),
            ("LOUVER_ROTATION_VERIFY_URL", "gateway:8080"),
        ]),
    )
    .unwrap_err();
    for part in [
        "checkpoint_syslog",
        "retention_days",
        "rotation_verify_url must be",
        "listen",
        "LOUVER_UPSTREM_URL",
        "ftp://x",
        "go together",
        "database_url",
        "master_key_file",
    ] {
        assert!(errors.iter().any(|e| e.contains(part)), "{part} in {errors:?}");
    }
}

#[test]
fn the_environment_wins_and_a_typing_error_in_the_file_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("louver.toml");
    std::fs::write(&path, "listen = '127.0.0.1:1'\ndatabase_url = 'sqlite:a'\nmaster_key_file = 'm'\n")
        .unwrap();
    let config = load(
        Some(&path),
        &environment(&[
            ("LOUVER_LISTEN", "127.0.0.1:2"),
            ("MISTRAL_API_KEY", "a"),
            ("LOUVER_UPSTREAM_KEY", "b"),
            ("LOUVER_ROTATION_VERIFY_URL", "https://louver.example.com/"),
        ]),
    )
    .unwrap();
    assert_eq!(config.rotation_verify_url.as_deref(), Some("https://louver.example.com"));
    assert_eq!((config.listen.as_str(), config.database_url.as_str()), ("127.0.0.1:2", "sqlite:a"));
    assert_eq!(config.upstream_key.as_ref().unwrap().expose(), "b");
    assert!(!format!("{config:?}").contains("\"b\""));
    std::fs::write(&path, "listn = 'x'\n").unwrap();
    let errors = load(Some(&path), &environment(&[])).unwrap_err();
    assert!(errors.iter().any(|e| e.contains("listn")), "{errors:?}");
}

#[test]
fn the_description_is_open_unless_it_is_set_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("louver.toml");
    let access = |line: &str| {
        let text = format!("database_url = 'sqlite:a'\nmaster_key_file = 'm'\n{line}");
        std::fs::write(&path, text).unwrap();
        load(Some(&path), &environment(&[])).map(|config| config.openapi_access)
    };
    assert_eq!(access(""), Ok(Some(Access::Open)));
    assert_eq!(access("openapi_access = 'admin'"), Ok(Some(Access::Admin)));
    assert_eq!(access("openapi_access = 'off'"), Ok(None));
    assert!(access("openapi_access = 'nobody'").is_err());
}

#[test]
fn a_public_listener_needs_tls() {
    let base = [("LOUVER_DATABASE_URL", "sqlite:a"), ("LOUVER_MASTER_KEY_FILE", "m")];
    let with =
        |pairs: &[(&str, &str)]| refuse_unsafe(&load(None, &environment(&[&base, pairs].concat())).unwrap());
    assert!(with(&[]).is_empty());
    assert_eq!(with(&[("LOUVER_LISTEN", "0.0.0.0:80")]).len(), 1);
    assert!(
        with(&[
            ("LOUVER_LISTEN", "0.0.0.0:80"),
            ("LOUVER_TLS_CERTIFICATE_FILE", "c"),
            ("LOUVER_TLS_KEY_FILE", "k")
        ])
        .is_empty()
    );
}

#[test]
fn the_documented_settings_are_the_settings() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../louver.default.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    // Every setting stands there commented out; uncommented, the file is read without an unknown name.
    let uncommented: String =
        text.lines().map(|line| line.strip_prefix("#: ").unwrap_or(line)).map(|l| format!("{l}\n")).collect();
    toml::from_str::<File>(&uncommented).unwrap();
    let names = |text: &str| text.lines().filter(|l| l.starts_with("#: ") && l.contains(" = ")).count();
    assert_eq!(names(&text), 72, "a setting without documentation");
}
