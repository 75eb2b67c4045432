//! Properties of forms: cuts change nothing, what is written is read, and a lenient reader sees what the
//! strict one saw.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use bytes::Bytes;
use louver_mistral::multipart::{
    Boundary, Event, FilePart, Form, Limits, MediaType, MultipartError, Reader, encode,
};
use proptest::prelude::*;

static FORM: Form =
    Form { scalars: &["model", "language"], lists: &["timestamp_granularities"], files: &["file"] };

/// One field of a form as anybody would remember it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    name: String,
    filename: Option<String>,
    content: Vec<u8>,
}

fn strictly(boundary: &Boundary, chunks: &[&[u8]]) -> Result<Vec<Seen>, MultipartError> {
    let mut reader = Reader::new(boundary, &FORM, Limits::default());
    let (mut all, mut open) = (Vec::new(), None);
    for chunk in chunks {
        let mut chunk = Bytes::copy_from_slice(chunk);
        while let Some(event) = reader.next(&mut chunk)? {
            match event {
                Event::Field { name, value } => {
                    all.push(Seen { name: name.to_owned(), filename: None, content: value.into_bytes() });
                }
                Event::FileStart(head) => {
                    assert!(open.is_none());
                    let (name, filename) = (head.name.to_owned(), Some(head.filename));
                    open = Some(Seen { name, filename, content: Vec::new() });
                }
                Event::FileData(data) => open.as_mut().unwrap().content.extend_from_slice(&data),
                Event::FileEnd => all.push(open.take().unwrap()),
            }
        }
    }
    reader.finish()?;
    assert!(open.is_none());
    Ok(all)
}

/// A reader as careless as many: a preamble and bare line feeds are fine, unknown headers are skipped, the
/// last name wins, and what is not understood is left out.
fn leniently(boundary: &str, form: &[u8]) -> Vec<Seen> {
    let marker = format!("--{boundary}").into_bytes();
    let starts: Vec<usize> = (0..form.len())
        .filter(|at| form[*at..].starts_with(&marker) && (*at == 0 || form[*at - 1] == b'\n'))
        .collect();
    let mut all = Vec::new();
    for (index, start) in starts.iter().enumerate() {
        let from = start + marker.len();
        if form[from..].starts_with(b"--") {
            break;
        }
        let to = starts.get(index + 1).copied().unwrap_or(form.len());
        let part = &form[from..to];
        let line = part.iter().position(|byte| *byte == b'\n').map_or(part.len(), |at| at + 1);
        all.extend(lenient_part(&part[line..]));
    }
    all
}

fn lenient_part(mut part: &[u8]) -> Option<Seen> {
    let (mut name, mut filename) = (None, None);
    loop {
        let end = part.iter().position(|byte| *byte == b'\n')?;
        let line = String::from_utf8_lossy(&part[..end]).trim_end().to_owned();
        part = &part[end + 1..];
        if line.is_empty() {
            break;
        }
        if line.to_ascii_lowercase().starts_with("content-disposition") {
            name = parameter(&line, "name").or(name);
            filename = parameter(&line, "filename").or(filename);
        }
    }
    let content = part.strip_suffix(b"\n").unwrap_or(part);
    let content = content.strip_suffix(b"\r").unwrap_or(content).to_vec();
    Some(Seen { name: name?, filename, content })
}

/// The last parameter of this name, with or without quotes.
fn parameter(line: &str, wanted: &str) -> Option<String> {
    let (mut quoted, mut pieces, mut piece) = (false, Vec::new(), String::new());
    for character in line.chars() {
        quoted ^= character == '"';
        if character == ';' && !quoted {
            pieces.push(std::mem::take(&mut piece));
        } else {
            piece.push(character);
        }
    }
    pieces.push(piece);
    let values = pieces.iter().filter_map(|piece| piece.trim().split_once('='));
    let named = values.filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
    named.map(|(_, value)| value.trim_matches('"').to_owned()).next_back()
}

/// Pieces of forms, sound and broken; together they are a form often enough.
fn header() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        12 => Just("Content-Disposition: form-data; name=\"model\"\r\n"),
        8 => Just("Content-Disposition: form-data; name=language\r\n"),
        8 => Just("content-disposition:form-data;name=timestamp_granularities\r\nContent-Type: text/plain\r\n"),
        12 => Just("Content-Disposition: form-data; name=\"file\"; filename=\"a; name=model\"\r\n"),
        1 => Just("Content-Disposition: form-data; name=\"x\"; name=\"model\"\r\n"),
        1 => Just("Content-Disposition: form-data; name=\"file\"; filename=\"a\\\"; name=\\\"model\"\r\n"),
        1 => Just("Content-Disposition: form-data; name*=utf-8''model\r\n"),
        1 => Just("Content-Disposition: form-data; name=\"model\"\n"),
        1 => Just("Content-Disposition: form-data;\r\n name=\"model\"\r\n"),
        1 => Just("Content-Transfer-Encoding: base64\r\n"),
        1 => Just(""),
    ]
}

fn content() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\r"),
        Just("\n"),
        Just("\r\n"),
        Just("-"),
        Just("--"),
        Just("--b"),
        Just("b"),
        Just("x"),
        Just("\r\n--"),
        Just("\r\n--bb"),
        Just("é"),
    ];
    prop_oneof![
        Just("voxtral".to_owned()),
        prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat()),
    ]
}

