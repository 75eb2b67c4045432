//! Reads a form with a file while it arrives; of a part given twice the last one counts, as in Python services.

use std::{io, pin::pin, sync::Arc};

use bytes::{Buf, Bytes};
use http::{HeaderMap, StatusCode, header};
use http_body::Body;
use http_body_util::BodyExt;
use memchr::memmem;
use serde_json::{Map, Value, json};

use super::{Spool, spool::Writer};
use crate::reply::Reply;

/// No file is larger.
const FILE: u64 = 512 << 20;
/// No other part, and no part's head, is larger.
const FIELD: usize = 1 << 20;
/// So much of a body is kept for the ledger.
const KEPT: usize = 1 << 20;

/// A form that was sent.
#[derive(Default)]
pub(crate) struct Upload {
    /// The parts that are no files.
    pub(crate) fields: Map<String, Value>,
    pub(crate) file: Option<File>,
}

/// The file of a form.
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) kind: Option<String>,
    pub(crate) spool: Arc<Spool>,
}

impl Upload {
    /// Receives a body; also says how it begins, for the ledger.
    pub(crate) async fn receive<B: Body>(headers: &HeaderMap, body: B) -> (Result<Self, Reply>, Bytes) {
        let mut kept = Vec::new();
        let mut body = pin!(body);
        let mut reader = boundary(headers).map(|boundary| Reader::new(&boundary));
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return (Err(broken("Client disconnected")), kept.into()) };
            let Ok(mut data) = frame.into_data() else { continue };
            while data.has_remaining() {
                let chunk = data.chunk();
                let room = KEPT.saturating_sub(kept.len()).min(chunk.len());
                kept.extend_from_slice(chunk.get(..room).unwrap_or_default());
                if let Some(Err(refusal)) = reader.as_mut().map(|reader| reader.take(chunk)) {
                    return (Err(refusal), kept.into());
                }
                let length = chunk.len();
                data.advance(length);
            }
        }
        // Another media type has no parts, so that whatever is required is missing.
        (reader.map_or_else(|| Ok(Self::default()), Reader::finish), kept.into())
    }

    /// A part that is a text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(Value::as_str)
    }
}

/// The boundary of a form; of several the last one counts.
fn boundary(headers: &HeaderMap) -> Option<Vec<u8>> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let (kind, parameters) = kind.split_once(';')?;
    let named = kind.trim().eq_ignore_ascii_case("multipart/form-data");
    let boundary = named.then(|| parameter(parameters, "boundary")).flatten()?;
    Some(boundary.into_bytes())
}

/// A parameter of a header's value; of several the last one counts.
fn parameter(parameters: &str, name: &str) -> Option<String> {
    let mut found = None;
    let mut quoted = false;
    let parts = parameters.split(|letter: char| {
        quoted ^= letter == '"';
        letter == ';' && !quoted
    });
    for part in parts {
        let Some((key, value)) = part.split_once('=') else { continue };
        if key.trim().eq_ignore_ascii_case(name) {
            let value = value.trim();
            let plain = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
            found = Some(plain.replace("\\\"", "\"").replace("%22", "\""));
        }
    }
    found
}

fn broken(why: &str) -> Reply {
    Reply::json(StatusCode::BAD_REQUEST, &json!({ "detail": why }))
}

fn too_large() -> Reply {
    Reply::json(StatusCode::PAYLOAD_TOO_LARGE, &json!({"detail": "File too large"}))
}

fn unwritten(error: io::Error) -> Reply {
    let detail = format!("the simulator cannot put the file away: {error}");
    Reply::json(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "detail": detail }))
}

enum State {
    /// Before the first boundary.
    Preamble,
    /// Behind a boundary.
    Boundary,
    /// In a part's headers.
    Head,
    /// In a part's content.
    Content,
    /// Behind the last boundary.
    End,
}

/// The part that is being read.
#[derive(Default)]
struct Part {
    name: String,
    file: Option<String>,
    kind: Option<String>,
    text: Vec<u8>,
    writer: Writer,
}

struct Reader {
    /// A line's end and the boundary.
    delimiter: Vec<u8>,
    buffer: Vec<u8>,
    state: State,
    part: Part,
    upload: Upload,
}

