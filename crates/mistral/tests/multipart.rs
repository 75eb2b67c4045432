//! Forms that are read, the attacks on parsers of forms that are refused, and forms cut in every way.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use bytes::Bytes;
use louver_mistral::multipart::{
    Boundary, Event, FileHead, FilePart, Form, Limits, MediaType, MultipartError, Reader, encode,
};

static FORM: Form = Form {
    scalars: &["model", "stream", "language"],
    lists: &["timestamp_granularities", "timestamp_granularities[]"],
    files: &["file"],
};

const LIMITS: Limits = Limits {
    max_fields: 8,
    max_field_bytes: 100,
    max_header_bytes: 300,
    max_file_bytes: 1_000,
    max_scalar_total: 150,
};

/// All events, the data of a file put together in front of its end.
fn collect(
    boundary: &str,
    chunks: impl IntoIterator<Item = Bytes>,
    limits: Limits,
) -> Result<Vec<Event>, MultipartError> {
    let boundary =
        Boundary::of_content_type(&format!("multipart/form-data; boundary=\"{boundary}\"")).unwrap();
    let mut reader = Reader::new(&boundary, &FORM, limits);
    let mut events = Vec::new();
    let mut file = Vec::new();
    for mut chunk in chunks {
        let size = chunk.len();
        while let Some(event) = reader.next(&mut chunk)? {
            match event {
                Event::FileData(data) => {
                    assert!(!data.is_empty() && data.len() <= size + boundary.as_str().len() + 4);
                    file.extend_from_slice(&data);
                }
                Event::FileEnd => {
                    events.push(Event::FileData(std::mem::take(&mut file).into()));
                    events.push(Event::FileEnd);
                }
                Event::Field { .. } | Event::FileStart(_) => events.push(event),
            }
        }
        assert!(chunk.is_empty());
    }
    reader.finish()?;
    Ok(events)
}

fn read(form: impl AsRef<[u8]>) -> Result<Vec<Event>, MultipartError> {
    let whole = collect("b", [Bytes::copy_from_slice(form.as_ref())], LIMITS);
    let bytes = form.as_ref().iter().map(|byte| Bytes::copy_from_slice(&[*byte]));
    assert_eq!(collect("b", bytes, LIMITS), whole, "byte by byte");
    whole
}

fn field(name: &'static str, value: &str) -> Event {
    Event::Field { name, value: value.to_owned() }
}

fn file(filename: &str, content_type: Option<&str>, data: &'static [u8]) -> [Event; 3] {
    let content_type = content_type.map(|text| MediaType::parse(text).unwrap());
    let head = FileHead { name: "file", filename: filename.to_owned(), content_type };
    [Event::FileStart(head), Event::FileData(Bytes::from_static(data)), Event::FileEnd]
}

/// A form of one text field `model` with these headers.
fn with_headers(headers: &str) -> String {
    format!("--b\r\n{headers}\r\n\r\nvoxtral\r\n--b--\r\n")
}

#[test]
fn forms_of_usual_clients_are_read() {
    let form = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nvoxtral\r\n\
        --b\r\ncontent-disposition: Form-Data; NAME=stream\r\n\
        CONTENT-TYPE: text/plain;charset=UTF-8\r\n\r\n\r\n\
        --b\r\nContent-Disposition: form-data; name=\"timestamp_granularities\"\r\n\r\nsegment\r\n\
        --b\r\nContent-Disposition: form-data; name=\"timestamp_granularities\"\r\n\r\nword\r\n\
        --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"é; name=.wav\"\r\n\
        Content-Type: audio/webm; codecs=\"opus,vp8\"\r\n\r\n\r\n-\r\n--\r\n--B\r\r\n--\r\n--b\r\n\
        Content-Disposition: form-data;name=\"language\"\r\n\r\na\r\nb\r\n--b--\r\n";
    let mut expected = vec![
        field("model", "voxtral"),
        field("stream", ""),
        field("timestamp_granularities", "segment"),
        field("timestamp_granularities", "word"),
    ];
    expected.extend(file(
        "é; name=.wav",
        Some("audio/webm; codecs=\"opus,vp8\""),
        b"\r\n-\r\n--\r\n--B\r\r\n--",
    ));
    expected.push(field("language", "a\r\nb"));
    assert_eq!(read(form).unwrap(), expected);
    assert_eq!(read("--b--").unwrap(), []);
    assert_eq!(read("--b--\r\n").unwrap(), []);
}

