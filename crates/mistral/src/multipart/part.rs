//! The headers of one part: which field it is, and whether it is text or a file.

use super::{FileHead, Form, MediaType, MultipartError, parameters};

/// The headers read so far.
#[derive(Default)]
pub(super) struct Headers {
    disposition: Option<Disposition>,
    content_type: Option<MediaType>,
}

struct Disposition {
    name: String,
    filename: Option<String>,
}

/// What a part is.
pub(super) enum Part {
    /// A text field.
    Text {
        /// As in the form.
        name: &'static str,
        /// Whether it may stand there once only.
        once: bool,
    },
    /// A file.
    File(FileHead),
}

impl Headers {
    /// Takes one line, without its line end.
    pub(super) fn line(&mut self, line: &[u8]) -> Result<(), MultipartError> {
        let malformed = MultipartError::Malformed;
        let line = std::str::from_utf8(line).map_err(|_| malformed("a header of a part is not UTF-8"))?;
        if line.starts_with([' ', '\t']) {
            return Err(malformed("a header of a part goes over more than one line"));
        }
        let (name, value) = line.split_once(':').ok_or(malformed("a header of a part has no colon"))?;
        let value = value.trim_matches(' ');
        if name.eq_ignore_ascii_case("content-disposition") {
            once(&mut self.disposition, Disposition::parse(value)?)
        } else if name.eq_ignore_ascii_case("content-type") {
            once(&mut self.content_type, MediaType::parse(value)?)
        } else {
            // A length, an encoding or a range would be a second word on where the data ends and what it
            // says.
            Err(malformed("a part has a header other than Content-Disposition and Content-Type"))
        }
    }

    /// The headers are complete.
    pub(super) fn finish(self, form: &'static Form) -> Result<Part, MultipartError> {
        let Some(Disposition { name, filename }) = self.disposition else {
            return Err(MultipartError::Malformed("a part has no Content-Disposition"));
        };
        let known = |names: &'static [&'static str]| names.iter().copied().find(|known| *known == name);
        let scalar = known(form.scalars);
        if let Some(known) = scalar.or_else(|| known(form.lists)) {
            if filename.is_some() {
                return Err(MultipartError::shape(
                    &name,
                    "string_type",
                    "Input should be a text, not a file",
                ));
            }
            text_only(&name, self.content_type.as_ref())?;
            return Ok(Part::Text { name: known, once: scalar.is_some() });
        }
        let Some(known) = known(form.files) else {
            return Err(MultipartError::shape(&name, "extra_forbidden", "Extra inputs are not permitted"));
        };
        // An empty file name is "no file" to some parsers, and a file to others.
        let Some(filename) = filename.filter(|filename| !filename.is_empty()) else {
            return Err(MultipartError::shape(&name, "file_type", "Input should be a file with a file name"));
        };
        Ok(Part::File(FileHead { name: known, filename, content_type: self.content_type }))
    }
}

impl Disposition {
    fn parse(value: &str) -> Result<Self, MultipartError> {
        let malformed = MultipartError::Malformed;
        let parsed = parameters::parse(value).map_err(malformed)?;
        if !parsed.head.eq_ignore_ascii_case("form-data") {
            return Err(malformed("a part has a disposition other than form-data"));
        }
        let (mut field, mut filename) = (None, None);
        for (name, value) in parsed.list {
            if name.eq_ignore_ascii_case("name") {
                field = Some(value.to_owned());
            } else if name.eq_ignore_ascii_case("filename") {
                filename = Some(value.to_owned());
            } else {
                return Err(malformed("a Content-Disposition has a parameter other than name and filename"));
            }
        }
        let name = field.ok_or(malformed("a part has no name"))?;
        Ok(Self { name, filename })
    }
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), MultipartError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(MultipartError::Malformed("a part has the same header twice")),
    }
}

/// A text is plain text: another type would have it read in another way.
fn text_only(name: &str, content_type: Option<&MediaType>) -> Result<(), MultipartError> {
    match content_type {
        Some(other) if !other.essence().eq_ignore_ascii_case("text/plain") => {
            Err(MultipartError::shape(name, "string_type", "Input should be of the type text/plain"))
        }
        Some(_) | None => Ok(()),
    }
}
