//! What the simulator was asked and what it would bill, call by call.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::{billed::Billed, books::Sums, route::Endpoint};

/// How many entries are kept.
const KEPT: usize = 100_000;

/// How a call ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// It has not ended.
    #[default]
    Open,
    /// All of the answer was handed to the connection.
    Whole,
    /// The simulator cut it off, by a fault.
    Broken,
    /// The client went away.
    Cut,
}

/// One request as it was seen.
#[derive(Clone)]
pub struct Entry {
    /// Counts from 1 in the order of arrival.
    pub number: u64,
    /// The method.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// The HTTP version.
    pub version: http::Version,
    /// All headers in order, names in lower case; bytes that are no UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// The body as sent; of a WebSocket the messages of the client, one a line, some more than the first MiB. Of an upload the first MiB.
    pub body: Bytes,
    /// The bearer token.
    pub bearer: Option<String>,
    /// The endpoint.
    pub endpoint: Endpoint,
    /// What the request named in `metadata.simulator.account`.
    pub account: Option<String>,
    /// The model as the simulator read it.
    pub model: Option<String>,
    /// The models that its guardrails name or have by default.
    pub guardrails: Vec<String>,
    /// Whether a stream was asked for, as the simulator read it.
    pub stream: bool,
    /// The status answered, once it was.
    pub status: Option<u16>,
    /// What would be billed so far.
    pub billed: Billed,
    /// Whether any bytes of the answer's body were handed to the connection.
    pub bytes_started: bool,
    /// How it ended.
    pub end: End,
}

impl Entry {
    /// The value of the first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Entry {
    /// Leaves out the credential, the header values and the body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("number", &self.number)
            .field("method", &self.method)
            .field("target", &self.target)
            .field("headers", &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("body_bytes", &self.body.len())
            .field("endpoint", &self.endpoint)
            .field("model", &self.model)
            .field("stream", &self.stream)
            .field("status", &self.status)
            .field("billed", &self.billed)
            .field("bytes_started", &self.bytes_started)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

/// All calls.
pub(crate) struct Ledger {
    record: bool,
    entries: Mutex<VecDeque<Arc<Mutex<Entry>>>>,
    calls: AtomicU64,
    open: AtomicU64,
    changed: Notify,
}

impl Ledger {
    pub(crate) fn new(record: bool) -> Self {
        let entries = Mutex::default();
        Self { record, entries, calls: AtomicU64::new(0), open: AtomicU64::new(0), changed: Notify::new() }
    }

    /// Begins a call; `entry` is asked for only if it is to be kept, and gets the call's number.
    pub(crate) fn open(self: &Arc<Self>, entry: impl FnOnce(u64) -> Entry) -> Call {
        self.open.fetch_add(1, SeqCst);
        let mut entries = locked(&self.entries);
        let number = self.calls.fetch_add(1, SeqCst) + 1;
        let entry = self.record.then(|| Arc::new(Mutex::new(entry(number))));
        if let Some(entry) = &entry {
            if entries.len() >= KEPT {
                entries.pop_front();
            }
            entries.push_back(Arc::clone(entry));
        }
        drop(entries);
        self.changed.notify_waiters();
        Call { number, entry, sums: None, ledger: Arc::clone(self) }
    }

    /// Something that goes on beside the calls, and that is waited for like one.
    pub(crate) fn busy(self: &Arc<Self>) -> Busy {
        self.open.fetch_add(1, SeqCst);
        Busy(Arc::clone(self))
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(SeqCst)
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        locked(&self.entries).iter().map(|entry| locked(entry).clone()).collect()
    }

    pub(crate) fn clear(&self) {
        locked(&self.entries).clear();
        self.calls.store(0, SeqCst);
    }

    /// Waits until so many calls have arrived.
    pub(crate) async fn reached(&self, calls: u64) {
        self.until(|| self.calls() >= calls).await;
    }

    /// Waits until no call is under way.
    pub(crate) async fn idle(&self) {
        self.until(|| self.open.load(SeqCst) == 0).await;
    }

    async fn until(&self, reached: impl Fn() -> bool) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if reached() {
                return;
            }
            changed.await;
        }
    }
}

/// A call under way; dropped early it was cut off by the client.
pub(crate) struct Call {
    pub(crate) number: u64,
    entry: Option<Arc<Mutex<Entry>>>,
    /// The sums of its account, if they are kept.
    pub(crate) sums: Option<Arc<Sums>>,
    ledger: Arc<Ledger>,
}

impl Call {
    /// Adds to the call's entry.
    pub(crate) fn note(&self, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = &self.entry {
            change(&mut locked(entry));
        }
    }

    /// Notes the head of the answer, with what is billed once it goes out.
    pub(crate) fn answered(&self, status: u16, billed: Billed) {
        self.note(|entry| {
            entry.status = Some(status);
            entry.billed = billed;
        });
        if let Some(sums) = &self.sums {
            sums.bill(billed);
        }
    }

    /// Notes all that was generated for the call, to be called once.
    pub(crate) fn worked(&self, worked: Billed) {
        if let Some(sums) = &self.sums {
            sums.work(worked);
        }
    }

    /// Notes that bytes go out, and the tokens in them.
    pub(crate) fn sent(&self, tokens: u64) {
        if let Some(sums) = self.sums.as_ref().filter(|_| tokens > 0) {
            sums.bill(Billed::new(0, tokens));
        }
        self.note(|entry| {
            entry.bytes_started = true;
            entry.billed.add(Billed::new(0, tokens));
        });
    }

    /// Notes how the call ends, unless it has ended.
    pub(crate) fn end(&self, end: End) {
        self.note(|entry| {
            if entry.end == End::Open {
                entry.end = end;
            }
        });
    }
}

/// Work beside the calls, until it is dropped.
pub(crate) struct Busy(Arc<Ledger>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, SeqCst);
        self.0.changed.notify_waiters();
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(End::Cut);
        self.ledger.open.fetch_sub(1, SeqCst);
        self.ledger.changed.notify_waiters();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
