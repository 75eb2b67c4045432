//! A client of a running Louver's admin API, for commands: JSON over one kept connection, lists read to their end.

mod attempts;
mod refusal;

pub(crate) use refusal::plain;
pub use refusal::{ClientError, Refusal};

use crate::clock::SystemEntropy;
use crate::upstream;
use attempts::{Asked, Broken};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, HOST, IF_MATCH, RETRY_AFTER, USER_AGENT};
use http::uri::Scheme;
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use louver_domain::entropy::Entropy;
use louver_domain::secret::Secret;
use louver_domain::time::Timestamp;
use rustls_pki_types::ServerName;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;

const CONNECT: Duration = Duration::from_secs(10);
/// No admin request takes as long.
const ANSWER: Duration = Duration::from_secs(60);
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;
/// How many items a list is asked for at once; more are refused.
const PAGE: usize = 1000;
const SMALL_PAGE: usize = 100;

type Sender = SendRequest<Full<Bytes>>;

/// Speaks to one Louver with one admin key.
pub struct Client {
    place: Place,
    key: HeaderValue,
    connection: Mutex<Option<Sender>>,
    entropy: Arc<dyn Entropy>,
}

/// Where it is.
struct Place {
    tls: Option<Arc<rustls::ClientConfig>>,
    host: String,
    port: u16,
    authority: HeaderValue,
    prefix: String,
}

