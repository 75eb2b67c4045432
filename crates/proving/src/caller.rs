//! One client: makes its calls one after another, leaves where the plan says so, and keeps a tally of what it got.

use crate::client::request;
use crate::workload::{Call, Calls, Manner, PriceList};
use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use louver_domain::usage::Tokens;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// No call takes as long; only one that hangs meets it.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait before a place that refuses connections is tried again.
const BREATH: Duration = Duration::from_millis(20);
/// How often a call is tried that is told to come back, and by a client that is to use up all there is.
const ATTEMPTS: u32 = 3;
const ATTEMPTS_OF_ALL: u32 = 5;
/// How many findings of a client are kept.
const KEPT: usize = 8;
/// How many refusals of a client are kept.
const REFUSALS: usize = 200;

/// A key to call with.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its name in the simulator's books.
    pub name: String,
    /// The key.
    pub secret: String,
}

/// A budget's refusal, as it was told.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Whose key.
    pub account: usize,
    /// The call could not be bounded by more than this.
    pub most: Tokens,
    /// The model.
    pub model: &'static str,
    /// The whole body of the answer.
    pub body: Value,
}

/// What clients got.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Calls that were begun; one that was told to come back is one more each time.
    pub attempts: u64,
    /// How they ended: a status with the refusal's type, or in a word.
    pub ends: BTreeMap<String, u64>,
    /// Answers whose head said 2xx, by account.
    pub successes: BTreeMap<usize, u64>,
    /// Attempts that were certainly refused by Louver before anything was sent, by account.
    pub refused: BTreeMap<usize, u64>,
    /// Attempts by account.
    pub made: BTreeMap<usize, u64>,
    /// Calls without trouble that ended otherwise than by an answer or a budget's refusal.
    pub unexplained: BTreeMap<String, u64>,
    /// The refusals that say a budget is spent.
    pub exhausted: Vec<Refused>,
    /// What an answer said that none may say.
    pub wrong: Vec<String>,
}

impl Tally {
    /// Both together.
    pub fn add(&mut self, other: Self) {
        self.attempts += other.attempts;
        let sum = |into: &mut BTreeMap<usize, u64>, from: BTreeMap<usize, u64>| {
            from.into_iter().for_each(|(key, count)| *into.entry(key).or_default() += count);
        };
        sum(&mut self.successes, other.successes);
        sum(&mut self.refused, other.refused);
        sum(&mut self.made, other.made);
        other.ends.into_iter().for_each(|(key, count)| *self.ends.entry(key).or_default() += count);
        for (key, count) in other.unexplained {
            *self.unexplained.entry(key).or_default() += count;
        }
        self.exhausted.extend(other.exhausted);
        self.wrong.extend(other.wrong);
        self.wrong.truncate(10 * KEPT);
    }

    /// All answers whose head said 2xx.
    pub fn successes(&self) -> u64 {
        self.successes.values().sum()
    }

    /// How many attempts ended so.
    pub fn ended(&self, how: &str) -> u64 {
        self.ends.get(how).copied().unwrap_or(0)
    }

    fn complain(&mut self, what: String) {
        if self.wrong.len() < KEPT {
            self.wrong.push(what);
        }
    }
}

/// Where the program's processes listen now; a place is empty while its process is down.
pub type Doors = watch::Receiver<Vec<Option<SocketAddr>>>;

/// One client.
pub struct Caller {
    number: usize,
    doors: Doors,
    accounts: Arc<[Account]>,
    prices: Arc<PriceList>,
    line: Option<SendRequest<Full<Bytes>>>,
    tally: Tally,
    /// Whether it ends when a budget is spent.
    until_spent: bool,
}

/// How one attempt went.
enum Got {
    /// An answer, with its body as far as it is of interest.
    Answer { status: u16, headers: HeaderMap, body: Bytes },
    /// The head said this; then the client left, as planned.
    Left(u16),
    /// The head said this; then the answer broke off.
    Broken(u16),
    /// No head came.
    Lost,
    /// The client left before the head, as planned.
    Dropped,
    /// Nothing was sent.
    Unsent,
}

impl Caller {
    /// The client of that number.
    pub fn new(number: usize, doors: Doors, accounts: Arc<[Account]>, prices: Arc<PriceList>) -> Self {
        Self { number, doors, accounts, prices, line: None, tally: Tally::default(), until_spent: false }
    }

