//! The handle on a simulator: takes a request through credential, script and endpoint to its answer.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt, Limited};
use serde_json::{Map, Value};

use crate::{
    billed::Billed,
    body::Answer,
    books::{Account, Books, Totals},
    completion,
    config::Config,
    embedding,
    fault::{self, Fault, Plan, Rule, Script},
    ledger::{Call, End, Entry, Ledger},
    lenient::{self, Problem},
    listing,
    prose::Random,
    refusal,
    reply::Reply,
    request,
    route::{self, Endpoint},
    stored::{self, Stored, Upload},
};

/// No body may be larger.
const BODY: usize = 256 << 20;

/// A simulated upstream; clones are handles on the same one.
#[derive(Clone)]
pub struct Simulator {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) config: Config,
    script: Script,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) books: Books,
    pub(crate) stored: Stored,
}

/// A request that was received.
pub(crate) struct Received {
    pub(crate) parts: Parts,
    pub(crate) endpoint: Endpoint,
    pub(crate) value: Option<Value>,
    /// What else is to be known of a request for something stored.
    pub(crate) stored: Option<Box<stored::Request>>,
    pub(crate) model: Option<String>,
    pub(crate) account: Option<String>,
    stream: bool,
    /// Whether it is a line of a batch.
    pub(crate) batch: bool,
}

impl Simulator {
    /// A simulator that has seen nothing yet.
    pub fn new(config: Config) -> Self {
        let ledger = Arc::new(Ledger::new(config.record));
        let (script, books, stored) = (Script::default(), Books::default(), Stored::default());
        Self { inner: Arc::new(Inner { config, script, ledger, books, stored }) }
    }

    /// Adds a fault, or a rule for one, to the script. Of the rules that fit a call the oldest is applied, and
    /// only to calls with a credential to an endpoint that exists; a fault in the request comes in addition.
    pub fn script(&self, rule: impl Into<Rule>) {
        self.inner.script.push(rule.into());
    }

    /// All calls as they were seen, oldest first; the last 100,000, and none if they are not recorded.
    pub fn ledger(&self) -> Vec<Entry> {
        self.inner.ledger.entries()
    }

    /// How many calls have arrived, recorded or not.
    pub fn calls(&self) -> u64 {
        self.inner.ledger.calls()
    }

    /// The running sums of all accounts, if they are kept.
    pub fn books(&self) -> BTreeMap<Account, Totals> {
        self.inner.books.totals()
    }

    /// Forgets calls, sums and script; stored objects stay (see [`Simulator::forget`]).
    pub fn clear(&self) {
        self.inner.script.clear();
        self.inner.books.clear();
        self.inner.ledger.clear();
    }

    /// Waits until so many calls have arrived.
    pub async fn reached(&self, calls: u64) {
        self.inner.ledger.reached(calls).await;
    }

    /// Waits until no call is under way, so that the ledger's entries are final.
    pub async fn idle(&self) {
        self.inner.ledger.idle().await;
    }

    /// Answers one request; [`Simulator::serve`] does this for every request of a socket.
    pub async fn answer<B: Body>(&self, request: Request<B>) -> Response<Answer>
    where
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let endpoint = route::endpoint(&parts.method, &parts.uri);
        let mut call = self.inner.ledger.open(|number| entry(number, &parts, endpoint));
        let (upload, body) = match receive(&parts, endpoint, body).await {
            Ok(received) => received,
            Err(refusal) => return self.respond(refusal, &Plan::default(), call),
        };
        let mut received = Received::new(parts, endpoint, &body);
        received.stored = stored::Request::of(&received.parts, endpoint, upload);
        received.resolve(&self.inner);
        call.note(|entry| {
            entry.body = body;
            entry.model.clone_from(&received.model);
            entry.account.clone_from(&received.account);
            entry.stream = received.stream;
        });
        let now = (self.inner.config.now)();
        call.sums = self.inner.keeps_books().then(|| self.inner.books.call(received.account(), now));
        let (reply, plan) = self.inner.reply(&received, &call).await;
        if matches!(endpoint, Endpoint::Stored(_)) {
            self.tend_batches();
        }
        self.respond(reply, &plan, call)
    }

    fn respond(&self, reply: Reply, plan: &Plan, call: Call) -> Response<Answer> {
        let Reply { status, headers, content, billed } = reply.adorned(plan);
        call.answered(status.as_u16(), *billed);
        let correlation = Random::of(&[self.inner.config.seed, call.number, 4]).id();
        let pace = plan.directions.pace_ms.map_or(self.inner.config.pace, Duration::from_millis);
        let mut response = Response::new(Answer::new(content, plan.cut(), pace, call));
        *response.status_mut() = status;
        let all = response.headers_mut();
        all.insert(header::SERVER, HeaderValue::from_static("louver-simulator"));
        all.insert(HeaderName::from_static("x-louver-simulator"), HeaderValue::from_static("true"));
        if let Ok(correlation) = HeaderValue::from_str(&correlation) {
            all.insert(HeaderName::from_static("mistral-correlation-id"), correlation);
        }
        all.extend(headers);
        response
    }
}

