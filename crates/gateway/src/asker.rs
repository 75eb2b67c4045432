//! What pollers ask upstream of what was made before: objects in JSON, and files line by line.

use crate::credentials::InUse;
use crate::forward;
use crate::objects::{self, whole};
use crate::pipeline::Gateway;
use crate::redact::redact;
use crate::upstream::{AnswerBody, Payload, Pool};
use http::{Method, Response, StatusCode};
use louver_domain::id::{OrganizationId, UpstreamId};
use louver_mistral::batch::Lines;
use serde_json::Value;
use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use tokio::time::timeout;

/// An answer of a batch that is longer than this is not read.
const LONGEST_LINE: usize = 16 << 20;

/// Asks with the credential that an object was made with.
pub(crate) struct Asker<'a> {
    pub(crate) gateway: &'a Arc<Gateway>,
    pub(crate) pool: &'a Pool,
    pub(crate) organization: OrganizationId,
    pub(crate) credential: Option<UpstreamId>,
}

/// What upstream says of something.
pub(crate) enum Answer<T> {
    There(T),
    /// It knows nothing of it.
    Absent,
}

/// Why upstream says nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Silence {
    #[error("the credential is not in use any more")]
    NoCredential,
    #[error("no answer, or none that can be used")]
    Unusable,
    #[error("status {0}")]
    Status(u16),
}

impl Asker<'_> {
    /// An object.
    pub(crate) async fn json(&self, target: String) -> Result<Answer<Value>, Silence> {
        let Answer::There((response, credential)) = self.get(target).await? else {
            return Ok(Answer::Absent);
        };
        let bytes = timeout(self.gateway.settings().timeouts.total, whole(response.into_body())).await;
        let bytes = bytes.map_err(|_| Silence::Unusable)?.map_err(|_| Silence::Unusable)?;
        let bytes = redact(bytes, credential.credential());
        serde_json::from_slice(&bytes).map(Answer::There).map_err(|_| Silence::Unusable)
    }

    /// The lines of a file; `None` is one that is too long.
    pub(crate) async fn lines(
        &self,
        id: &str,
        mut each: impl FnMut(Option<&[u8]>),
    ) -> Result<Answer<()>, Silence> {
        let Answer::There((response, _in_use)) = self.get(format!("/v1/files/{id}/content")).await? else {
            return Ok(Answer::Absent);
        };
        let mut body = response.into_body();
        let mut lines = Lines::new(LONGEST_LINE);
        let mut take = |line: Option<&[u8]>| {
            each(line);
            Ok::<(), Infallible>(())
        };
        let idle = self.gateway.settings().timeouts.idle;
        loop {
            let piece =
                timeout(idle, poll_fn(|cx| body.poll_piece(cx))).await.map_err(|_| Silence::Unusable)?;
            let Some(piece) = piece else { break };
            let Ok(()) = lines.feed(&piece.map_err(|_| Silence::Unusable)?, &mut take);
        }
        let Ok(()) = lines.finish(&mut take);
        Ok(Answer::There(()))
    }

    async fn get(&self, target: String) -> Result<Answer<(Response<AnswerBody>, InUse)>, Silence> {
        let snapshot = self.gateway.snapshot();
        let credential = snapshot.credential(self.credential).ok_or(Silence::NoCredential)?;
        let call = objects::call(&credential, (Method::GET, target, Payload::default()));
        let response = self.pool.send(call).await.map_err(|_| Silence::Unusable)?;
        let status = response.status();
        forward::judge_status(self.gateway, self.organization, credential.credential(), status)
            .map_err(|_| Silence::Status(status.as_u16()))?;
        if status == StatusCode::NOT_FOUND {
            return Ok(Answer::Absent);
        }
        if status.is_success() {
            Ok(Answer::There((response, credential)))
        } else {
            Err(Silence::Status(status.as_u16()))
        }
    }
}