const NAME: &str = "Content-Disposition: form-data; name=\"model\"";

#[test]
fn headers_that_parsers_read_in_two_ways_are_refused() {
    for headers in [
        // Two names, in every disguise.
        "Content-Disposition: form-data; name=\"x\"; name=\"model\"",
        "Content-Disposition: form-data; name=\"model\"; NAME=\"model\"",
        "Content-Disposition: form-data; name=\"model\"; filename=\"a\"; filename=\"b\"",
        "Content-Disposition: form-data; name*=utf-8''model",
        "Content-Disposition: form-data; name=\"x\"; name*=utf-8''model",
        "Content-Disposition: form-data; name*0=\"mo\"; name*1=\"del\"",
        "Content-Disposition: form-data; name=\"file\"; filename*=utf-8''a.wav",
        "Content-Disposition: form-data; name=\"model\"; size=7",
        "Content-Disposition: form-data; name=\"model\";",
        "Content-Disposition: form-data; name=\"model\" x",
        "Content-Disposition: form-data; name=\"model\"x",
        "Content-Disposition: form-data; name=\"mod\\\"el\"",
        "Content-Disposition: form-data; name=\"file\"; filename=\"a\\\"; name=\\\"model\"",
        "Content-Disposition: form-data; name=\"file\"; filename=\"C:\\a.wav\"",
        "Content-Disposition: form-data; name=\"model",
        "Content-Disposition: form-data; name = \"model\"",
        "Content-Disposition: form-data; name=mod el",
        "Content-Disposition: form-data; name",
        "Content-Disposition: form-data, name=\"model\"",
        "Content-Disposition: form-data; name='model'; name=model",
        // No name, no disposition, or another one.
        "Content-Disposition: form-data",
        "Content-Disposition: form-data; filename=\"model\"",
        "Content-Disposition: attachment; name=\"model\"",
        "Content-Disposition: ; name=\"model\"",
        "Content-Type: text/plain",
        // Control characters and line ends.
        "Content-Disposition: form-data; name=\"model\0\"",
        "Content-Disposition: form-data; name=\"model\"; filename=\"a\0.wav\"",
        "Content-Disposition: form-data; name=\"mo\rdel\"",
        "Content-Disposition: form-data; name=\"mo\ndel\"",
        "Content-Disposition: form-data;\tname=\"model\"",
        "Content-Disposition: form-data; name=\"model\u{7f}\"",
        "Content-Disposition: form-data; name=\"model\u{85}\"",
        "Content-Disposition: form-data;\r\n name=\"model\"",
        "Content-Disposition: form-data;\n name=\"model\"",
        "Content-Disposition : form-data; name=\"model\"",
        "Content-Disposition",
        " Content-Disposition: form-data; name=\"model\"",
    ] {
        let error = read(with_headers(headers)).unwrap_err();
        assert_eq!(error.status(), 400, "{headers:?}: {error}");
        assert!(matches!(error, MultipartError::Malformed(_)));
    }
}

#[test]
fn further_headers_that_change_the_reading_are_refused() {
    for header in [
        "Content-Disposition: form-data; name=\"model\"",
        "Content-Transfer-Encoding: base64",
        "Content-Transfer-Encoding: 8bit",
        "Content-Length: 7",
        "Content-Encoding: gzip",
        "X-Anything: 1",
        "Content-Type: text/plain; charset=utf-16",
        "Content-Type: text/plain; charset=utf-8; charset=utf-7",
        "Content-Type: text/plain; charset*=utf-8''utf-7",
        "Content-Type: multipart/mixed; boundary=c",
        "Content-Type: message/rfc822",
        "Content-Type: text",
        "Content-Type: text/",
        "Content-Type: text/pläin",
        "Content-Type:",
        ": x",
    ] {
        for headers in [format!("{NAME}\r\n{header}"), format!("{header}\r\n{NAME}")] {
            let error = read(with_headers(&headers)).unwrap_err();
            assert_eq!(error.status(), 400, "{headers:?}: {error}");
        }
    }
    let twice = format!("{NAME}\r\nContent-Type: text/plain\r\nContent-Type: text/plain");
    assert_eq!(read(with_headers(&twice)).unwrap_err().status(), 400);
    let many = |count: usize| {
        let parameters: String = (0..count).map(|n| format!("; p{n}=1")).collect();
        read(with_headers(&format!("{NAME}\r\nContent-Type: text/plain{parameters}")))
    };
    assert!(many(8).is_ok());
    assert_eq!(many(9).unwrap_err().status(), 400);
    let folded = read(with_headers(&format!("{NAME}\r\n Content-Type: text/plain"))).unwrap_err();
    assert_eq!(folded, MultipartError::Malformed("a header of a part goes over more than one line"));
    let mut latin =
        with_headers("Content-Disposition: form-data; name=\"file\"; filename=\"?.wav\"").into_bytes();
    let at = latin.iter().position(|byte| *byte == b'?').unwrap();
    latin[at] = 0xE9;
    assert_eq!(read(latin).unwrap_err(), MultipartError::Malformed("a header of a part is not UTF-8"));
}

