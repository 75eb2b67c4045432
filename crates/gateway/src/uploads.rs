//! Forms with files: read strictly as they come, the file set aside, and everything decided before anything is sent.

pub(crate) mod content;
mod documents;
mod files;
mod transcriptions;

use crate::authn::{Caller, again, authenticate};
use crate::edge;
use crate::intake::Flow;
use crate::pipeline::{Gateway, Visitor};
use crate::reply::{Body, Failure};
use crate::servers;
use crate::spool::{Spool, SpoolError, Writer};
use crate::upstream::{Payload, Pool};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, Response};
use hyper::body::Incoming;
use louver_domain::admission;
use louver_domain::endpoints::EndpointKind;
use louver_domain::entropy::Entropy;
use louver_mistral::endpoints::{Asked, Endpoint};
use louver_mistral::forms::Fields;
use louver_mistral::multipart::{self, Boundary, Event, FileHead, FilePart, Form, Limits, Reader};
use std::sync::Arc;

/// What a form may have beside its file, in bytes.
const BESIDE: u64 = 1 << 20;

/// A form that was read to its end.
pub(crate) struct Filled {
    /// Its text fields.
    pub(crate) fields: Fields,
    /// Its file.
    pub(crate) file: Option<Enclosed>,
}

/// The file of a form.
pub(crate) struct Enclosed {
    /// What the form says of it.
    pub(crate) head: FileHead,
    /// What is in it.
    pub(crate) spool: Spool,
}

/// Answers a request that is a form.
pub(crate) async fn answer(
    gateway: &Arc<Gateway>,
    pool: &Pool,
    visitor: Visitor,
    asked: &Asked<'_>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Failure> {
    let (head, body) = request.into_parts();
    let caller = authenticate(gateway, &head.headers, &visitor)?;
    edge::no_query(&head.uri)?;
    match asked.endpoint {
        Endpoint::Transcriptions => {
            transcriptions::answer(gateway, pool, visitor, caller, asked, head, body).await
        }
        Endpoint::UploadFile => files::answer(gateway, pool, visitor, caller, head, body).await,
        Endpoint::UploadDocument => {
            documents::answer(gateway, pool, visitor, caller, asked, head, body).await
        }
        _ => Err(Failure::NoSuchObject),
    }
}

/// Reads a form to its end. Nothing of it is sent anywhere; its file lies in its spool.
pub(crate) async fn read(
    gateway: &Gateway,
    form: &'static Form,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<Filled, Failure> {
    let boundary = boundary(headers)?;
    let max_file_bytes = gateway.settings().bounds.upload_bytes;
    let most = usize::try_from(max_file_bytes.saturating_add(BESIDE)).unwrap_or(usize::MAX);
    let mut flow = Flow::new(gateway.settings(), headers, body, most)?;
    let mut reader = Reader::new(&boundary, form, Limits { max_file_bytes, ..Limits::default() });
    let mut filled = Filled { fields: Vec::new(), file: None };
    let mut writing: Option<(FileHead, Writer)> = None;
    while let Some(mut piece) = flow.next().await? {
        while let Some(event) = reader.next(&mut piece).map_err(Failure::Form)? {
            match event {
                Event::Field { name, value } => filled.fields.push((name, value)),
                Event::FileStart(head) => writing = Some((head, Writer::new(gateway.spools()))),
                Event::FileData(data) => {
                    if let Some((_, writer)) = &mut writing {
                        writer.write(&data).await.map_err(unkept)?;
                    }
                }
                Event::FileEnd => {
                    if let Some((head, writer)) = writing.take() {
                        let spool = writer.finish().await.map_err(unkept)?;
                        filled.file = Some(Enclosed { head, spool });
                    }
                }
            }
        }
    }
    reader.finish().map_err(Failure::Form)?;
    Ok(filled)
}

/// The caller by the rules of now, and not by those of the first byte: a file takes its time.
fn still(
    gateway: &Gateway,
    visitor: &Visitor,
    caller: &Caller,
    endpoint: EndpointKind,
) -> Result<Caller, Failure> {
    let caller = again(gateway, caller, gateway.clock().now())?;
    admission::may_call(&caller.key.rules, visitor.address, endpoint).map_err(Failure::Refused)?;
    servers::may_ask(&caller.key.rules, endpoint)?;
    Ok(caller)
}

/// The boundary of a form that is declared once and as it is.
fn boundary(headers: &HeaderMap) -> Result<Boundary, Failure> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(content_type), None) = (types.next(), types.next()) else {
        return Err(Failure::UnsupportedMediaType { message: "the body must be multipart/form-data" });
    };
    edge::not_compressed(headers)?;
    let text = content_type.to_str().unwrap_or_default();
    Boundary::of_content_type(text).map_err(Failure::Form)
}

fn unkept(error: SpoolError) -> Failure {
    match error {
        SpoolError::Full => tracing::warn!("a file is refused: there is no room to set it aside"),
        SpoolError::Disk(ref error) => tracing::error!(%error, "a file cannot be set aside"),
    }
    Failure::NoRoom
}

impl Filled {
    /// The form, written anew under a boundary that nobody knew before; `model` stands in place of the one asked for.
    pub(crate) fn written(&self, model: Option<&str>, entropy: &dyn Entropy) -> Payload {
        let mut random = [0; 16];
        entropy.fill(&mut random);
        let pinned = |name: &str| model.filter(|_| name == "model");
        let fields: Vec<(&str, &str)> =
            self.fields.iter().map(|(name, value)| (*name, pinned(name).unwrap_or(value))).collect();
        let file = self.file.as_ref().map(|file| FilePart {
            name: file.head.name,
            filename: &file.head.filename,
            content_type: file.head.content_type.as_ref(),
            length: file.spool.length(),
        });
        let envelope = multipart::encode(&Boundary::of_entropy(random), &fields, file);
        // Our own boundary is plain letters: without it upstream would read nothing.
        let content_type = HeaderValue::from_str(&envelope.content_type)
            .unwrap_or(HeaderValue::from_static("multipart/form-data"));
        let spool = self.file.as_ref().map(|file| file.spool.clone());
        Payload::form(content_type, Bytes::from(envelope.head), spool, Bytes::from(envelope.tail))
    }
}