    /// The same, ending at the first refusal that says a budget is spent.
    #[must_use]
    pub const fn until_spent(mut self) -> Self {
        self.until_spent = true;
        self
    }

    /// Makes its calls, or as many as there is time for until `stop` says so.
    pub async fn run(mut self, calls: Calls, stop: watch::Receiver<bool>) -> Tally {
        for call in calls {
            if *stop.borrow() || self.insist(&call, &stop).await {
                break;
            }
        }
        self.tally
    }

    /// Makes a call, again while it is told to come back. Answers whether that was all.
    async fn insist(&mut self, call: &Call, stop: &watch::Receiver<bool>) -> bool {
        let body = Bytes::from(call.body(&self.accounts[call.account].name));
        let attempts = if self.until_spent { ATTEMPTS_OF_ALL } else { ATTEMPTS };
        for _ in 0..attempts {
            let got = self.attempt(call, &body).await;
            if matches!(got, Got::Unsent) {
                return *stop.borrow();
            }
            let again = self.note(call, &body, &got);
            let spent =
                matches!(&got, Got::Answer { status: 429, body, .. } if kind(body) == "budget_exhausted");
            match again {
                Some(wait) if !*stop.borrow() => {
                    let mut stop = stop.clone();
                    let _ = tokio::time::timeout(wait, stop.wait_for(|stop| *stop)).await;
                }
                _ => return spent && self.until_spent,
            }
        }
        self.until_spent
    }

    async fn attempt(&mut self, call: &Call, body: &Bytes) -> Got {
        let secret = self.accounts[call.account].secret.clone();
        if call.manner == Manner::Dropped {
            return self.drop_one(call, &secret, body).await;
        }
        let Some(mut line) = self.connect().await else { return Got::Unsent };
        let mut asked = request("POST", call.path(), &secret, None);
        *asked.body_mut() = Full::new(body.clone());
        asked.headers_mut().insert("content-type", "application/json".parse().unwrap());
        asked.headers_mut().insert("host", "louver.test".parse().unwrap());
        let answer = tokio::time::timeout(PATIENCE, line.send_request(asked)).await;
        let Ok(answer) = answer else {
            self.tally.complain(format!("no head within {PATIENCE:?}: {call:?}"));
            return Got::Lost;
        };
        let Ok(answer) = answer else { return Got::Lost };
        let got = self.read(call, answer).await;
        if matches!(got, Got::Answer { .. }) {
            self.line = Some(line);
        }
        got
    }

    /// A connection that is kept or new; `None` when there is none to be had now.
    async fn connect(&mut self) -> Option<SendRequest<Full<Bytes>>> {
        if let Some(mut line) = self.line.take()
            && line.ready().await.is_ok()
        {
            return Some(line);
        }
        let address = self.door().await;
        let Ok(stream) = TcpStream::connect(address).await else {
            let _ = tokio::time::timeout(BREATH, self.doors.changed()).await;
            return None;
        };
        let _ = stream.set_nodelay(true);
        let (line, connection) = handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(connection);
        Some(line)
    }

    /// The address of a process that runs.
    async fn door(&mut self) -> SocketAddr {
        let open = self.doors.wait_for(|doors| doors.iter().any(Option::is_some));
        let doors = tokio::time::timeout(PATIENCE, open).await.expect("Louver comes back").unwrap();
        let open: Vec<SocketAddr> = doors.iter().flatten().copied().collect();
        open[self.number % open.len()]
    }

    async fn read(&mut self, call: &Call, mut answer: Response<Incoming>) -> Got {
        let status = answer.status().as_u16();
        let (mut body, mut seen) = (Vec::new(), 0);
        loop {
            if call.manner == Manner::Abandoned && seen >= call.after * 20 {
                return Got::Left(status);
            }
            match tokio::time::timeout(PATIENCE, answer.frame()).await {
                Err(_) => {
                    self.tally.complain(format!("silence for {PATIENCE:?}: {call:?}"));
                    return Got::Broken(status);
                }
                Ok(None) => {
                    return Got::Answer { status, headers: answer.headers().clone(), body: body.into() };
                }
                Ok(Some(Err(_))) => return Got::Broken(status),
                Ok(Some(Ok(frame))) => {
                    let bytes = frame.into_data().unwrap_or_default();
                    seen += bytes.len() as u64;
                    if status != 200 {
                        body.extend_from_slice(&bytes);
                    }
                }
            }
        }
    }

