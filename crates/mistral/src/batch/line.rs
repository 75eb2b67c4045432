//! One request of a batch in its frame: read as a request to every endpoint that it can be for.

use std::ops::Range;

use super::{BatchError, Names};
use crate::endpoints::Endpoint;
use crate::json::{self, Cursor, Fault, Kind};
use crate::request::{self, Detail, Request, RequestError};

/// The endpoints whose requests can be made in a batch. Transcriptions come in forms, not in JSON; conversations go on
/// with what is kept upstream, whose cost nobody can bound line by line.
pub const ENDPOINTS: [Endpoint; 8] = [
    Endpoint::ChatCompletions,
    Endpoint::FimCompletions,
    Endpoint::Embeddings,
    Endpoint::Moderations,
    Endpoint::ChatModerations,
    Endpoint::Classifications,
    Endpoint::ChatClassifications,
    Endpoint::Ocr,
];

/// The longest `custom_id`, in bytes.
const LONGEST_ID: usize = 512;

/// Stands for the job's model while a body without one is read. No request depends on what it is called.
const STAND_IN: &[u8] = b"\"model\":\"batch\"";

/// A line that was read.
pub(super) struct Line {
    pub(super) custom_id: String,
    /// The model as sent; `None` where the job names it.
    pub(super) model: Option<String>,
    /// The body, in the line.
    body: Range<usize>,
    /// The body with a model, where it has none of its own.
    with_stand_in: Option<Vec<u8>>,
    /// What it says to each endpoint that it can be for; never empty.
    pub(super) requests: Vec<Request>,
}

/// The frame of a line, as far as it was read.
#[derive(Default)]
struct Frame {
    custom_id: Option<String>,
    body: Option<Range<usize>>,
    url: Option<String>,
    has_model: bool,
    empty: bool,
    /// By the fields that only some of them have.
    endpoints: Vec<Endpoint>,
    wrong: Option<String>,
}

impl Line {
    /// Reads a line of that number.
    pub(super) fn read(bytes: &[u8], number: u64) -> Result<Self, BatchError> {
        let refused = |error| BatchError::Request { line: number, error };
        let framed = |what: &str| BatchError::Frame { line: number, what: what.to_owned() };
        let mut frame = Frame::default();
        json::scan(bytes, |cursor| frame.document(cursor)).map_err(|error| refused(error.into()))?;
        if let Some(what) = frame.wrong {
            return Err(BatchError::Frame { line: number, what });
        }
        let custom_id = frame.custom_id.ok_or_else(|| framed("custom_id is missing"))?;
        let span = frame.body.ok_or_else(|| framed("body is missing"))?;
        let body = bytes.get(span.clone()).unwrap_or_default();
        let with_stand_in = (!frame.has_model).then(|| stand_in(body, frame.empty));
        let likely = if frame.endpoints.is_empty() { &ENDPOINTS[..] } else { &frame.endpoints };
        let requests = requests(with_stand_in.as_deref().unwrap_or(body), likely, frame.url.as_deref());
        let requests = requests.map_err(refused)?;
        let Some(first) = requests.first() else {
            return Err(framed("url is not that of an endpoint whose requests can be made in a batch"));
        };
        if first.unnameable {
            return Err(BatchError::Model { line: number });
        }
        let model = frame.has_model.then(|| first.model.clone());
        Ok(Self { custom_id, model, body: span, with_stand_in, requests })
    }

    /// Writes the line without its end: its body as that of a call of its own goes upstream, the rest as it was.
    pub(super) fn write(
        &mut self,
        bytes: &[u8],
        pinned: Option<&str>,
        names: &impl Names,
        out: &mut Vec<u8>,
    ) {
        let Some(request) = self.requests.first_mut() else { return };
        request.rename_cache_key(|given| names.cache(given));
        request.pin_guards(|model| names.pinned(model));
        out.extend_from_slice(bytes.get(..self.body.start).unwrap_or_default());
        match &self.with_stand_in {
            None => {
                let body = bytes.get(self.body.clone()).unwrap_or_default();
                let rewritten = request.rewrite(body, pinned.unwrap_or(&request.model), None);
                out.extend_from_slice(rewritten.as_deref().unwrap_or(body));
            }
            Some(body) => {
                let rewritten = request.rewrite(body, &request.model, None);
                without_stand_in(rewritten.as_deref().unwrap_or(body), out);
            }
        }
        out.extend_from_slice(bytes.get(self.body.end..).unwrap_or_default());
    }
}

