//! A form is understood the same however its bytes are cut; and one that is accepted, written anew, says the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use louver_mistral::multipart::{
    Boundary, Event, FileHead, FilePart, Form, Limits, MultipartError, Reader, encode,
};

static FORM: Form = Form { scalars: &["model", "purpose"], lists: &["context_bias"], files: &["file"] };

/// A form as it was read.
#[derive(Debug, Default, PartialEq)]
struct Read {
    fields: Vec<(&'static str, String)>,
    file: Option<(FileHead, Vec<u8>)>,
}

fn read<'a>(boundary: &Boundary, pieces: impl Iterator<Item = &'a [u8]>) -> Result<Read, MultipartError> {
    let mut reader = Reader::new(boundary, &FORM, Limits { max_file_bytes: 1 << 10, ..Limits::default() });
    let mut read = Read::default();
    for piece in pieces {
        let mut piece = piece.to_vec().into();
        while let Some(event) = reader.next(&mut piece)? {
            match event {
                Event::Field { name, value } => read.fields.push((name, value)),
                Event::FileStart(head) => {
                    assert!(read.file.replace((head, Vec::new())).is_none(), "a second file")
                }
                Event::FileData(data) => {
                    assert!(!data.is_empty(), "an empty piece");
                    read.file.as_mut().expect("a file has begun").1.extend_from_slice(&data);
                }
                Event::FileEnd => assert!(read.file.is_some(), "a file that never began"),
            }
        }
    }
    reader.finish()?;
    Ok(read)
}

fuzz_target!(|input: &[u8]| {
    let Some((cut, bytes)) = input.split_first() else { return };
    let boundary = Boundary::of_content_type("multipart/form-data; boundary=b").expect("it is sound");
    let whole = read(&boundary, std::iter::once(bytes));
    assert_eq!(read(&boundary, bytes.chunks(1)), whole, "byte by byte");
    assert_eq!(read(&boundary, bytes.chunks(usize::from(*cut).max(1))), whole, "in pieces");
    let Ok(understood) = whole else { return };
    for name in FORM.scalars {
        assert!(
            understood.fields.iter().filter(|(field, _)| field == name).count() <= 1,
            "{name} is there twice"
        );
    }
    // The input cannot hold what is made of all of it.
    let sum = crc32fast::hash(input).to_be_bytes();
    let ours = Boundary::of_entropy([sum; 4].concat().try_into().expect("16 bytes"));
    let fields: Vec<(&str, &str)> =
        understood.fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let content = understood.file.as_ref().map_or(&[][..], |(_, content)| content);
    let file = understood.file.as_ref().map(|(head, content)| FilePart {
        name: head.name,
        filename: &head.filename,
        content_type: head.content_type.as_ref(),
        length: content.len() as u64,
    });
    let envelope = encode(&ours, &fields, file);
    let again = [envelope.head.as_slice(), content, &envelope.tail].concat();
    assert_eq!(again.len() as u64, envelope.content_length);
    let declared = Boundary::of_content_type(&envelope.content_type).expect("our own is sound");
    let mut again = read(&declared, std::iter::once(again.as_slice())).expect("what we write can be read");
    // What was not declared is declared to be bytes.
    if let (Some((given, _)), Some((head, _))) = (&understood.file, &mut again.file)
        && given.content_type.is_none()
    {
        head.content_type = None;
    }
    assert_eq!(again, understood, "written anew it says something else");
});