impl Place {
    fn parse(url: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("the address of Louver, {url:?}, {why}");
        let uri: Uri = url.parse().map_err(|_| wrong("is not an address such as http://127.0.0.1:8080"))?;
        let secure = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(wrong("must begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("has no host"))?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err("the address of Louver must hold neither a login nor a query".into());
        }
        let tls = if secure { Some(Arc::new(upstream::trusting_system()?)) } else { None };
        Ok(Self {
            tls,
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            authority: HeaderValue::try_from(authority.as_str()).map_err(|_| wrong("has no proper host"))?,
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    async fn connect(&self) -> Result<Sender, ClientError> {
        let failed = |why: String| {
            let place = self.authority.to_str().unwrap_or_default();
            ClientError::Unreachable(format!("no connection to {place}: {why}"))
        };
        let dial = TcpStream::connect((self.host.as_str(), self.port));
        let stream =
            tokio::time::timeout(CONNECT, dial).await.map_err(|_| failed("it took too long".into()))?;
        let stream = stream.map_err(|error| failed(error.to_string()))?;
        let Some(tls) = &self.tls else {
            return handshake(stream).await.map_err(|error| failed(error.to_string()));
        };
        let name = ServerName::try_from(self.host.clone()).map_err(|error| failed(error.to_string()))?;
        let secured = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
        let secured =
            tokio::time::timeout(CONNECT, secured).await.map_err(|_| failed("TLS took too long".into()))?;
        let secured = secured.map_err(|error| failed(error.to_string()))?;
        handshake(secured).await.map_err(|error| failed(error.to_string()))
    }
}

async fn handshake<S>(stream: S) -> Result<Sender, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

impl Client {
    /// A client of the Louver at `url`; nothing is sent yet.
    pub fn new(url: &str, admin_key: &Secret<String>) -> Result<Self, String> {
        let key = HeaderValue::try_from(format!("Bearer {}", admin_key.expose()));
        let mut key = key.map_err(|_| "the admin key holds characters that no key has".to_owned())?;
        key.set_sensitive(true);
        let (place, entropy) = (Place::parse(url)?, Arc::new(SystemEntropy::new()));
        Ok(Self { place, key, connection: Mutex::new(None), entropy })
    }

    /// Reads.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.send(Method::GET, path, None).await
    }

    /// Makes something.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, ClientError> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Sends any request; what is answered with no body is null.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ClientError> {
        self.send(method, path, body).await
    }

    /// Reads something, with the tag of its state.
    pub async fn tagged(&self, path: &str) -> Result<(Value, Option<String>), ClientError> {
        let asked = Asked::new(Method::GET, path, None);
        let answered = self.answered(&asked).await?;
        Ok((answered.read(&asked)?, answered.tag))
    }

    /// Sets something whole, if it still has that tag.
    pub async fn put_if(&self, path: &str, body: &Value, tag: Option<&str>) -> Result<Value, ClientError> {
        let asked = Asked { tag, ..Asked::new(Method::PUT, path, Some(body)) };
        self.answered(&asked).await?.read(&asked)
    }

    /// Reads a table in CSV.
    pub async fn csv(&self, path: &str) -> Result<String, ClientError> {
        let answered =
            self.answered(&Asked { accept: "text/csv", ..Asked::new(Method::GET, path, None) }).await?;
        String::from_utf8(answered.body.into())
            .map_err(|_| ClientError::Unreadable("the answer is no text".into()))
    }

    /// Whether a path that needs no key answers well, and what time it is there.
    pub async fn health(&self, path: &str) -> Result<Option<Timestamp>, ClientError> {
        let answered = self.answered(&Asked::new(Method::GET, path, None)).await?;
        Ok(answered.date.as_deref().and_then(Timestamp::parse_http_date))
    }

    /// Changes something in part.
    pub async fn patch(&self, path: &str, body: &Value) -> Result<(), ClientError> {
        self.send::<Value>(Method::PATCH, path, Some(body)).await.map(drop)
    }

    /// Sets something whole.
    pub async fn put(&self, path: &str, body: &Value) -> Result<(), ClientError> {
        self.send::<Value>(Method::PUT, path, Some(body)).await.map(drop)
    }

    /// Takes something away; some paths want a body that names what.
    pub async fn delete(&self, path: &str, body: Option<&Value>) -> Result<(), ClientError> {
        self.send::<Value>(Method::DELETE, path, body).await.map(drop)
    }

    /// Every item of a list that pages by `limit` and `after`; `id` is the member that `after` takes, unless a page says
    /// itself where the next one begins. The path may have a query.
    pub async fn list(&self, path: &str, id: &str) -> Result<Vec<Value>, ClientError> {
        let mut items: Vec<Value> = Vec::new();
        let mark = if path.contains('?') { '&' } else { '?' };
        let mut after: Option<String> = None;
        loop {
            let from = after.as_deref().map_or_else(String::new, |last| format!("&after={}", segment(last)));
            let page: Page = self.get(&format!("{path}{mark}limit={PAGE}{from}")).await?;
            let last = || page.data.last().and_then(|item| item.get(id)?.as_str()).map(str::to_owned);
            let next = page.next_after.clone().or_else(last).filter(|_| page.has_more);
            items.extend(page.data);
            if next.is_none() || next == after {
                return Ok(items);
            }
            after = next;
        }
    }

    /// Every item of a list that is never cut.
    pub async fn whole(&self, path: &str) -> Result<Vec<Value>, ClientError> {
        self.get::<Page>(path).await.map(|page| page.data)
    }

    /// Every item of a list that pages by `page` and `page_size`; `items` is the member that holds them.
    pub async fn numbered(&self, path: &str, items: &str) -> Result<Vec<Value>, ClientError> {
        let mut found: Vec<Value> = Vec::new();
        for number in 1_u64.. {
            let path = format!("{path}?page={number}&page_size={SMALL_PAGE}");
            let mut page: Value = self.get(&path).await?;
            let Some(Value::Array(data)) = page.get_mut(items).map(Value::take) else {
                return Err(ClientError::Unreadable(format!("GET {path}: the answer has no {items}")));
            };
            let last = data.len() < SMALL_PAGE;
            found.extend(data);
            if last {
                break;
            }
        }
        Ok(found)
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, ClientError> {
        let asked = Asked::new(method, path, body);
        self.answered(&asked).await?.read(&asked)
    }

    /// The answer to a request that was not refused.
    async fn answered(&self, asked: &Asked<'_>) -> Result<Answered, ClientError> {
        let what = named(&asked.method, asked.path);
        let answered = tokio::time::timeout(ANSWER, self.attempts(asked)).await;
        let late = |_| ClientError::Unreachable("no answer in time".into());
        let answered =
            answered.unwrap_or_else(|elapsed| Err(late(elapsed))).map_err(|error| error.at(&what))?;
        if !answered.status.is_success() {
            let Answered { status, request_id, body, .. } = answered;
            return Err(ClientError::Refused(Refusal::read(what, status.as_u16(), request_id, &body)));
        }
        Ok(answered)
    }

    fn request(
        &self,
        asked: &Asked<'_>,
        once: Option<&HeaderValue>,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let mut request = Request::builder()
            .method(asked.method.clone())
            .uri(format!("{}{}", self.place.prefix, asked.path))
            .header(HOST, self.place.authority.clone())
            .header(AUTHORIZATION, self.key.clone())
            .header(USER_AGENT, concat!("louver/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, asked.accept);
        if asked.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(once) = once {
            request = request.header(attempts::ONCE, once.clone());
        }
        if let Some(tag) = asked.tag {
            request = request.header(IF_MATCH, tag);
        }
        let bytes = asked.body.map(Value::to_string).unwrap_or_default();
        request.body(Full::from(bytes)).map_err(|error| ClientError::Unreadable(error.to_string()))
    }

    /// One request and its whole answer. A kept connection may have been closed meanwhile; a request that did not leave
    /// is sent again on a new one.
    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answered, Broken> {
        let mut connection = self.connection.lock().await;
        let broken = |error: hyper::Error| Broken::UnderWay(format!("the connection broke: {error}"));
        let mut request = request;
        if let Some(mut kept) = connection.take()
            && kept.ready().await.is_ok()
        {
            match kept.try_send_request(request).await {
                Ok(answer) => {
                    let answered = whole(answer).await?;
                    *connection = Some(kept);
                    return Ok(answered);
                }
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(broken(failed.into_error())),
                },
            }
        }
        let mut fresh = self.place.connect().await.map_err(Broken::Before)?;
        let answered = whole(fresh.send_request(request).await.map_err(broken)?).await?;
        *connection = Some(fresh);
        Ok(answered)
    }
}

/// What came back.
struct Answered {
    status: http::StatusCode,
    request_id: Option<String>,
    date: Option<String>,
    tag: Option<String>,
    /// Whether the same is to be asked again in a moment.
    later: bool,
    body: Bytes,
}

impl Answered {
    fn read<T: DeserializeOwned>(&self, asked: &Asked<'_>) -> Result<T, ClientError> {
        let bytes: &[u8] = if self.body.is_empty() { b"null" } else { &self.body };
        // What serde says may quote the answer, and an answer may hold a secret.
        serde_json::from_slice(bytes).map_err(|_| {
            let what = named(&asked.method, asked.path);
            ClientError::Unreadable(format!("{what}: the answer is not of the expected shape"))
        })
    }
}

/// A request for people: without its query, which may hold names.
fn named(method: &Method, path: &str) -> String {
    format!("{method} {}", path.split('?').next().unwrap_or_default())
}

async fn whole(answer: http::Response<Incoming>) -> Result<Answered, Broken> {
    let (head, body) = answer.into_parts();
    let header = |name| head.headers.get(name).and_then(|id| id.to_str().ok()).map(str::to_owned);
    let (request_id, date) = (header("x-request-id"), header("date"));
    let tag = header(ETAG.as_str());
    let body = Limited::new(body, LARGEST_ANSWER).collect().await;
    let body = body.map_err(|error| Broken::UnderWay(format!("the answer broke off: {error}")))?;
    let later = head.headers.contains_key(RETRY_AFTER);
    Ok(Answered { status: head.status, request_id, date, tag, later, body: body.to_bytes() })
}

#[derive(serde::Deserialize)]
struct Page {
    data: Vec<Value>,
    has_more: bool,
    /// Where the next page begins, in lists that say so.
    next_after: Option<String>,
}

/// `text` as one segment of a path or one value of a query.
pub fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let mut written = String::with_capacity(text.len());
    for byte in text.bytes() {
        if plain(byte) {
            written.push(char::from(byte));
        } else {
            written.push_str(&format!("%{byte:02X}"));
        }
    }
    written
}

#[cfg(test)]
pub(crate) mod tests;