#[test]
fn what_stands_between_the_parts_is_refused() {
    let part = format!("{NAME}\r\n\r\nvoxtral");
    for form in [
        String::new(),
        "--b".to_owned(),
        "--b-".to_owned(),
        "\r\n--b--".to_owned(),
        "-b--".to_owned(),
        "--c--".to_owned(),
        // A preamble, with a part of its own.
        format!("hello\r\n--b\r\n{part}\r\n--b--\r\n"),
        format!("\r\n--b\r\n{part}\r\n--b--\r\n"),
        format!("\n--b\r\n{part}\r\n--b--\r\n"),
        format!(" --b\r\n{part}\r\n--b--\r\n"),
        format!("{part}\r\n--b\r\n{part}\r\n--b--\r\n"),
        // An epilogue.
        format!("--b\r\n{part}\r\n--b--\r\n\r\n"),
        format!("--b\r\n{part}\r\n--b--\r"),
        format!("--b\r\n{part}\r\n--b--\n"),
        format!("--b\r\n{part}\r\n--b-- "),
        format!("--b\r\n{part}\r\n--b--x"),
        format!("--b\r\n{part}\r\n--b--\r\n--b\r\n{part}\r\n--b--\r\n"),
        // Delimiters that are none to some.
        format!("--b \r\n{part}\r\n--b--\r\n"),
        format!("--b\n{part}\r\n--b--\r\n"),
        format!("--b\r{part}\r\n--b--\r\n"),
        format!("--b\r\n{part}\r\n--bc\r\n{part}\r\n--b--\r\n"),
        format!("--b\r\n{part}\r\n--b\t--\r\n"),
        format!("--b\r\n{part}\r\n--b-\r\n"),
        format!("--b\r\n{part}\r\n--b"),
        format!("--b\r\n{part}\r\n"),
        format!("--b\r\n{part}\n--b--\r\n"),
        format!("--b\r\n{part}--b--\r\n"),
        // Parts without what a part has.
        "--b\r\n--b--\r\n".to_owned(),
        "--b\r\n\r\n--b--\r\n".to_owned(),
        "--b\r\n\r\nmodel\r\n--b--\r\n".to_owned(),
        format!("--b\r\n{NAME}\r\n--b--\r\n"),
        format!("--b\r\n{NAME}\r\n\r\n--b--\r\n"),
        format!("--b\r\n{NAME}\n\nvoxtral\r\n--b--\r\n"),
        format!("--b\r\n{NAME}\r\n\nvoxtral\r\n--b--\r\n"),
        format!("--b\r\n{NAME}\r\r\n\r\nvoxtral\r\n--b--\r\n"),
        "model=voxtral&file=x".to_owned(),
    ] {
        let error = read(&form).unwrap_err();
        assert_eq!(error.status(), 400, "{form:?}: {error}");
    }
}

fn shape(form: &str) -> (Vec<String>, &'static str) {
    match read(form) {
        Err(error @ MultipartError::Shape(_)) => {
            assert_eq!(error.status(), 422);
            let MultipartError::Shape(detail) = error else { unreachable!() };
            assert!(!detail.msg.is_empty());
            (detail.loc, detail.kind)
        }
        other => panic!("{form:?}: {other:?}"),
    }
}

