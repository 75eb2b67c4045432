//! Moments as RFC 3339 lets them be written.

use super::*;

#[test]
fn every_moment_of_rfc_3339_is_read() {
    let plain = Timestamp::parse("2026-11-21T02:31:58Z");
    for text in [
        "2026-11-21T02:31:58Z",
        "2026-11-21t02:31:58z",
        "2026-11-21T02:31:58.0000000000000000Z",
        "2026-11-21T04:31:58+02:00",
        "2026-11-21T04:31:58 02:00",
        "2026-11-20T02:32:58-23:59",
    ] {
        assert_eq!(read_moment(text), plain, "{text}");
    }
    for text in [
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "9999-12-31T23:59:59.5Z",
        "2016-12-31T23:59:60Z",
        "9999-12-30T22:00:01.999999999Z",
        "9999-12-31T23:59:60Z",
    ] {
        assert!(read_moment(text).is_some(), "{text}");
    }
    for text in [
        "yesterday",
        "9999-12-3",
        "9999-12-32T00:00:00Z",
        "2026-13-01T00:00:00Z",
        ".",
        "2026-11-21T02:31:58.Z",
    ] {
        assert_eq!(read_moment(text), None, "{text}");
    }
}
