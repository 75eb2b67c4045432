//! Uploads of files: each is the workspace's own from before it is made.

use super::{Enclosed, Filled, content, read, still};
use crate::admit::admit_free;
use crate::authn::Caller;
use crate::edge;
use crate::objects::{self, Known, Making, any_credential};
use crate::pipeline::{Gateway, Visitor};
use crate::reply::{Body, Failure};
use crate::upstream::Pool;
use http::Response;
use http::request::Parts;
use hyper::body::Incoming;
use louver_domain::endpoints::EndpointKind;
use louver_domain::objects::ObjectKind;
use louver_mistral::batch::Summary;
use louver_mistral::endpoints::Endpoint;
use louver_mistral::forms::{FILE_UPLOAD, FileUpload};
use std::sync::Arc;

/// Takes a file in, and makes it upstream.
pub(super) async fn answer(
    gateway: &Arc<Gateway>,
    pool: &Pool,
    visitor: Visitor,
    caller: Caller,
    head: Parts,
    body: Incoming,
) -> Result<Response<Body>, Failure> {
    let allowance = admit_free(gateway, &visitor, &caller, EndpointKind::Files)?;
    let Filled { fields, file } = read(gateway, &FILE_UPLOAD, &head.headers, body).await?;
    let caller = still(gateway, &visitor, &caller, EndpointKind::Files)?;
    let upload = FileUpload::read(&fields, file.is_some()).map_err(Failure::Request)?;
    let Some(file) = file else { return Err(Failure::NoSuchObject) };
    let public = gateway.settings().public_host.as_deref();
    let elsewhere = |lines: &Summary| edge::not_ourselves(&lines.hosts, &head.uri, &head.headers, public);
    let checked = content::check(gateway, &caller, file.spool, upload.purpose.as_deref(), elsewhere).await?;
    let known = Known {
        sha256: checked.spool.sha256().to_owned(),
        bytes: checked.spool.length(),
        content: checked.content,
        ..Known::default()
    };
    let file = Enclosed { head: file.head, spool: checked.spool };
    let form = Filled { fields: upload.fields, file: Some(file) };
    let making = Making {
        gateway: Arc::clone(gateway),
        pool: pool.clone(),
        key: Arc::clone(&caller.key),
        credential: any_credential(gateway, &caller.key)?,
        kind: ObjectKind::File,
        parent: String::new(),
        target: Endpoint::UploadFile.path().to_owned(),
        payload: form.written(None, gateway.entropy()),
    };
    let said = making.run(move |shown| known.showing(shown)).await?;
    Ok(objects::reply(said.status, &said.value, allowance))
}
