//! The strict reading of a request for a batch job, and what of it goes upstream.

use std::borrow::Cow;
use std::ops::Range;

use super::line::ENDPOINTS;
use super::summary::Summary;
use super::{BatchError, MOST_INLINE, Names, Reading};
use crate::endpoints::{Endpoint, is_path_id};
use crate::json::{self, Cursor, Fault, Kind};
use crate::request::{Detail, RequestError, is_model_name};

/// The member of `metadata` by which Louver finds a job again whose making it did not see to its end.
pub const MARK: &str = "louver_intent";

/// Files of one job at most.
const MOST_FILES: usize = 100;
/// Bytes of `metadata` at most.
const LONGEST_METADATA: usize = 16 * 1024;
/// What upstream gives a job that says nothing.
const DEFAULT_HOURS: u64 = 24;

/// A sound request for a job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Where its lines go.
    pub endpoint: Endpoint,
    /// The model of lines that name none, as sent.
    pub model: Option<String>,
    /// Its files, as sent.
    pub input_files: Vec<String>,
    /// What is known of the requests that came with it.
    pub inline: Option<Summary>,
    /// `metadata` as sent; empty where there was none.
    pub metadata: String,
    /// Hours that it may take.
    pub timeout_hours: u64,
    /// The requests that came with it, as they go upstream, parted by commas.
    requests: Vec<u8>,
}

/// What has been read so far.
#[derive(Default)]
struct Draft {
    endpoint: Option<String>,
    model: Option<String>,
    input_files: Option<Vec<String>>,
    requests: Option<Vec<Range<usize>>>,
    metadata: String,
    timeout_hours: Option<u64>,
    agent: bool,
    details: Vec<Detail>,
}

/// Reads the body of a request for a job. `names` are for the requests in it.
///
/// # Errors
/// Line 0 is the job itself.
pub fn read(body: &[u8], names: impl Names) -> Result<Job, BatchError> {
    let refused = |error| BatchError::Request { line: 0, error };
    let mut draft = Draft::default();
    json::scan(body, |cursor| draft.document(cursor)).map_err(|error| refused(error.into()))?;
    draft.judge();
    if !draft.details.is_empty() {
        return Err(refused(RequestError::Shape(draft.details)));
    }
    let path = draft.endpoint.unwrap_or_default();
    let endpoint = ENDPOINTS.into_iter().find(|endpoint| endpoint.path() == path);
    let endpoint = endpoint.ok_or_else(|| refused(shape("endpoint", NO_ENDPOINT, "enum")))?;
    let mut requests = Vec::new();
    let inline = match draft.requests {
        None => None,
        Some(spans) => {
            let mut reading = Reading::new(names);
            for (place, span) in spans.into_iter().enumerate() {
                if place > 0 {
                    requests.push(b',');
                }
                reading.line(body.get(span).unwrap_or_default(), &mut requests)?;
            }
            Some(reading.finish()?)
        }
    };
    Ok(Job {
        endpoint,
        model: draft.model,
        input_files: draft.input_files.unwrap_or_default(),
        inline,
        metadata: draft.metadata,
        timeout_hours: draft.timeout_hours.unwrap_or(DEFAULT_HOURS),
        requests,
    })
}

const NO_ENDPOINT: &str = "Input is no endpoint whose requests can be made in a batch here";

impl Job {
    /// The job as it goes upstream: the model by its pinned id, and our mark among the metadata.
    pub fn written(&self, pinned: Option<&str>, mark: &str) -> Vec<u8> {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let mut out = format!("{{\"endpoint\":{}", text(self.endpoint.path())).into_bytes();
        if let Some(model) = pinned {
            out.extend_from_slice(format!(",\"model\":{}", text(model)).as_bytes());
        }
        out.extend_from_slice(
            format!(",\"timeout_hours\":{},\"metadata\":{{", self.timeout_hours).as_bytes(),
        );
        out.extend_from_slice(format!("{}:{}", text(MARK), text(mark)).as_bytes());
        let rest = self.metadata.strip_prefix('{').map(str::trim_ascii_start).unwrap_or_default();
        let separator = if rest.is_empty() || rest.starts_with('}') { "" } else { "," };
        out.extend_from_slice(separator.as_bytes());
        out.extend_from_slice(if rest.is_empty() { b"}" } else { rest.as_bytes() });
        if self.inline.is_some() {
            out.extend_from_slice(b",\"requests\":[");
            out.extend_from_slice(&self.requests);
            out.extend_from_slice(b"]}");
        } else {
            let files: Vec<String> = self.input_files.iter().map(|id| text(id)).collect();
            out.extend_from_slice(format!(",\"input_files\":[{}]}}", files.join(",")).as_bytes());
        }
        out
    }
}

