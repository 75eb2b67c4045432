//! The known ways to make a webhook look inside, each refused, by text or by what a name resolves to.

use super::*;
use proptest::prelude::*;
use proptest::sample::select;

fn allowed(entries: &[&str]) -> AllowedTargets {
    AllowedTargets::parse(&entries.iter().map(|entry| (*entry).to_owned()).collect::<Vec<_>>()).unwrap()
}

#[test]
fn only_public_https_on_443_is_an_address() {
    let none = AllowedTargets::default();
    for good in [
        "https://example.com",
        "https://example.com/hook?token=1",
        "https://EXAMPLE.com:443/",
        "https://93.184.216.34/",
        "https://[2606:4700::1111]/x",
        "https://xn--bcher-kva.example/",
        "https://hooks.3com.com/",
    ] {
        assert!(Address::parse(good, &none).is_ok(), "{good}");
    }
    for bad in [
        "",
        "example.com",
        "//example.com/",
        "/hook",
        "http://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "ftp://example.com/",
        "unix:/run/docker.sock",
        "https://",
        "https:///x",
        "https://example.com:8443/",
        "https://example.com:80/",
        "https://example.com:0/",
        "https://example.com:/",
        "https://example.com:99999/",
        "https://example.com:+443/",
        "https://example.com:443:443/",
        "https://user@example.com/",
        "https://user:password@example.com/",
        "https://example.com@127.0.0.1/",
        "https://example.com\\@127.0.0.1/",
        "https://example.com#@127.0.0.1/",
        "https://example.com/\r\nHost: x",
        "https://example.com/ x",
        "https://exämple.com/",
        "https://example.com./",
        "https://exa%6dple.com/",
    ] {
        assert!(Address::parse(bad, &none).is_err(), "{bad}");
    }
    let long = format!("https://example.com/{}", "x".repeat(2048));
    assert!(Address::parse(&long, &none).is_err());
}

#[test]
fn inside_is_refused_in_every_spelling() {
    let none = AllowedTargets::default();
    for bad in [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://127.0.1/",
        "https://0/",
        "https://0.0.0.0/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://0177.0.0.1/",
        "https://017700000001/",
        "https://127.0.0.1./",
        "https://1.2.3.4.5/",
        "https://[abc]/",
        "https://[127.0.0.1]/",
        "https://[example.com]/",
        "https://[::1]/",
        "https://[::]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:93.184.216.34]/",
        "https://[::127.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[fd00:ec2::254]/",
        "https://10.0.0.1/",
        "https://192.168.1.1/",
        "https://100.64.0.1/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
    ] {
        assert!(Address::parse(bad, &none).is_err(), "{bad}");
    }
}

#[test]
fn special_addresses_are_not_public() {
    for special in [
        "0.0.0.0",
        "0.1.2.3",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:8.8.8.8",
        "::ffff:127.0.0.1",
        "::8.8.8.8",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:10::1",
        "2001:20::1",
        "2001:db8::1",
        "2002:808:808::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
    ] {
        assert!(!is_public(special.parse().unwrap()), "{special}");
    }
    for public in [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2606:4700:4700::1111",
        "2a00:1450::1",
    ] {
        assert!(is_public(public.parse().unwrap()), "{public}");
    }
}

