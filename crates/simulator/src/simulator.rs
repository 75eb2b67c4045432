//! The handle on a simulator: takes a request through credential, script and endpoint to its answer.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt, Limited};
use hyper::upgrade::OnUpgrade;
use tokio::task::JoinSet;

use crate::{
    billed::Billed,
    body::Answer,
    books::{Account, Books, Sums, Totals},
    cache::Prompts,
    config::Config,
    fault::{Fault, Plan, Rule, Script},
    ledger::{Call, End, Entry, Ledger},
    listing,
    prose::Random,
    realtime::{self, Session},
    received::{self, Received},
    refusal,
    reply::{Headers, Reply},
    route::{self, Endpoint},
    stored::{self, Stored, Upload},
    transcription,
    work::Work,
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
    prompts: Prompts,
    /// The WebSockets that are open.
    sessions: Mutex<JoinSet<()>>,
}

impl Simulator {
    /// A simulator that has seen nothing yet.
    pub fn new(config: Config) -> Self {
        let ledger = Arc::new(Ledger::new(config.record));
        let (script, books, prompts) = (Script::default(), Books::default(), Prompts::default());
        let (sessions, stored) = (Mutex::default(), Stored::default().with_keys(&config));
        Self { inner: Arc::new(Inner { config, script, ledger, books, prompts, sessions, stored }) }
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

    /// Forgets calls, sums, script and cached prompts; stored objects stay (see [`Simulator::forget`]).
    pub fn clear(&self) {
        self.inner.script.clear();
        self.inner.books.clear();
        self.inner.prompts.clear();
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
        let mut request = request;
        let upgrade = hyper::upgrade::on(&mut request);
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
            entry.guardrails.clone_from(&received.guardrails);
            entry.stream = received.stream;
        });
        if endpoint != Endpoint::Realtime {
            // A session's model may change until its end.
            call.sums = self.book(received.account());
        }
        let (reply, plan) = self.inner.reply(&received, &call).await;
        if matches!(endpoint, Endpoint::Stored(_)) {
            self.tend_batches();
        }
        if reply.status == StatusCode::SWITCHING_PROTOCOLS {
            return self.switch(reply, plan, received.account(), upgrade, call);
        }
        if endpoint == Endpoint::Realtime {
            call.sums = self.book(received.account());
        }
        self.respond(reply, &plan, call)
    }

    fn respond(&self, reply: Reply, plan: &Plan, call: Call) -> Response<Answer> {
        let Reply { status, headers, content, billed } = reply.adorned(plan);
        call.answered(status.as_u16(), *billed);
        let pace = plan.directions.pace_ms.map_or(self.inner.config.pace, Duration::from_millis);
        let number = call.number;
        self.head(status, headers, number, Answer::new(content, plan.cut(), pace, call))
    }

    /// Goes on as a WebSocket.
    fn switch(
        &self,
        reply: Reply,
        plan: Plan,
        account: Account,
        upgrade: OnUpgrade,
        call: Call,
    ) -> Response<Answer> {
        let Reply { status, headers, .. } = reply.adorned(&plan);
        call.note(|entry| entry.status = Some(status.as_u16()));
        let number = call.number;
        let session = Session::new(self.clone(), call, account, plan);
        let mut sessions = self.inner.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        while sessions.try_join_next().is_some() {}
        sessions.spawn(session.run(upgrade));
        drop(sessions);
        self.head(status, headers, number, Answer::empty())
    }

    fn head(&self, status: StatusCode, headers: Headers, number: u64, body: Answer) -> Response<Answer> {
        let correlation = Random::of(&[self.inner.config.seed, number, 4]).id();
        let mut response = Response::new(body);
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

    pub(crate) fn config(&self) -> &Config {
        &self.inner.config
    }

    /// The sums of an account with one more call, if they are kept.
    pub(crate) fn book(&self, account: Account) -> Option<Arc<Sums>> {
        self.inner.keeps_books().then(|| self.inner.books.call(account, (self.inner.config.now)()))
    }

    /// Cuts all WebSockets.
    pub(crate) fn cut_sessions(&self) {
        self.inner.sessions.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
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
        if !open && !self.admits(&bearer) {
            return (refusal::unauthorized(), Plan::default());
        }
        let mut plan = match Plan::read(received.value.as_ref()) {
            Ok(plan) => plan,
            Err(why) => return (refusal::misdirected(&why), Plan::default()),
        };
        plan.faults.extend(self.script.take(received.endpoint, received.model.as_deref()));
        let instead =
            Reply::instead(&plan, received.stream || received.endpoint == Endpoint::Realtime, &bearer);
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
            Endpoint::Realtime => realtime::switch(&received.parts.headers),
            // In a batch it is JSON like all else.
            Endpoint::Transcriptions if !received.form && !received.batch => transcription::no_form(),
            _ if untuned.is_some() => untuned.unwrap_or_else(refusal::no_route),
            endpoint => {
                let bearer = received.bearer().unwrap_or_default();
                let work = self.at_work(&bearer, plan, call);
                work.infer(endpoint, received.value.as_ref(), received.file.as_ref())
            }
        }
    }

    /// Whether sums are kept by account.
    pub(crate) fn keeps_books(&self) -> bool {
        self.config.books || self.config.admin_key.is_some()
    }

    /// What an endpoint of inference knows besides the request.
    pub(crate) fn at_work<'a>(&'a self, bearer: &'a str, plan: &'a Plan, call: u64) -> Work<'a> {
        Work { config: &self.config, prompts: &self.prompts, bearer, plan, call }
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
        bearer: received::bearer(&parts.headers),
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