impl Inner {
    /// The answer to a request, with the plan it follows.
    async fn reply(&self, received: &Received, call: &Call) -> (Reply, Plan) {
        if received.endpoint == Endpoint::Other {
            return (refusal::no_route(), Plan::default());
        }
        let open = matches!(received.endpoint, Endpoint::Stored(noun) if noun.is_open());
        let Some(bearer) = received.bearer().or(open.then(String::new)) else {
            return (refusal::unauthorized(), Plan::default());
        };
        let mut plan = match Plan::read(received.value.as_ref()) {
            Ok(plan) => plan,
            Err(why) => return (refusal::misdirected(&why), Plan::default()),
        };
        plan.faults.extend(self.script.take(received.endpoint, received.model.as_deref()));
        let instead = Reply::instead(&plan, received.stream, &bearer);
        let hidden = plan.has(&Fault::Hang) || plan.has(&Fault::Garbage);
        let reply = match instead {
            Some(instead) if hidden => {
                call.worked(self.work(received, &plan, call.number).worked());
                instead
            }
            Some(instead) => instead,
            None => {
                let reply = self.work(received, &plan, call.number);
                call.worked(reply.worked());
                reply
            }
        };
        if plan.has(&Fault::Hang) {
            std::future::pending::<()>().await;
        }
        let delay = plan.delay();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        (reply, plan)
    }

    /// The answer of the endpoint itself.
    pub(crate) fn work(&self, received: &Received, plan: &Plan, call: u64) -> Reply {
        let models = &self.config.models;
        let untuned = if received.endpoint.lists() { None } else { self.untuned(received) };
        match received.endpoint {
            Endpoint::Stored(noun) => untuned.unwrap_or_else(|| self.stored(noun, received, plan, call)),
            Endpoint::Other => refusal::no_route(),
            Endpoint::Models => listing::all(models, &self.tuned_cards(received), (self.config.now)()),
            Endpoint::Model => self.tuned_card(received).unwrap_or_else(|| {
                listing::one(models, received.model.as_deref().unwrap_or_default(), (self.config.now)())
            }),
            Endpoint::Chat | Endpoint::Fim | Endpoint::Embeddings => match &received.value {
                _ if untuned.is_some() => untuned.unwrap_or_else(refusal::no_route),
                None => refusal::unprocessable(&[Problem::no_json()]),
                Some(Value::Object(body)) => self.infer(received.endpoint, body, plan, call),
                Some(other) => refusal::unprocessable(&[Problem::no_object(other)]),
            },
        }
    }

    /// Whether sums are kept by account.
    pub(crate) fn keeps_books(&self) -> bool {
        self.config.books || self.config.admin_key.is_some()
    }