fn delimiter() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        40 => Just("\r\n--bb\r\n"),
        1 => Just("\n--bb\r\n"),
        1 => Just("\r\n--bb\n"),
        1 => Just("\r\n--bb \r\n"),
    ]
}

fn form() -> impl Strategy<Value = Vec<u8>> {
    let part = (header(), content(), delimiter())
        .prop_map(|(header, content, end)| format!("{header}\r\n{content}{end}"));
    let start = prop_oneof![20 => Just(""), 1 => Just("\r\n"), 1 => Just("hello\r\n")];
    let end = prop_oneof![20 => Just("--\r\n"), 5 => Just("--"), 1 => Just("--\r\n--bb--"), 1 => Just("")];
    (start, prop::collection::vec(part, 0..4), end).prop_map(|(start, parts, end)| {
        let body = format!("{start}--bb\r\n{}", parts.concat());
        format!("{}{end}", body.strip_suffix("\r\n").unwrap_or(&body)).into_bytes()
    })
}

fn cut<'a>(form: &'a [u8], places: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = places.iter().map(|place| place.index(form.len() + 1)).collect();
    places.extend([0, form.len()]);
    places.sort_unstable();
    places.windows(2).map(|window| &form[window[0]..window[1]]).collect()
}

fn places() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..12)
}

fn bb() -> Boundary {
    Boundary::of_content_type("multipart/form-data; boundary=bb").unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn cuts_change_nothing(form in form(), places in places()) {
        let whole = strictly(&bb(), &[&form]);
        prop_assert_eq!(strictly(&bb(), &cut(&form, &places)), whole);
    }

    #[test]
    fn a_lenient_reader_sees_what_the_strict_one_saw(form in form()) {
        if let Ok(strict) = strictly(&bb(), &[&form]) {
            // A bare line feed before the boundary ends a part only for the careless; it goes upstream under
            // another.
            let text = String::from_utf8_lossy(&form);
            prop_assume!(!text.replace("\r\n--bb", "").contains("\n--bb"));
            prop_assert_eq!(leniently("bb", &form), strict);
        }
    }

    #[test]
    fn what_is_written_again_is_read_alike_by_both(form in form(), entropy: [u8; 16]) {
        let Ok(strict) = strictly(&bb(), &[&form]) else { return Ok(()) };
        let (files, texts): (Vec<_>, Vec<_>) = strict.into_iter().partition(|seen| seen.filename.is_some());
        let pairs: Vec<(&str, &str)> =
            texts.iter().map(|seen| (&*seen.name, std::str::from_utf8(&seen.content).unwrap())).collect();
        let file = files.first().map(|seen| FilePart {
            name: &seen.name,
            filename: seen.filename.as_deref().unwrap(),
            content_type: None,
            length: seen.content.len() as u64,
        });
        let boundary = Boundary::of_entropy(entropy);
        let envelope = encode(&boundary, &pairs, file);
        let data = files.first().map_or(&[][..], |seen| &seen.content);
        let again = [&envelope.head, data, &envelope.tail].concat();
        prop_assert_eq!(again.len() as u64, envelope.content_length);
        let expected: Vec<Seen> = texts.iter().chain(&files).cloned().collect();
        let announced = Boundary::of_content_type(&envelope.content_type).unwrap();
        prop_assert_eq!(strictly(&announced, &[&again]).unwrap(), expected.clone());
        prop_assert_eq!(leniently(boundary.as_str(), &again), expected);
    }

    #[test]
    fn any_values_and_files_come_through(
        model in any::<String>(),
        name in "[^\\p{Cc}\"\\\\]{1,40}",
        data in prop::collection::vec(any::<u8>(), 0..300),
        entropy: [u8; 16],
        places in places(),
    ) {
        let boundary = Boundary::of_entropy(entropy);
        let kind = MediaType::parse("audio/wav").unwrap();
        let length = data.len() as u64;
        let file = FilePart { name: "file", filename: &name, content_type: Some(&kind), length };
        let envelope = encode(&boundary, &[("model", &model)], Some(file));
        let form = [&*envelope.head, &data, &envelope.tail].concat();
        prop_assert_eq!(form.len() as u64, envelope.content_length);
        let expected = vec![
            Seen { name: "model".to_owned(), filename: None, content: model.into_bytes() },
            Seen { name: "file".to_owned(), filename: Some(name), content: data },
        ];
        prop_assert_eq!(strictly(&boundary, &cut(&form, &places)).unwrap(), expected);
    }

    #[test]
    fn no_bytes_break_the_reader(junk in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = strictly(&bb(), &[&junk]);
        let _ = strictly(&bb(), &[b"--bb\r\n", &junk]);
        let _ = strictly(&bb(), &[b"--bb\r\nContent-Disposition: form-data; name=model\r\n", &junk]);
    }
}

/// The generator must make forms that are accepted, or the properties above say nothing.
#[test]
fn many_of_the_forms_are_accepted() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let forms = (0..1_000).map(|_| form().new_tree(&mut runner).unwrap().current());
    let accepted = forms.filter(|form| strictly(&bb(), &[form]).is_ok_and(|all| !all.is_empty())).count();
    assert!((150..900).contains(&accepted), "{accepted} of 1000");
}