impl Frame {
    fn document(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        if cursor.kind()? != Kind::Object {
            self.wrong("a line must be an object");
            return cursor.skip();
        }
        cursor.object(|cursor, name| match name {
            "custom_id" => {
                self.custom_id = self.text(cursor, "custom_id")?;
                let fits = |id: &String| !id.is_empty() && id.len() <= LONGEST_ID;
                if !self.custom_id.as_ref().is_some_and(fits) {
                    self.wrong("custom_id must be a string of 1 to 512 bytes");
                }
                Ok(())
            }
            "method" => {
                if self.text(cursor, "method")?.is_some_and(|method| method != "POST") {
                    self.wrong("method must be POST");
                }
                Ok(())
            }
            "url" => {
                self.url = self.text(cursor, "url")?;
                Ok(())
            }
            "body" => self.body(cursor),
            other => {
                let shown = other.get(..other.floor_char_boundary(128)).unwrap_or_default();
                self.wrong(&format!("the field {shown:?} is not known"));
                cursor.skip()
            }
        })
    }

    fn text(&mut self, cursor: &mut Cursor<'_>, name: &str) -> Result<Option<String>, Fault> {
        if cursor.kind()? == Kind::String {
            return Ok(Some(cursor.string()?.decoded().into_owned()));
        }
        self.wrong(&format!("{name} must be a string"));
        cursor.skip().map(|()| None)
    }

    fn body(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        if cursor.kind()? != Kind::Object {
            self.wrong("body must be an object");
            return cursor.skip();
        }
        let start = cursor.offset();
        self.empty = true;
        cursor.object(|cursor, name| {
            self.empty = false;
            self.has_model |= name == "model";
            self.endpoints.extend(endpoints_with(name));
            cursor.skip()
        })?;
        self.body = Some(start..cursor.offset());
        Ok(())
    }

    fn wrong(&mut self, what: &str) {
        self.wrong.get_or_insert_with(|| what.to_owned());
    }
}

/// The endpoints whose requests must have that field; each of them asks for one such.
const fn endpoints_with(field: &str) -> &'static [Endpoint] {
    match field.as_bytes() {
        b"messages" => &[Endpoint::ChatCompletions],
        b"prompt" => &[Endpoint::FimCompletions],
        b"input" => &[
            Endpoint::Embeddings,
            Endpoint::Moderations,
            Endpoint::ChatModerations,
            Endpoint::Classifications,
            Endpoint::ChatClassifications,
        ],
        b"document" => &[Endpoint::Ocr],
        _ => &[],
    }
}

/// A body without a model, with one.
fn stand_in(body: &[u8], empty: bool) -> Vec<u8> {
    let mut with = Vec::with_capacity(body.len().saturating_add(STAND_IN.len()).saturating_add(1));
    with.push(b'{');
    with.extend_from_slice(STAND_IN);
    if !empty {
        with.push(b',');
    }
    with.extend_from_slice(body.get(1..).unwrap_or_default());
    with
}

/// Writes a body with the stand-in for a model without it.
fn without_stand_in(body: &[u8], out: &mut Vec<u8>) {
    let rest = body.get(STAND_IN.len().saturating_add(1)..).unwrap_or_default();
    out.push(b'{');
    out.extend_from_slice(rest.strip_prefix(b",").unwrap_or(rest));
}

/// What a body says to each endpoint that it can be for; without one, why the likeliest refuses it. Empty when `url`
/// names none of them.
fn requests(body: &[u8], likely: &[Endpoint], url: Option<&str>) -> Result<Vec<Request>, RequestError> {
    let mut read = Vec::new();
    let mut refused: Option<RequestError> = None;
    for endpoint in likely.iter().copied().filter(|endpoint| url.is_none_or(|url| url == endpoint.path())) {
        match request::read(endpoint, body).and_then(whole) {
            Ok(request) => read.push(request),
            Err(error) if refused.as_ref().is_none_or(|worse| findings(&error) < findings(worse)) => {
                refused = Some(error);
            }
            Err(_) => {}
        }
    }
    match refused {
        Some(error) if read.is_empty() => Err(error),
        _ => Ok(read),
    }
}

/// How far a body is from what an endpoint takes.
fn findings(error: &RequestError) -> usize {
    match error {
        RequestError::Json(_) => 0,
        RequestError::Shape(details) => details.len(),
    }
}

/// The answers of a batch are written into a file: none is a stream.
fn whole(request: Request) -> Result<Request, RequestError> {
    if !request.stream {
        return Ok(request);
    }
    Err(RequestError::Shape(vec![Detail {
        loc: vec!["body".into(), "stream".into()],
        msg: "A request of a batch cannot be streamed".into(),
        kind: "literal_error",
    }]))
}