impl Draft {
    fn document(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        if cursor.kind()? != Kind::Object {
            self.refuse("", "Input should be an object", "model_attributes_type");
            return cursor.skip();
        }
        cursor.object(|cursor, name| {
            if cursor.kind()? == Kind::Null {
                self.known(name);
                return cursor.skip();
            }
            match name {
                "endpoint" => self.text(cursor, "endpoint").map(|text| self.endpoint = text),
                "model" => self.text(cursor, "model").map(|text| self.model = text),
                "agent_id" => {
                    self.agent = true;
                    cursor.skip()
                }
                "input_files" => self.files(cursor),
                "requests" => self.requests(cursor),
                "metadata" => self.metadata(cursor),
                "timeout_hours" => self.hours(cursor),
                other => {
                    self.known(other);
                    cursor.skip()
                }
            }
        })
    }

    /// Refuses a field that is none.
    fn known(&mut self, name: &str) {
        const FIELDS: [&str; 7] =
            ["endpoint", "model", "agent_id", "input_files", "requests", "metadata", "timeout_hours"];
        if !FIELDS.contains(&name) {
            let shown = name.get(..name.floor_char_boundary(128)).unwrap_or_default().to_owned();
            self.refuse(&shown, "Extra inputs are not permitted", "extra_forbidden");
        }
    }

    fn text(&mut self, cursor: &mut Cursor<'_>, name: &str) -> Result<Option<String>, Fault> {
        if cursor.kind()? == Kind::String {
            return Ok(Some(cursor.string()?.decoded().into_owned()));
        }
        self.refuse(name, "Input should be a valid string", "string_type");
        cursor.skip().map(|()| None)
    }

    fn files(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        if cursor.kind()? != Kind::Array {
            self.refuse("input_files", "Input should be a valid list", "list_type");
            return cursor.skip();
        }
        let mut files: Vec<String> = Vec::new();
        cursor.array(|cursor, _| {
            let Some(id) = self.text(cursor, "input_files")? else { return Ok(()) };
            if !is_path_id(&id) {
                self.refuse("input_files", "Input should be the id of a file", "value_error");
            } else if files.contains(&id) {
                self.refuse("input_files", "A file is named twice", "value_error");
            } else if files.len() >= MOST_FILES {
                self.refuse("input_files", "List should have at most 100 items", "too_long");
            } else {
                files.push(id);
            }
            Ok(())
        })?;
        self.input_files = Some(files);
        Ok(())
    }

    fn requests(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        if cursor.kind()? != Kind::Array {
            self.refuse("requests", "Input should be a valid list", "list_type");
            return cursor.skip();
        }
        let mut spans: Vec<Range<usize>> = Vec::new();
        cursor.array(|cursor, _| {
            cursor.kind()?;
            let start = cursor.offset();
            cursor.skip()?;
            if (spans.len() as u64) < MOST_INLINE {
                spans.push(start..cursor.offset());
            } else {
                self.refuse("requests", "List should have at most 10000 items", "too_long");
            }
            Ok(())
        })?;
        self.requests = Some(spans);
        Ok(())
    }

    fn metadata(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        if cursor.kind()? != Kind::Object {
            self.refuse("metadata", "Input should be a valid object", "dict_type");
            return cursor.skip();
        }
        let start = cursor.offset();
        cursor.object(|cursor, name| {
            if name == MARK {
                self.refuse("metadata", "louver_intent is Louver's own", "value_error");
            }
            cursor.skip()
        })?;
        self.metadata = cursor.since(start).to_owned();
        if self.metadata.len() > LONGEST_METADATA {
            self.refuse("metadata", "Input should have at most 16384 bytes", "too_long");
        }
        Ok(())
    }

    fn hours(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        let number = if cursor.kind()? == Kind::Number { Some(cursor.number()?) } else { None };
        if number.is_none() {
            cursor.skip()?;
        }
        self.timeout_hours =
            number.and_then(|digits| digits.parse().ok()).filter(|hours| (1..=168).contains(hours));
        if self.timeout_hours.is_none() {
            self.refuse("timeout_hours", "Input should be an integer from 1 to 168", "int_type");
        }
        Ok(())
    }

    /// What no field says alone.
    fn judge(&mut self) {
        if self.endpoint.is_none() {
            self.refuse("endpoint", "Field required", "missing");
        }
        if self.agent {
            let message = "What an agent uses cannot be bounded for a batch: name a model";
            self.refuse("agent_id", message, "value_error");
        }
        if self.model.as_ref().is_some_and(|model| !is_model_name(model)) {
            self.refuse("model", "Input should be the name of a model", "string_pattern_mismatch");
        }
        let files = self.input_files.as_ref().is_some_and(|files| !files.is_empty());
        if files == self.requests.is_some() {
            self.refuse("input_files", "Give either input_files or requests", "value_error");
        }
    }

    fn refuse(&mut self, field: &str, message: &'static str, kind: &'static str) {
        if self.details.len() < 16 {
            self.details.push(detail(field, message, kind));
        }
    }
}

fn detail(field: &str, message: &'static str, kind: &'static str) -> Detail {
    let loc = ["body", field].into_iter().filter(|part| !part.is_empty()).map(str::to_owned).collect();
    Detail { loc, msg: Cow::Borrowed(message), kind }
}

fn shape(field: &str, message: &'static str, kind: &'static str) -> RequestError {
    RequestError::Shape(vec![detail(field, message, kind)])
}
