//! The form that a transcription is asked for with.

use super::{Fields, Findings, boolean, is_number, value};
use crate::endpoints::{Endpoint, is_path_id};
use crate::multipart::Form;
use crate::request::{Reference, ReferenceKind, Request, RequestError, is_model_name};

/// The fields of a transcription.
pub static TRANSCRIPTION: Form = Form {
    scalars: &["model", "file_url", "file_id", "language", "temperature", "stream", "diarize"],
    lists: &["context_bias", "timestamp_granularities", "timestamp_granularities[]"],
    files: &["file"],
};

/// What Mistral says to a body that is no form.
pub const NO_FORM: &str = "make sure the request is formatted as a multipart/form-data request";

/// A transcription that was understood.
#[derive(Debug, PartialEq, Eq)]
pub struct Transcription {
    /// What it asks for; how long the audio is stands nowhere in the fields.
    pub request: Request,
    /// As they go upstream; the model stands first, as it was asked for.
    pub fields: Fields,
}

impl Transcription {
    /// Reads the fields.
    ///
    /// # Errors
    /// [`RequestError::Shape`].
    pub fn read(fields: Fields, file: bool) -> Result<Self, RequestError> {
        let mut findings = Findings::default();
        let of = |name| value(&fields, name);
        match of("model") {
            None => findings.refuse("model", "missing", "Field required"),
            Some("") => {
                findings.refuse("model", "string_too_short", "String should have at least 1 character");
            }
            Some(_) => {}
        }
        sources(&fields, file, &mut findings);
        for name in ["stream", "diarize"] {
            let sound = of(name).is_none_or(|text| boolean(text).is_some());
            findings.judge(sound, name, "bool_parsing", "Input should be 'true' or 'false'");
        }
        let number = of("temperature").is_none_or(is_number);
        findings.judge(number, "temperature", "float_parsing", "Input should be a valid number");
        let language = of("language").is_none_or(is_language);
        findings.judge(
            language,
            "language",
            "string_pattern_mismatch",
            "Input should be the code of a language",
        );
        for (name, text) in fields.iter().filter(|(name, _)| name.starts_with("timestamp_granularities")) {
            let known = matches!(text.as_str(), "segment" | "word");
            findings.judge(known, name, "literal_error", "Input should be 'segment' or 'word'");
        }
        findings.done()?;
        Ok(Self { request: request(&fields), fields: ordered(fields) })
    }

    /// The address of the audio, if it lies somewhere else.
    pub fn file_url(&self) -> Option<&str> {
        value(&self.fields, "file_url")
    }
}

/// The audio comes along, or lies at one place.
fn sources(fields: &Fields, file: bool, findings: &mut Findings) {
    let (url, id) = (value(fields, "file_url"), value(fields, "file_id"));
    match [file, url.is_some(), id.is_some()].into_iter().filter(|given| *given).count() {
        0 => findings.refuse("file", "missing", "Field required"),
        1 => {}
        _ => findings.refuse("file", "value_error", "Only one of file, file_url and file_id should be given"),
    }
    // An id that none can have names nothing: it is looked for, and not found.
    if id.is_some_and(str::is_empty) {
        findings.refuse("file_id", "string_too_short", "String should have at least 1 character");
    }
}

fn request(fields: &Fields) -> Request {
    let mut request = Request::empty(Endpoint::Transcriptions);
    request.model = value(fields, "model").unwrap_or_default().to_owned();
    request.unnameable = !is_model_name(&request.model);
    request.stream = value(fields, "stream").and_then(boolean).unwrap_or(false);
    let texts = fields.iter().filter(|(name, _)| matches!(*name, "context_bias" | "language"));
    let bytes = texts.map(|(_, text)| text.len()).fold(0, usize::saturating_add);
    request.text_bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    let file = |id: &str| Reference { kind: ReferenceKind::File, id: id.to_owned() };
    request.references = value(fields, "file_id").map(file).into_iter().collect();
    request
}

/// The model first; lists under the one name that Mistral's clients use.
fn ordered(fields: Fields) -> Fields {
    let mut ordered: Fields =
        fields.into_iter().map(|(name, value)| (name.strip_suffix("[]").unwrap_or(name), value)).collect();
    ordered.sort_by_key(|(name, _)| *name != "model");
    ordered
}

/// Whether a text can be the code of a language (`en`, `pt-BR`).
fn is_language(text: &str) -> bool {
    matches!(text.len(), 2..=16) && is_path_id(text) && !text.contains(['.', ':'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[(&'static str, &str)], file: bool) -> Result<Transcription, RequestError> {
        Transcription::read(fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(), file)
    }

    #[test]
    fn a_form_of_mistrals_clients_is_understood() {
        let form = read(
            &[
                ("timestamp_granularities[]", "segment"),
                ("stream", "true"),
                ("diarize", "false"),
                ("temperature", "0.2"),
                ("context_bias", "Louver"),
                ("context_bias", "Chablis"),
                ("language", "en"),
                ("model", "voxtral-mini-latest"),
            ],
            true,
        )
        .unwrap();
        assert!(form.request.stream && !form.request.unnameable);
        assert_eq!((form.request.model.as_str(), form.request.text_bytes), ("voxtral-mini-latest", 15));
        assert_eq!(form.fields[0].0, "model");
        assert_eq!(form.fields[1], ("timestamp_granularities", "segment".to_owned()));
        assert_eq!(form.fields.len(), 8);
        let form = read(&[("model", "m"), ("file_id", "abc")], false).unwrap();
        assert_eq!(form.request.references, [Reference { kind: ReferenceKind::File, id: "abc".into() }]);
    }

    #[test]
    fn there_is_exactly_one_audio() {
        let (url, id) = (("file_url", "https://a/b"), ("file_id", "x"));
        for (fields, file, sound) in [
            ([].as_slice(), false, false),
            (&[], true, true),
            (&[url], false, true),
            (&[id], false, true),
            (&[url], true, false),
            (&[id], true, false),
            (&[url, id], false, false),
        ] {
            let fields = [&[("model", "m")], fields].concat();
            assert_eq!(read(&fields, file).is_ok(), sound, "{fields:?} {file}");
        }
    }

    #[test]
    fn no_value_is_bent_into_shape() {
        for bad in [
            ("model", ""),
            ("stream", "True"),
            ("stream", "1"),
            ("stream", "on"),
            ("stream", ""),
            ("stream", " true"),
            ("diarize", "yes"),
            ("temperature", "0,2"),
            ("temperature", "NaN"),
            ("temperature", " 1"),
            ("temperature", "1e999"),
            ("temperature", ""),
            ("language", ""),
            ("language", "e n"),
            ("language", "../x"),
            ("timestamp_granularities", "Word"),
            ("timestamp_granularities[]", ""),
            ("file_id", ""),
        ] {
            let mut fields = vec![bad];
            if bad.0 != "model" {
                fields.push(("model", "m"));
            }
            assert!(read(&fields, bad.0 != "file_id").is_err(), "{bad:?}");
        }
        let Err(RequestError::Shape(details)) = read(&[], true) else { panic!("a model is missing") };
        assert_eq!((details[0].loc[1].as_str(), details[0].kind), ("model", "missing"));
    }
}
