//! Signature Version 4 of AWS: the `Authorization` of a request without a query, over headers and body.
//!
//! Source: "Signature Version 4 signing process", AWS General Reference; its test suite stands in the tests.

use super::super::desk::hexadecimal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, Tag, sign as mac};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Who signs, and what the signature is good for.
pub(super) struct Scope<'a> {
    pub(super) access_key_id: &'a str,
    pub(super) secret_access_key: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    /// `YYYYMMDDTHHMMSSZ`.
    pub(super) time: &'a str,
}

/// What is signed.
pub(super) struct Signed<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    /// Names in small letters, in their order, each once; values without blanks around.
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: &'a [u8],
}

/// The value of `Authorization`.
pub(super) fn authorization(scope: &Scope<'_>, signed: &Signed<'_>) -> String {
    let day = scope.time.get(..8).unwrap_or(scope.time);
    let credential = format!("{day}/{}/{}/aws4_request", scope.region, scope.service);
    let names: Vec<&str> = signed.headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let request = hexadecimal(digest(&SHA256, canonical(signed, &names).as_bytes()).as_ref());
    let text = format!("{ALGORITHM}\n{}\n{credential}\n{request}", scope.time);
    let signature = hexadecimal(mac(&key(scope, day), text.as_bytes()).as_ref());
    let id = scope.access_key_id;
    format!("{ALGORITHM} Credential={id}/{credential}, SignedHeaders={names}, Signature={signature}")
}

fn canonical(signed: &Signed<'_>, names: &str) -> String {
    let headers: String = signed.headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let body = hexadecimal(digest(&SHA256, signed.body).as_ref());
    format!("{}\n{}\n\n{headers}\n{names}\n{body}", signed.method, signed.path)
}

fn key(scope: &Scope<'_>, day: &str) -> Key {
    let first = Key::new(HMAC_SHA256, format!("AWS4{}", scope.secret_access_key).as_bytes());
    let step = |tag: Tag| Key::new(HMAC_SHA256, tag.as_ref());
    let dated = step(mac(&first, day.as_bytes()));
    let regional = step(mac(&dated, scope.region.as_bytes()));
    let serving = step(mac(&regional, scope.service.as_bytes()));
    step(mac(&serving, b"aws4_request"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUITE: Scope<'static> = Scope {
        access_key_id: "AKIDEXAMPLE",
        secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        region: "us-east-1",
        service: "service",
        time: "20150830T123600Z",
    };

    fn signature(signed: &Signed<'_>) -> String {
        authorization(&SUITE, signed).rsplit_once('=').unwrap().1.to_owned()
    }

    #[test]
    fn the_vectors_of_the_suite_come_out() {
        let headers = [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")];
        let get = Signed { method: "GET", path: "/", headers: &headers, body: b"" };
        assert_eq!(
            authorization(&SUITE, &get),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        );
        let post = Signed { method: "POST", ..get };
        assert_eq!(signature(&post), "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
        let typed = [&[("content-type", "application/x-www-form-urlencoded")], headers.as_slice()].concat();
        let form = Signed { method: "POST", path: "/", headers: &typed, body: b"Param1=value1" };
        assert_eq!(signature(&form), "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
    }

    #[test]
    fn the_key_is_derived_as_published() {
        // "Deriving the signing key" of the General Reference has this key for IAM; a key shows by what it signs.
        let scope = Scope { service: "iam", ..SUITE };
        let published = "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9";
        let bytes: Vec<u8> =
            (0..64).step_by(2).map(|at| u8::from_str_radix(&published[at..at + 2], 16).unwrap()).collect();
        let expected = mac(&Key::new(HMAC_SHA256, &bytes), b"text");
        assert_eq!(mac(&key(&scope, "20150830"), b"text").as_ref(), expected.as_ref());
    }
}
