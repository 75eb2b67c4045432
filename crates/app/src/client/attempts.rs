//! A request that may be sent again: what only reads, and a POST whose idempotency key lets it be carried out once.

use super::{Answered, Client, ClientError};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde_json::Value;
use std::time::Duration;

/// The header that makes a POST one deed, however often it arrives.
pub(super) const ONCE: HeaderName = HeaderName::from_static("idempotency-key");

/// How often a request is sent that may be sent again.
const MOST: u32 = 3;
/// Between two attempts, and while the first one still runs over there.
const PAUSE: Duration = Duration::from_millis(300);
/// POSTs that change nothing: their answers need not be kept for anybody.
const ONLY_LOOK: [&str; 2] = ["/v1/gateway/explain", "/v1/gateway/simulate"];

/// What is asked.
pub(super) struct Asked<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) body: Option<&'a Value>,
    pub(super) accept: &'static str,
    /// Only if what is there has this tag.
    pub(super) tag: Option<&'a str>,
}

impl<'a> Asked<'a> {
    pub(super) const fn new(method: Method, path: &'a str, body: Option<&'a Value>) -> Self {
        Self { method, path, body, accept: "application/json", tag: None }
    }

    /// Whether it changes nothing.
    fn only_looks(&self) -> bool {
        self.method == Method::GET || (self.method == Method::POST && ONLY_LOOK.contains(&self.path))
    }
}

/// Why an exchange came to no answer.
pub(super) enum Broken {
    /// Nothing was sent.
    Before(ClientError),
    /// It may have arrived.
    UnderWay(String),
}

impl From<Broken> for ClientError {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Before(error) => error,
            Broken::UnderWay(why) => Self::Unreachable(why),
        }
    }
}

impl Client {
    /// One request, sent again when its connection broke and that can do no harm. All of its attempts have the same key, so
    /// that a deed whose answer was lost is answered and not done again.
    pub(super) async fn attempts(&self, asked: &Asked<'_>) -> Result<Answered, ClientError> {
        let looks = asked.only_looks();
        let once = (asked.method == Method::POST && !looks).then(|| self.once()).transpose()?;
        let mut left = if looks || once.is_some() { MOST } else { 1 };
        let mut arrived = false;
        loop {
            left = left.saturating_sub(1);
            match self.exchange(self.request(asked, once.as_ref())?).await {
                // The first attempt is at work over there, and its answer is what is waited for.
                Ok(answered) if arrived && answered.status == StatusCode::CONFLICT && answered.later => {}
                Ok(answered) => return Ok(answered),
                Err(Broken::UnderWay(_)) if left > 0 => arrived = true,
                Err(Broken::Before(_)) if arrived && left > 0 => {}
                Err(broken) => return Err(broken.into()),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// A new idempotency key.
    fn once(&self) -> Result<HeaderValue, ClientError> {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        HeaderValue::try_from(text).map_err(|error| ClientError::Unreadable(error.to_string()))
    }
}