#[test]
fn the_operator_lets_in_what_he_names() {
    let named = allowed(&["hooks.internal:8080", "[fd00::1]:9000", "127.0.0.1:7777"]);
    for good in ["http://hooks.internal:8080/x", "https://hooks.internal:8080/", "http://127.0.0.1:7777/"] {
        assert!(Address::parse(good, &named).is_ok(), "{good}");
    }
    assert_eq!(Address::parse("http://[fd00::1]:9000/", &named).unwrap().destination(), "[fd00::1]:9000");
    for bad in ["http://hooks.internal/", "http://hooks.internal:8081/", "http://127.0.0.1:7778/"] {
        assert!(Address::parse(bad, &named).is_err(), "{bad}");
    }
    let block = allowed(&["10.1.0.0/16"]);
    assert!(Address::parse("http://10.1.2.3:81/", &block).is_ok());
    assert!(Address::parse("http://10.2.0.1/", &block).is_err());
    // A name is let through by its text, and judged by what it resolves to.
    let name = Address::parse("http://anything.example:81/", &block).unwrap();
    assert!(block.admits(&name, "10.1.9.9".parse().unwrap()));
    for outside in ["10.2.0.1", "127.0.0.1", "93.184.216.34"] {
        assert!(!block.admits(&name, outside.parse().unwrap()), "{outside}");
    }
    for bad in ["", "host", "host:0", "host:x", "a b:80", "https://host:1", "10.0.0.1/8", "user@host:1"] {
        assert!(AllowedTargets::parse(&[bad.to_owned()]).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn a_name_is_judged_by_what_it_resolves_to() {
    let none = AllowedTargets::default();
    let inside = Address::parse("https://localhost/", &none).unwrap();
    assert!(inside.resolve(&none).await.is_empty());
    let named = allowed(&["localhost:8443"]);
    let named_address = Address::parse("http://localhost:8443/", &named).unwrap();
    assert!(!named_address.resolve(&named).await.is_empty());
    // Allowed for one port is not allowed for another.
    assert!(Address { port: 443, tls: true, ..named_address }.resolve(&named).await.is_empty());
    let nowhere = Address::parse("https://does-not-exist.invalid/", &none).unwrap();
    assert!(nowhere.resolve(&none).await.is_empty());
}

/// Addresses put together of parts that readers have disagreed about.
fn nasty() -> impl Strategy<Value = String> {
    let scheme = select(
        &["https://", "http://", "HTTPS://", "https:", "https:/", "https:///", "https:\\\\", "//"][..],
    );
    let user =
        select(&["", "", "", "a@", "a:b@", "@", "%40", "a%40b@", "127.0.0.1:80@", "example.com:443@"][..]);
    let host = select(
        &[
            "example.com",
            "EXAMPLE.com",
            "a.b-c.example",
            "127.0.0.1",
            "127.1",
            "0x7f.1",
            "0177.1",
            "2130706433",
            "0",
            "[::1]",
            "[::ffff:7f00:1]",
            "[2606:4700::1]",
            "[2606:4700::1",
            "::1",
            "93.184.216.34",
            "93.184.216.34.",
            "1.0x2",
            "a.1",
            "ex_ample.com",
            "localhost",
            "loc%61lhost",
            "example.com\\",
            "example.com#",
            "example.com?",
            "example.com/",
            "example.com;",
            "",
            ".",
            "a..b",
            "\u{ff11}27.0.0.1",
            "ex\u{ad}ample.com",
        ][..],
    );
    let port =
        select(&["", "", ":", ":443", ":0443", ":80", ":0", ":65536", ":+443", ":443:443", ":44\t3"][..]);
    let rest = select(
        &["", "/", "/x?y=z", "?x", "#@127.0.0.1/", "@127.0.0.1/", "\\@127.0.0.1/", "/../x", " ", "\n"][..],
    );
    (scheme, user, host, port, rest).prop_map(|(s, u, h, p, r)| format!("{s}{u}{h}{p}{r}"))
}

/// What we read of an address, another reader reads as well: the client that connects and the filter that let it
/// through cannot mean two hosts.
fn agrees(text: &str) -> Result<(), TestCaseError> {
    let none = AllowedTargets::default();
    let Ok(address) = Address::parse(text, &none) else { return Ok(()) };
    let other = url::Url::parse(text).expect(text);
    prop_assert_eq!(other.scheme(), "https");
    prop_assert_eq!(other.host_str().unwrap().trim_matches(['[', ']']), address.host.as_str());
    prop_assert_eq!((other.port_or_known_default(), address.port), (Some(443), 443));
    prop_assert_eq!((other.username(), other.password(), other.fragment()), ("", None, None));
    match other.host().unwrap() {
        url::Host::Domain(_) => prop_assert!(address.host.parse::<IpAddr>().is_err()),
        url::Host::Ipv4(ip) => prop_assert!(is_public(ip.into())),
        url::Host::Ipv6(ip) => prop_assert!(is_public(ip.into())),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn two_readers_read_the_same(text in nasty()) {
        agrees(&text)?;
    }

    #[test]
    fn arbitrary_text_is_read_the_same_or_refused(text in "(https://)?[ -~]{0,20}[a-z0-9.:@/?#\\\\\\[\\]%]{0,20}") {
        agrees(&text)?;
    }

    #[test]
    fn no_allowance_admits_what_is_not_public(bits: u128, tls: bool, port: u16) {
        let address = Address { tls, host: "example.com".into(), port, path: "/".into() };
        let (v4, v6) = (IpAddr::from(Ipv4Addr::from(bits as u32)), IpAddr::from(Ipv6Addr::from(bits)));
        for ip in [v4, v6, IpAddr::from(match v4 { IpAddr::V4(v4) => v4.to_ipv6_mapped(), IpAddr::V6(v6) => v6 })] {
            let admitted = AllowedTargets::default().admits(&address, ip);
            prop_assert_eq!(admitted, tls && port == 443 && is_public(ip));
            prop_assert!(!(admitted && (ip.is_loopback() || ip.is_multicast() || ip.is_unspecified())));
        }
    }
}