#[test]
fn fields_that_do_not_belong_are_refused() {
    let model = "Content-Disposition: form-data; name=\"model\"\r\n\r\nvoxtral";
    let sound = "Content-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nx";
    for (headers, name, kind) in [
        ("Content-Disposition: form-data; name=\"model\"; filename=\"m\"", "model", "string_type"),
        ("Content-Disposition: form-data; name=\"model\"; filename=\"\"", "model", "string_type"),
        (
            "Content-Disposition: form-data; name=\"timestamp_granularities\"; filename=\"m\"",
            "timestamp_granularities",
            "string_type",
        ),
        (
            "Content-Disposition: form-data; name=\"model\"\r\nContent-Type: application/json",
            "model",
            "string_type",
        ),
        ("Content-Disposition: form-data; name=\"file\"", "file", "file_type"),
        ("Content-Disposition: form-data; name=\"file\"; filename=\"\"", "file", "file_type"),
        ("Content-Disposition: form-data; name=\"_charset_\"", "_charset_", "extra_forbidden"),
        ("Content-Disposition: form-data; name=\"Model\"", "Model", "extra_forbidden"),
        ("Content-Disposition: form-data; name=\"model \"", "model ", "extra_forbidden"),
        ("Content-Disposition: form-data; name=\"model[]\"", "model[]", "extra_forbidden"),
        ("Content-Disposition: form-data; name=\"mod%65l\"", "mod%65l", "extra_forbidden"),
        ("Content-Disposition: form-data; name=\"\"", "", "extra_forbidden"),
        ("Content-Disposition: form-data; name='model'", "'model'", "extra_forbidden"),
    ] {
        assert_eq!(
            shape(&with_headers(headers)),
            (vec!["body".to_owned(), name.to_owned()], kind),
            "{headers}"
        );
    }
    for (part, name) in [(model, "model"), (sound, "file")] {
        let twice = format!("--b\r\n{part}\r\n--b\r\n{part}\r\n--b--\r\n");
        assert_eq!(shape(&twice), (vec!["body".to_owned(), name.to_owned()], "duplicate_field"));
    }
    let mut latin = with_headers(NAME).into_bytes();
    let at = latin.iter().position(|byte| *byte == b'x').unwrap();
    latin[at] = 0xE9;
    assert_eq!(read(latin).unwrap_err().status(), 422);
}

#[test]
fn each_limit_holds_to_the_byte() {
    let part =
        |name: &str, value: &str| format!("--b\r\nContent-Disposition: form-data; {name}\r\n\r\n{value}\r\n");
    let of = |length: usize| "x".repeat(length);
    let list = "name=timestamp_granularities";
    let headers = |length: usize| {
        // The two lines, without what the name of the file has.
        let rest = "Content-Disposition: form-data; name=file; filename=\r\n\r\n".len();
        part(&format!("name=file; filename={}", of(length - rest)), "")
    };
    for (fits, breaks, what) in [
        (part(list, "").repeat(8), part(list, "").repeat(9), "parts"),
        (part(list, &of(100)), part(list, &of(101)), "bytes in one field"),
        (part(list, &of(75)).repeat(2), part(list, &of(76)).repeat(2), "bytes in all its fields"),
        (headers(300), headers(301), "bytes of headers in one part"),
        (
            part("name=file; filename=a", &of(1_000)),
            part("name=file; filename=a", &of(1_001)),
            "bytes in a file",
        ),
    ] {
        assert!(read(format!("{fits}--b--")).is_ok(), "{what}");
        let error = read(format!("{breaks}--b--")).unwrap_err();
        assert_eq!(error.status(), 413);
        assert!(error.to_string().ends_with(what), "{error}");
        assert!(error.to_string().starts_with("the form has more than "), "{error}");
    }
}

#[test]
fn a_refused_form_stays_refused() {
    let boundary = Boundary::of_content_type("multipart/form-data; boundary=b").unwrap();
    let mut reader = Reader::new(&boundary, &FORM, LIMITS);
    let error = reader.next(&mut Bytes::from_static(b"x")).unwrap_err();
    let mut sound = Bytes::from(with_headers(NAME));
    assert_eq!(reader.next(&mut sound).unwrap_err(), error);
    assert_eq!(reader.next(&mut Bytes::new()).unwrap_err(), error);
    assert_eq!(reader.finish().unwrap_err(), error);
}

