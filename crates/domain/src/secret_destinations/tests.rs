//! Locations that no name leads astray, settings that are told apart, and credentials that fit their kind.

use super::location::Alphabet;
use super::settings::{Aws, Kubernetes, Vault};
use super::*;
use proptest::prelude::*;

const WHOSE: Whose<'static> = Whose { key: "key_01", name: "prod", workspace: "Team-1" };

#[test]
fn kinds_read_back() {
    for kind in DestinationKind::ALL {
        assert_eq!(DestinationKind::parse(kind.as_str()), Some(kind));
    }
    assert_eq!(DestinationKind::parse("ftp"), None);
}

#[test]
fn templates_are_filled_in_the_alphabet_of_their_kind() {
    let filled = |text: &str, alphabet| Template::parse(text).unwrap().fill(&WHOSE, alphabet);
    assert_eq!(filled("a/{workspace}/{key}-{id}", Alphabet::Path).unwrap(), "a/Team-1/prod-key_01");
    assert_eq!(filled("/a/{id}", Alphabet::Absolute).unwrap(), "/a/key_01");
    assert_eq!(filled("louver-{id}", Alphabet::Dns).unwrap(), "louver-key-01");
    assert_eq!(filled("louver-{id}", Alphabet::Hyphenated).unwrap(), "louver-key-01");
    assert_eq!(filled("louver-{id}", Alphabet::Word).unwrap(), "louver-key_01");
    for (text, alphabet) in [
        ("", Alphabet::Path),
        ("/a", Alphabet::Path),
        ("a/", Alphabet::Path),
        ("a//b", Alphabet::Path),
        ("a/../b", Alphabet::Path),
        ("..", Alphabet::Path),
        ("./{id}", Alphabet::Path),
        ("a b", Alphabet::Path),
        ("a%2e", Alphabet::Path),
        ("a?x=1", Alphabet::Path),
        ("a#b", Alphabet::Path),
        ("a\nb", Alphabet::Path),
        ("a\0", Alphabet::Path),
        ("é", Alphabet::Path),
        ("a}", Alphabet::Path),
        ("a/{id}", Alphabet::Absolute),
        ("/", Alphabet::Absolute),
        ("/a/../etc", Alphabet::Absolute),
        ("{workspace}", Alphabet::Dns),
        ("-{id}", Alphabet::Dns),
        ("a/{id}", Alphabet::Word),
        ("a_{id}", Alphabet::Hyphenated),
    ] {
        assert!(matches!(filled(text, alphabet), Err(Unfit::Whole(_))), "{text} {alphabet:?}");
    }
    for bad in ["{", "a{b", "{name}", "{}", "{ id }", "{{id}}", &"x".repeat(513)] {
        assert!(Template::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn names_are_taken_as_they_are_or_not_at_all() {
    let of = |name, workspace| {
        let template = Template::parse("x/{workspace}/{key}").unwrap();
        template.fill(&Whose { key: "key_01", name, workspace }, Alphabet::Path)
    };
    for bad in ["a b", "a/b", "../x", "", "a\n", "{id}", "ä", "a%20"] {
        assert_eq!(of(bad, "a"), Err(Unfit::Key), "{bad}");
        assert_eq!(of("a", bad), Err(Unfit::Workspace), "{bad}");
    }
    for dots in [".", ".."] {
        assert!(matches!(of(dots, "a"), Err(Unfit::Whole(_))));
    }
}

proptest! {
    /// Two keys whose names differ never share a location, and no name leads out of its part.
    #[test]
    fn locations_are_as_many_as_names(a in ".{0,8}", b in ".{0,8}") {
        let template = Template::parse("base/{workspace}/{key}").unwrap();
        let of = |name: &str| template.fill(&Whose { key: "key_0", name, workspace: "w" }, Alphabet::Path);
        if let (Ok(one), Ok(other)) = (of(&a), of(&b)) {
            prop_assert_eq!(one == other, a == b);
            prop_assert!(one.starts_with("base/w/") && one.matches('/').count() == 2);
        }
    }

    #[test]
    fn templates_read_back(text in "[a-z/]{0,9}(\\{id\\}|\\{key\\}|\\{workspace\\}){0,2}[a-z/]{0,9}") {
        let template = Template::parse(&text).unwrap();
        prop_assert_eq!(String::from(template), text);
    }
}

fn vault() -> Vault {
    Vault {
        address: "https://vault.example.com:8200".into(),
        mount: "secret".into(),
        location: Template::parse("{id}").unwrap(),
        field: "api_key".into(),
        namespace: None,
        approle_mount: "approle".into(),
        ca_certificate: None,
    }
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let location = |text| Template::parse(text).unwrap();
    let kubernetes = Kubernetes {
        address: "https://k8s.example.com".into(),
        ca_certificate: None,
        namespace: "apps".into(),
        location: location("louver-{id}"),
        field: "api_key".into(),
    };
    let aws = Aws { region: "eu-west-1".into(), location: location("a/{id}"), field: None, endpoint: None };
    for (settings, wrong) in [
        (Settings::Vault(vault()), None),
        (Settings::Vault(Vault { location: location("../x"), ..vault() }), Some("location")),
        (Settings::Vault(Vault { mount: "../sys".into(), ..vault() }), Some("mount")),
        (Settings::Vault(Vault { approle_mount: "a?b".into(), ..vault() }), Some("approle_mount")),
        (Settings::Vault(Vault { namespace: Some("a\r\nb".into()), ..vault() }), Some("namespace")),
        (Settings::Vault(Vault { field: "a b".into(), ..vault() }), Some("field")),
        (Settings::Kubernetes(kubernetes.clone()), None),
        (Settings::Kubernetes(Kubernetes { namespace: "a/b".into(), ..kubernetes }), Some("namespace")),
        (Settings::Aws(aws.clone()), None),
        (Settings::Aws(Aws { region: "eu.evil.example.com/".into(), ..aws }), Some("region")),
    ] {
        assert_eq!(settings.check().err().map(|(field, _)| field), wrong, "{settings:?}");
    }
}

#[test]
fn whoever_would_see_the_credentials_is_part_of_the_aim() {
    let of = |vault: Vault| Settings::Vault(vault).aim().join(" ");
    let (before, elsewhere) = (of(vault()), "https://evil.example.com".to_owned());
    assert_ne!(of(Vault { address: elsewhere, ..vault() }), before);
    assert_ne!(of(Vault { ca_certificate: Some("x".into()), ..vault() }), before);
    assert_eq!(of(Vault { field: "other".into(), ..vault() }), before);
    let aws = |region: &str, endpoint: Option<&str>| {
        let location = Template::parse("{id}").unwrap();
        let endpoint = endpoint.map(str::to_owned);
        Settings::Aws(Aws { region: region.into(), location, field: None, endpoint }).aim().join(" ")
    };
    assert_ne!(aws("eu-west-1", None), aws("us-east-1", None));
    assert_ne!(aws("eu-west-1", None), aws("eu-west-1", Some("https://aws.example.com")));
}

#[test]
fn credentials_fit_their_kind_or_are_refused() {
    use DestinationKind as K;
    for (kind, names, fits) in [
        (K::Vault, &["token"][..], true),
        (K::Vault, &["role_id", "secret_id"], true),
        (K::Vault, &["token", "secret_id"], false),
        (K::Vault, &["role_id"], false),
        (K::Vault, &[], false),
        (K::Aws, &["secret_access_key", "access_key_id"], true),
        (K::Aws, &["secret_access_key", "access_key_id", "session_token"], true),
        (K::Aws, &["access_key_id"], false),
        (K::File, &[], true),
        (K::File, &["token"], false),
        (K::Command, &["token"], false),
        (K::Webhook, &["secret"], true),
        (K::Google, &["token"], true),
        (K::Google, &["service_account"], true),
        (K::Azure, &["client_secret"], true),
        (K::Kubernetes, &["token", "x"], false),
    ] {
        assert_eq!(kind.takes(names).is_ok(), fits, "{kind:?} {names:?}");
    }
    assert_eq!(K::Vault.takes(&[]).unwrap_err(), "must be token, or role_id and secret_id");
    assert_eq!(K::File.takes(&["x"]).unwrap_err(), "this kind takes no credentials");
}
