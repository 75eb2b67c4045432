//! The strict scan against tables of broken documents and against `serde_json`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use louver_mistral::json::{JsonErrorKind, MAX_DEPTH, check};
use proptest::prelude::*;
use serde_json::Value;

fn kind(bytes: &[u8]) -> Option<JsonErrorKind> {
    check(bytes).err().map(|error| error.kind)
}

#[test]
fn sound_documents_pass() {
    let many: Vec<String> = (0..1000).map(|n| format!("\"k{n}\":{n}")).collect();
    let nested = format!("{}1{}", "[".repeat(64), "]".repeat(64));
    for document in [
        "null",
        " true ",
        "false",
        "0",
        "-0",
        "-0.5e-7",
        "1E+2",
        "1e308",
        "\"\"",
        "[]",
        "{}",
        "[ ]",
        "{ }",
        "\"\\u00e9\\ud83d\\ude00\\\\\\/\\b\\f\\n\\r\\t\\\"\"",
        "[1,2,[3]]",
        "{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":2}]}",
        "\r\n\t {\"\":0}\n",
        "\"é中😀\u{7f}\"",
        "{\"a\":1,\"A\":2,\"a \":3,\"\\u0000\":4}",
        "1e-400",
        "0e999999999999",
        &format!("{{{}}}", many.join(",")),
        &nested,
    ] {
        assert_eq!(check(document.as_bytes()), Ok(()), "{document}");
        assert!(serde_json::from_str::<Value>(document).is_ok(), "{document}");
    }
}

const BROKEN: &[&str] = &[
    "",
    " ",
    "# comment\n{}",
    "{} # comment",
    "{\"a\":1 # c\n}",
    "{\"a\":1, // c\n\"b\":2}",
    "// c\n1",
    "/* c */1",
    "{\"a\":/**/1}",
    "[1,]",
    "{\"a\":1,}",
    "[,]",
    "{,}",
    "[1 2]",
    "{\"a\" 1}",
    "{\"a\":}",
    "{a:1}",
    "{'a':1}",
    "{\"a\":'b'}",
    "NaN",
    "{\"t\":NaN}",
    "Infinity",
    "-Infinity",
    "undefined",
    "None",
    "True",
    "TRUE",
    "nul",
    "nulll",
    "01",
    "-01",
    "+1",
    ".5",
    "1.",
    "1.e3",
    "1e",
    "1e+",
    "-",
    "--1",
    "0x10",
    "1_000",
    "1e400",
    "-1e400",
    "1e309",
    "\"\\ud800\"",
    "\"\\udc00\"",
    "\"\\ud800\\u0041\"",
    "\"\\ud800x\"",
    "\"\\udc00\\ud800\"",
    "{\"\\ud800\":1}",
    "\"\\x41\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\\",
    "\"a",
    "\"a\nb\"",
    "\"a\tb\"",
    "\"a\0b\"",
    "{}{}",
    "{} 1",
    "1 2",
    "{}\0",
    "]",
    "}",
    "[}",
    "{]",
    "[\"a\":1]",
    "{\"a\":1]",
    "\u{a0}1",
    "1\u{b}",
    "\u{2028}1",
    "{1:2}",
    "{null:1}",
    "\"a\"b",
];

#[test]
fn broken_documents_are_refused() {
    for document in BROKEN {
        assert_eq!(kind(document.as_bytes()), Some(JsonErrorKind::InvalidJson), "{document:?}");
    }
    let digits = "9".repeat(400);
    assert_eq!(kind(digits.as_bytes()), Some(JsonErrorKind::InvalidJson));
}

#[test]
fn encodings_other_than_plain_utf8_are_refused() {
    let utf16 = |text: &str, big: bool| -> Vec<u8> {
        text.encode_utf16()
            .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
            .collect()
    };
    let mut marked = vec![0xFF, 0xFE];
    marked.extend(utf16("{}", false));
    for bytes in [
        b"\xEF\xBB\xBF{}".to_vec(),
        utf16("{\"model\":1}", false),
        utf16("{\"model\":1}", true),
        marked,
        b"\"\xff\"".to_vec(),
        b"\"\xc0\xaf\"".to_vec(),
        b"\"\xed\xa0\x80\"".to_vec(),
        b"\"\xc3\"".to_vec(),
        b"{\x00\x00\x00}\x00\x00\x00".to_vec(),
    ] {
        assert_eq!(kind(&bytes), Some(JsonErrorKind::InvalidEncoding), "{bytes:?}");
    }
}

