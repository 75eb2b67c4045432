//! The refusals of batches: what is wrong, and on which line.

use super::{Body, answer, shape};
use http::Response;
use louver_domain::admission::Refusal;
use louver_mistral::batch::BatchError;
use louver_mistral::error::ErrorBody;
use louver_mistral::request::RequestError;

/// Why a batch is refused, beside what every call can be refused for.
#[derive(Debug)]
pub(crate) enum BatchRefusal {
    /// Its lines cannot be read.
    Unread(BatchError),
    /// A line without a model, or with one beside that of the job.
    Model,
    /// A line that is no request to the job's endpoint.
    Endpoint,
    /// A file that was not read as one of lines.
    File,
    /// Lines of which one could be billed and the others could not be told from it.
    Mixed,
    /// More lines than may wait.
    Lines { most: u64 },
}

pub(super) fn batch(id: &str, refusal: BatchRefusal) -> Response<Body> {
    let plain = |message: &str| answer(&ErrorBody::new(422, "invalid_request", message.to_owned(), id));
    match refusal {
        BatchRefusal::Unread(BatchError::Request { line, error }) => request(id, line, error),
        BatchRefusal::Unread(BatchError::Model { line }) => model(id, line),
        BatchRefusal::Unread(error) => plain(&format!("The batch is refused: {error}.")),
        BatchRefusal::Model => plain(
            "Every line needs a model, of its own or of the job, and where both name one it must be the same.",
        ),
        BatchRefusal::Endpoint => {
            plain("The file has lines that cannot be requests to the endpoint of the job.")
        }
        BatchRefusal::Mixed => {
            plain("The lines of a job must all have the same guardrails, and all or none have annotations.")
        }
        BatchRefusal::File => plain("The file was not uploaded for a batch."),
        BatchRefusal::Lines { most } => {
            let message = format!(
                "The batches of the workspace that are not settled would have more than {most} lines."
            );
            answer(&ErrorBody::new(429, "batch_lines_exceeded", message, id))
        }
    }
}

/// A line that is no request: what is wrong with it.
fn request(id: &str, line: u64, error: RequestError) -> Response<Body> {
    match error {
        RequestError::Json(error) => {
            let message = format!("Line {line} is not valid: {} (column {})", error.message, error.column);
            answer(&ErrorBody::new(422, error.kind.as_str(), message, id))
        }
        RequestError::Shape(mut details) => {
            for detail in &mut details {
                detail.loc.insert(1.min(detail.loc.len()), line.to_string());
            }
            shape(id, details)
        }
    }
}

/// A line whose model is unknown or not allowed: as of a call of its own.
fn model(id: &str, line: u64) -> Response<Body> {
    let refusal = Refusal::ModelNotAllowed;
    let message = format!("Line {line}: {}", refusal.message());
    let mut body = ErrorBody::new(refusal.status(), refusal.kind(), message, id);
    body.param = refusal.param();
    answer(&body)
}