    /// Sends some of a request, or all of it, and leaves.
    async fn drop_one(&mut self, call: &Call, secret: &str, body: &Bytes) -> Got {
        let address = self.door().await;
        let Ok(mut stream) = TcpStream::connect(address).await else { return Got::Unsent };
        let mut bytes = format!(
            "POST {} HTTP/1.1\r\nhost: louver.test\r\nauthorization: Bearer {secret}\r\ncontent-type: \
             application/json\r\ncontent-length: {}\r\n\r\n",
            call.path(),
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        // Half of them send it all.
        let sent = bytes.len() * usize::try_from(call.after.min(50)).unwrap() / 50;
        let _ = stream.write_all(&bytes[..sent]).await;
        if call.after.is_multiple_of(2) {
            // The other end gets a turn, so that it may have begun.
            tokio::task::yield_now().await;
        }
        Got::Dropped
    }

    /// Counts an attempt; answers how long to wait where it is to be tried again.
    fn note(&mut self, call: &Call, body: &Bytes, got: &Got) -> Option<Duration> {
        self.tally.attempts += 1;
        *self.tally.made.entry(call.account).or_default() += 1;
        let end = match got {
            Got::Answer { status: 200, .. } => "200".to_owned(),
            Got::Answer { status, body, .. } => format!("{status} {}", kind(body)),
            Got::Left(_) => "left".into(),
            Got::Broken(_) => "broken off".into(),
            Got::Lost => "lost".into(),
            Got::Dropped => "dropped".into(),
            Got::Unsent => return None,
        };
        *self.tally.ends.entry(end.clone()).or_default() += 1;
        if let Got::Answer { status, .. } | Got::Left(status) | Got::Broken(status) = got
            && (200..300).contains(status)
        {
            *self.tally.successes.entry(call.account).or_default() += 1;
        }
        let Got::Answer { status, headers, body: said } = got else {
            let planned = matches!(got, Got::Left(_) | Got::Dropped) || call.trouble.is_some();
            if !planned {
                *self.tally.unexplained.entry(end).or_default() += 1;
            }
            return None;
        };
        match (*status, kind(said).as_str()) {
            (200, _) => None,
            (429, "budget_exhausted" | "token_budget_exhausted") => {
                self.exhausted(call, body, headers, said);
                None
            }
            (429, "budget_reserved") => {
                *self.tally.refused.entry(call.account).or_default() += 1;
                self.come_back(&end, headers)
            }
            (503, _) => {
                *self.tally.refused.entry(call.account).or_default() += 1;
                *self.tally.unexplained.entry(end.clone()).or_default() += 1;
                self.come_back(&end, headers)
            }
            _ => {
                if call.trouble.is_none() {
                    *self.tally.unexplained.entry(end).or_default() += 1;
                }
                None
            }
        }
    }

    fn exhausted(&mut self, call: &Call, sent: &Bytes, headers: &HeaderMap, said: &Bytes) {
        *self.tally.refused.entry(call.account).or_default() += 1;
        let stays = headers.get("x-should-retry").is_some_and(|v| v == "false");
        if !stays || headers.contains_key("retry-after") {
            self.tally
                .complain("a spent budget is told without x-should-retry: false, or with Retry-After".into());
        }
        let most = call.most(sent.len(), self.prices.context(call.model));
        let body: Value = serde_json::from_slice(said).unwrap_or_default();
        if self.tally.exhausted.len() < REFUSALS {
            self.tally.exhausted.push(Refused { account: call.account, most, model: call.model, body });
        }
    }

    fn come_back(&mut self, end: &str, headers: &HeaderMap) -> Option<Duration> {
        let wait = headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        if wait.is_none() {
            self.tally.complain(format!("{end} without Retry-After"));
        }
        Some(Duration::from_secs(wait.unwrap_or(1).min(5)))
    }
}

/// The type of a refusal.
fn kind(body: &[u8]) -> String {
    let read = serde_json::from_slice::<Value>(body).ok();
    read.and_then(|body| Some(body["type"].as_str()?.to_owned())).unwrap_or_default()
}