#[test]
fn duplicate_keys_are_refused_at_any_depth() {
    let mut many: Vec<String> = (0..5000).map(|n| format!("\"k{n}\":{n}")).collect();
    many.push("\"\\u006b17\":0".to_owned());
    let many = format!("[{{{}}}]", many.join(","));
    let seventeen: Vec<String> = (0..17).map(|n| format!("\"{n}\":0")).collect();
    for document in [
        "{\"model\":1,\"model\":2}",
        "{\"model\":1,\"\\u006dodel\":2}",
        "{\"\\u006dodel\":1,\"\\u006Dodel\":2}",
        "[{\"a\":{\"b\":1,\"c\":2,\"b\":3}}]",
        "{\"a\":[[[{\"x\":1,\"x\":1}]]]}",
        "{\"\":1,\"\":1}",
        "{\"/\":1,\"\\/\":1}",
        "{\"é\":1,\"\\u00e9\":2}",
        &many,
        &format!("{{{},\"0\":1}}", seventeen.join(",")),
        &format!("{{{},\"16\":1}}", seventeen.join(",")),
    ] {
        assert_eq!(
            kind(document.as_bytes()),
            Some(JsonErrorKind::DuplicateKey),
            "{}",
            &document[..30.min(document.len())]
        );
    }
}

#[test]
fn the_place_is_that_of_the_second_key() {
    let error = check("{\n \"é\": 1, \"model\":2,\n \"ä\": 1, \"model\":3}".as_bytes()).unwrap_err();
    assert_eq!((error.kind, error.line, error.column), (JsonErrorKind::DuplicateKey, 3, 10));
    let error = check(b"{\n  \"model\": \"x\", # the model\n}").unwrap_err();
    assert_eq!((error.kind.as_str(), error.line, error.column), ("invalid_json", 2, 17));
    assert_eq!(error.to_string(), "comments are not part of JSON at line 2 column 17");
    let error = check(b"").unwrap_err();
    assert_eq!((error.line, error.column), (1, 1));
}

#[test]
fn depth_ends_at_sixty_four() {
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert_eq!(check(deep(usize::from(MAX_DEPTH)).as_bytes()), Ok(()));
    assert_eq!(kind(deep(65).as_bytes()), Some(JsonErrorKind::TooDeep));
    assert_eq!(kind("[".repeat(1_000_000).as_bytes()), Some(JsonErrorKind::TooDeep));
    assert_eq!(kind("{\"a\":".repeat(65).as_bytes()), Some(JsonErrorKind::TooDeep));
    let wide = format!("[{}{{}}]", "{},[],".repeat(1000));
    assert_eq!(check(wide.as_bytes()), Ok(()));
}

#[test]
fn truncated_anywhere_is_refused() {
    let whole = "{\"model\":\"x\\u00e9\\ud83d\\ude00é\",\"a\":[1.5e3,true,false,null,{\"b\":{}}],\"c\":-1}";
    assert_eq!(check(whole.as_bytes()), Ok(()));
    for cut in 0..whole.len() {
        assert!(check(&whole.as_bytes()[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn a_hundred_thousand_keys_are_quick() {
    let keys: Vec<String> = (0..100_000).map(|n| format!("\"{n:0>64}\":0")).collect();
    assert_eq!(check(format!("{{{}}}", keys.join(",")).as_bytes()), Ok(()));
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 20, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
            proptest::collection::hash_map(any::<String>(), inner, 0..20)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_serde_json_prints_passes(value in values()) {
        prop_assert_eq!(check(serde_json::to_string(&value).unwrap().as_bytes()), Ok(()));
        prop_assert_eq!(check(serde_json::to_string_pretty(&value).unwrap().as_bytes()), Ok(()));
    }

    #[test]
    fn whatever_passes_serde_json_reads(bytes in proptest::collection::vec(
        prop_oneof![proptest::sample::select(b"{}[]\",:\\u0d8aent01.-+ \n".to_vec()), any::<u8>()], 0..24)) {
        if check(&bytes).is_ok() {
            prop_assert!(serde_json::from_slice::<Value>(&bytes).is_ok(), "{:?}", bytes);
        }
    }

    #[test]
    fn a_changed_byte_is_judged_as_serde_json_does(value in values(), at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let mut bytes = serde_json::to_vec(&value).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = with;
        let ours = check(&bytes);
        let theirs = serde_json::from_slice::<Value>(&bytes);
        match ours {
            Ok(()) => prop_assert!(theirs.is_ok()),
            Err(error) if error.kind == JsonErrorKind::DuplicateKey => {}
            Err(_) => prop_assert!(theirs.is_err(), "{:?}", String::from_utf8_lossy(&bytes)),
        }
    }
}