impl Reader {
    fn new(boundary: &[u8]) -> Self {
        let delimiter = [b"\r\n--", boundary].concat();
        // A boundary may stand at the very beginning, where no line ends.
        let buffer = b"\r\n".to_vec();
        Self { delimiter, buffer, state: State::Preamble, part: Part::default(), upload: Upload::default() }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Reply> {
        self.buffer.extend_from_slice(bytes);
        while self.step()? {}
        Ok(())
    }

    /// Reads on; says whether there may be more in what has arrived.
    fn step(&mut self) -> Result<bool, Reply> {
        match self.state {
            State::Preamble | State::Content => self.content(),
            State::Boundary if self.buffer.len() < 2 => Ok(false),
            State::Boundary => {
                self.state = if self.buffer.starts_with(b"--") { State::End } else { State::Head };
                Ok(true)
            }
            State::Head => self.head(),
            State::End => {
                self.buffer.clear();
                Ok(false)
            }
        }
    }

    fn content(&mut self) -> Result<bool, Reply> {
        let found = memmem::find(&self.buffer, &self.delimiter);
        let safe = self.buffer.len().saturating_sub(self.delimiter.len().saturating_sub(1));
        let content: Vec<u8> = self.buffer.drain(..found.unwrap_or(safe)).collect();
        if matches!(self.state, State::Content) {
            self.part.write(&content)?;
        }
        if found.is_none() {
            return Ok(false);
        }
        self.buffer.drain(..self.delimiter.len());
        if matches!(self.state, State::Content) {
            std::mem::take(&mut self.part).finish(&mut self.upload)?;
        }
        self.state = State::Boundary;
        Ok(true)
    }

    fn head(&mut self) -> Result<bool, Reply> {
        let Some(end) = memmem::find(&self.buffer, b"\r\n\r\n") else {
            return if self.buffer.len() > FIELD { Err(broken("Part header too large")) } else { Ok(false) };
        };
        let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
        self.part = Part::headed(&String::from_utf8_lossy(&head));
        self.state = State::Content;
        Ok(true)
    }

    fn finish(self) -> Result<Upload, Reply> {
        match self.state {
            State::End => Ok(self.upload),
            State::Preamble | State::Boundary | State::Head | State::Content => {
                Err(broken("There was an error parsing the body"))
            }
        }
    }
}

impl Part {
    fn headed(head: &str) -> Self {
        let mut part = Self::default();
        for line in head.split("\r\n") {
            let Some((name, value)) = line.split_once(':') else { continue };
            if name.trim().eq_ignore_ascii_case("content-disposition") {
                part.name = parameter(value, "name").unwrap_or_default();
                part.file = parameter(value, "filename");
            } else if name.trim().eq_ignore_ascii_case("content-type") {
                part.kind = Some(value.trim().to_owned());
            }
        }
        part
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Reply> {
        if self.file.is_none() {
            self.text.extend_from_slice(bytes);
            return if self.text.len() > FIELD { Err(broken("Part exceeded maximum size")) } else { Ok(()) };
        }
        self.writer.write(bytes).map_err(unwritten)?;
        if self.writer.length() > FILE { Err(too_large()) } else { Ok(()) }
    }

    fn finish(self, upload: &mut Upload) -> Result<(), Reply> {
        match self.file {
            Some(name) if self.name == "file" => {
                let spool = Arc::new(self.writer.finish().map_err(unwritten)?);
                upload.file = Some(File { name, kind: self.kind, spool });
            }
            Some(_) => {}
            None => {
                let text = String::from_utf8_lossy(&self.text).into_owned();
                upload.fields.insert(self.name, Value::String(text));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &[u8], step: usize) -> Result<Upload, StatusCode> {
        let mut reader = Reader::new(b"B");
        for piece in body.chunks(step) {
            reader.take(piece).map_err(|reply| reply.status)?;
        }
        reader.finish().map_err(|reply| reply.status)
    }

    #[test]
    fn a_form_is_read_wherever_it_is_cut() {
        let body =
            b"preamble\r\n--B\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nocr\r\n--B\r\n\
            content-disposition: form-data; name=\"x\"; name=\"purpose\"\r\n\r\nbatch\r\n--B\r\n\
            Content-Disposition: form-data; name=\"file\"; filename=\"a;\\\"b.jsonl\"\r\n\
            Content-Type: text/plain\r\n\r\none\r\n--\r\n-B\r\n\r\n--B--\r\nepilogue";
        for step in 1..body.len() {
            let upload = read(body, step).unwrap();
            assert_eq!(upload.text("purpose"), Some("batch"));
            let file = upload.file.unwrap();
            assert_eq!((file.name.as_str(), file.kind.as_deref()), ("a;\"b.jsonl", Some("text/plain")));
            assert_eq!(file.spool.all().unwrap(), b"one\r\n--\r\n-B\r\n");
        }
        assert_eq!(read(b"--B\r\n\r\nnever ends", 5).err(), Some(StatusCode::BAD_REQUEST));
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "multipart/form-data; boundary=a; boundary=\"b c\"".parse().unwrap());
        assert_eq!(boundary(&headers), Some(b"b c".to_vec()));
    }
}