#[test]
fn content_types_with_one_boundary_are_read() {
    let longest = "x".repeat(70);
    for (text, boundary) in [
        ("multipart/form-data; boundary=b", "b"),
        ("Multipart/FORM-data;BOUNDARY=\"b\"", "b"),
        (
            "multipart/form-data ; charset=UTF-8; boundary=----WebKitFormBoundary7MA4",
            "----WebKitFormBoundary7MA4",
        ),
        ("multipart/form-data; boundary=\"a'()+_,-./:=? z\"", "a'()+_,-./:=? z"),
        (&format!("multipart/form-data; boundary={longest}"), &longest),
    ] {
        let read = Boundary::of_content_type(text).unwrap();
        assert_eq!(read.as_str(), boundary);
        assert_eq!(Boundary::of_content_type(&read.content_type()).unwrap(), read);
    }
}

#[test]
fn content_types_without_exactly_one_boundary_are_refused() {
    let too_long = format!("multipart/form-data; boundary={}", "x".repeat(71));
    for text in [
        "multipart/form-data",
        "multipart/form-data;",
        "multipart/form-data; boundary",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=\"b",
        "multipart/form-data; boundary=\"b \"",
        "multipart/form-data; boundary=b; boundary=c",
        "multipart/form-data; boundary=b; Boundary=b",
        "multipart/form-data; boundary=b, multipart/form-data; boundary=c",
        "multipart/form-data; boundary=b, c",
        "multipart/form-data; boundary*=utf-8''b",
        "multipart/form-data; boundary=b; boundary*0=c",
        "multipart/form-data; boundary=b;",
        "multipart/form-data; boundary=b; charset=utf-7",
        "multipart/form-data; boundary=b; x=y",
        "multipart/form-data; boundary = b",
        "multipart/form-data; boundary=\"b\\c\"",
        "multipart/form-data; boundary=\"b\r\nx\"",
        "multipart/form-data; boundary=b@c",
        "multipart/form-data; boundary=é",
        "multipart/form-data; boundary=\"é\"",
        "multipart/form-data; boundary=a=b",
        &too_long,
    ] {
        assert_eq!(Boundary::of_content_type(text).unwrap_err().status(), 400, "{text:?}");
    }
    for text in [
        "",
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/mixed; boundary=b",
        "multipart/form-data, application/json; boundary=b",
        "application/json; x=multipart/form-data; boundary=b",
        "multipart/form-datax; boundary=b",
        " multipart/form-data; boundary=b",
    ] {
        assert_eq!(Boundary::of_content_type(text).unwrap_err().status(), 415, "{text:?}");
    }
}

#[test]
fn a_form_is_written_to_the_byte() {
    let boundary = Boundary::of_entropy([0xA5; 16]);
    let line = format!("------form-{}", "a5".repeat(16));
    let opus = MediaType::parse("audio/webm;codecs=opus").unwrap();
    let file =
        FilePart { name: "file", filename: "a\"\r\n\\\u{85}%é.webm", content_type: Some(&opus), length: 3 };
    let envelope = encode(&boundary, &[("model", "voxtral"), ("say \"hi\"", "")], Some(file));
    assert_eq!(envelope.content_type, format!("multipart/form-data; boundary=----form-{}", "a5".repeat(16)));
    assert_eq!(
        String::from_utf8(envelope.head.clone()).unwrap(),
        format!(
            "{line}\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nvoxtral\r\n\
             {line}\r\nContent-Disposition: form-data; name=\"say %22hi%22\"\r\n\r\n\r\n\
             {line}\r\nContent-Disposition: form-data; name=\"file\"; \
             filename=\"a%22%0D%0A%5C%C2%85%é.webm\"\r\n\
             Content-Type: audio/webm;codecs=opus\r\n\r\n"
        )
    );
    assert_eq!(String::from_utf8(envelope.tail.clone()).unwrap(), format!("\r\n{line}--\r\n"));
    assert_eq!(envelope.content_length, (envelope.head.len() + 3 + envelope.tail.len()) as u64);
    let empty = encode(&boundary, &[], None);
    assert_eq!((empty.head.len(), empty.tail.len() as u64), (0, empty.content_length));
}