    pub(crate) fn infer(
        &self,
        endpoint: Endpoint,
        body: &Map<String, Value>,
        plan: &Plan,
        call: u64,
    ) -> Reply {
        let seed = self.config.seed;
        if endpoint == Endpoint::Embeddings {
            return match request::embeddings(body) {
                Err(problems) => refusal::unprocessable(&problems),
                Ok(ask) if ask.inputs.len() > embedding::INPUTS => refusal::too_many(),
                Ok(ask) => self
                    .context(&ask.model, endpoint, embedding::longest(&ask))
                    .map_or_else(|refusal| refusal, |_| embedding::reply(&ask, plan, seed, call)),
            };
        }
        let read = if endpoint == Endpoint::Fim { request::fim(body) } else { request::chat(body) };
        match read {
            Err(problems) => refusal::unprocessable(&problems),
            Ok(ask) => self.context(&ask.model, endpoint, ask.prompt).map_or_else(
                |refusal| refusal,
                |context| completion::reply(&ask, plan, seed, call, (self.config.now)(), context),
            ),
        }
    }

    /// The context of a model that can take so many tokens here.
    fn context(&self, model: &str, endpoint: Endpoint, tokens: u64) -> Result<u64, Reply> {
        let context =
            self.config.model(model, endpoint).ok_or_else(|| refusal::invalid_model(model))?.context;
        if tokens > context { Err(refusal::too_long(tokens, context)) } else { Ok(context) }
    }
}

impl Received {
    pub(crate) fn new(parts: Parts, endpoint: Endpoint, body: &Bytes) -> Self {
        let takes_body =
            matches!(endpoint, Endpoint::Chat | Endpoint::Fim | Endpoint::Embeddings | Endpoint::Stored(_));
        let value = takes_body.then(|| lenient::parse(body)).flatten();
        let field = |name: &str| value.as_ref().and_then(|value| value.get(name));
        let named = field("model").and_then(Value::as_str).map(str::to_owned);
        let model = match endpoint {
            Endpoint::Model => route::model_id(&parts.uri),
            Endpoint::Fim if value.is_some() && field("model").is_none() => {
                Some(request::FIM_DEFAULT.to_owned())
            }
            _ => named,
        };
        let streams = match endpoint {
            Endpoint::Stored(noun) => noun.streams(),
            _ => matches!(endpoint, Endpoint::Chat | Endpoint::Fim),
        };
        let stream = streams && field("stream").and_then(lenient::boolean).unwrap_or(false);
        let account = value.as_ref().and_then(fault::account);
        Self { parts, endpoint, value, stored: None, model, account, stream, batch: false }
    }

    /// Finds the model of a request that leaves it to something stored.
    pub(crate) fn resolve(&mut self, inner: &Inner) {
        if let (Endpoint::Stored(noun), None) = (self.endpoint, &self.model) {
            self.model = inner.stored_model(noun, self);
        }
    }

    /// The bearer's token.
    pub(crate) fn bearer(&self) -> Option<String> {
        bearer(&self.parts.headers)
    }

    /// Whom the call is billed to.
    pub(crate) fn account(&self) -> Account {
        let (name, model, endpoint) = (self.account.clone(), self.model.clone(), self.endpoint);
        Account { bearer: self.bearer(), name, model, endpoint, batch: self.batch, ..Account::default() }
    }
}

/// Receives a body; one that is a form with a file is read while it arrives.
async fn receive<B: Body>(
    parts: &Parts,
    endpoint: Endpoint,
    body: B,
) -> Result<(Option<Upload>, Bytes), Reply>
where
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if matches!(endpoint, Endpoint::Stored(noun) if noun.uploads(&parts.method, &parts.uri)) {
        let (upload, beginning) = Upload::receive(&parts.headers, body).await;
        return Ok((Some(upload?), beginning));
    }
    let collected = Limited::new(body, BODY).collect().await;
    collected.map(|body| (None, body.to_bytes())).map_err(|_| refusal::unreadable())
}

/// The token of an `authorization` header, if it is a bearer's and not empty.
fn bearer(headers: &HeaderMap) -> Option<String> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.to_owned())
}

fn entry(number: u64, parts: &Parts, endpoint: Endpoint) -> Entry {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let target = parts.uri.path_and_query().map_or_else(|| parts.uri.to_string(), ToString::to_string);
    Entry {
        number,
        method: parts.method.to_string(),
        target,
        version: parts.version,
        headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: Bytes::new(),
        bearer: bearer(&parts.headers),
        endpoint,
        account: None,
        model: None,
        guardrails: Vec::new(),
        stream: false,
        status: None,
        billed: Billed::default(),
        bytes_started: false,
        end: End::Open,
    }
}
