//! Holds a session: messages of the client go upstream once they are read and paid for, events of upstream come back.

use super::events::{Judge, Meaning, Odd};
use super::meter::Meter;
use super::slices::Want;
use crate::authn::{self, Caller};
use crate::pipeline::{Gateway, Visitor};
use crate::reply::{self, Body, Failure};
use crate::upstream::Socket;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use louver_domain::admission::Refusal;
use louver_mistral::error::ErrorBody;
use louver_mistral::realtime::{self, Message as Said, MessageError};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, interval, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_util::task::TaskTracker;

/// The longest message of a client, in one frame or in many.
const MOST_HEARD: usize = 1 << 20;
/// The longest event of upstream: the last one holds the whole text.
const MOST_SAID: usize = 16 << 20;
/// How often the rules are looked at where no message makes a session look.
const LOOK: Duration = Duration::from_secs(1);

/// How long a client that was told the end has to take it.
const LINGER: Duration = Duration::from_secs(5);

type Client = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// A session that may begin.
pub(super) struct Session {
    pub(super) gateway: Arc<Gateway>,
    pub(super) visitor: Visitor,
    pub(super) caller: Caller,
    /// The model as the client named it.
    pub(super) model: String,
    /// Its id upstream.
    pub(super) pinned: String,
    pub(super) meter: Meter,
    pub(super) upstream: Socket,
    /// Closed when the node is told to stop.
    pub(super) left: TaskTracker,
}

/// How a session ends.
enum Over {
    /// The client left, or closed.
    Left,
    /// Upstream left, or closed with that code.
    Upstream(CloseCode),
    /// Louver ends it, and says so.
    Ended(Value, CloseCode),
}

/// What a socket may be sent.
pub(super) fn limits(longest: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .max_frame_size(Some(longest))
        .max_message_size(Some(longest))
        .read_buffer_size(16 << 10)
}

/// What upstream may say.
pub(super) fn upstream_limits() -> WebSocketConfig {
    limits(MOST_SAID)
}

/// When a session ends by itself.
struct Timer {
    /// The whole session.
    end: Instant,
    /// When nothing is said until then.
    idle: Instant,
    /// When upstream owes an answer about the session: until it has come, the client is not heard.
    owed: Option<Instant>,
    /// Whether there is a session: upstream said so, and for which model.
    created: bool,
}

impl Timer {
    fn next(&self) -> Instant {
        self.owed.unwrap_or(self.end).min(self.idle).min(self.end)
    }
}

fn after(wait: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(wait).unwrap_or(now)
}

impl Session {
    /// Holds it on the connection that was switched, to its end.
    pub(super) async fn run(mut self, upgrade: OnUpgrade) {
        let timeouts = self.gateway.settings().timeouts;
        let Ok(Ok(upgraded)) = timeout(timeouts.head, upgrade).await else {
            return self.leave_upstream(CloseCode::Away).await;
        };
        let io = TokioIo::new(upgraded);
        let mut client = Client::from_raw_socket(io, Role::Server, Some(limits(MOST_HEARD))).await;
        let over = self.hold(&mut client).await;
        self.end(client, over).await;
    }

    async fn hold(&mut self, client: &mut Client) -> Over {
        let timeouts = self.gateway.settings().timeouts;
        let mut look = interval(LOOK);
        let mut timer = Timer {
            end: after(timeouts.total),
            idle: after(timeouts.idle),
            owed: Some(after(timeouts.first_byte)),
            created: false,
        };
        loop {
            let turn = tokio::select! {
                biased;
                event = self.upstream.next() => match event {
                    Some(Ok(Message::Text(text))) => self.said(client, text.as_str(), &mut timer).await,
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(()),
                    Some(Ok(Message::Close(frame))) => {
                        Err(Over::Upstream(frame.map_or(CloseCode::Normal, |frame| frame.code)))
                    }
                    Some(Ok(Message::Binary(_)) | Err(_)) | None => Err(Over::Upstream(CloseCode::Error)),
                },
                message = client.next(), if timer.owed.is_none() => match message {
                    Some(Ok(Message::Text(text))) => self.heard(text.as_str(), &mut timer).await,
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(()),
                    Some(Ok(Message::Binary(_))) => Err(self.policy("messages are JSON, in text frames")),
                    Some(Err(tokio_tungstenite::tungstenite::Error::Capacity(_))) => {
                        Err(self.policy("the message is longer than 1 MiB"))
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => Err(Over::Left),
                },
                () = sleep_until(timer.next()) => Err(self.too_long(&timer)),
                _ = look.tick() => self.look(),
            };
            if let Err(over) = turn {
                return over;
            }
        }
    }

    /// Whether the rules still let the session be: they may have changed since it began.
    fn look(&mut self) -> Result<(), Over> {
        if self.left.is_closed() {
            let event = event(&self.error(503, "overloaded", "Louver is going down."));
            return Err(Over::Ended(event, CloseCode::Away));
        }
        self.look_at_rules().map_err(|failure| self.refused(failure))
    }

    fn look_at_rules(&mut self) -> Result<(), Failure> {
        let now = self.gateway.clock().now();
        self.caller = authn::again(&self.gateway, &self.caller, now)?;
        let same = self.want().grant()?.model.id == self.pinned;
        same.then_some(()).ok_or(Failure::Refused(Refusal::ModelNotAllowed))
    }

    fn want(&self) -> Want<'_> {
        let Self { gateway, visitor, caller, model, .. } = self;
        Want { gateway, visitor, caller, model, least: 1, continues: None }
    }

    /// Passes an event of upstream's on.
    async fn said(&mut self, client: &mut Client, text: &str, timer: &mut Timer) -> Result<(), Over> {
        let Some(ticket) = self.meter.ticket() else { return Err(Over::Left) };
        let judge = Judge { caller: &self.caller, ticket, pinned: &self.pinned };
        let event = judge.look(text).map_err(|odd| self.odd(odd))?;
        match event.meaning {
            Meaning::Session(format) => {
                self.meter.read_as(format);
                (timer.owed, timer.created) = (None, true);
            }
            // A change that is refused changes nothing; but a session that is refused is none.
            Meaning::Error if timer.created => timer.owed = None,
            Meaning::Done(Some(seconds)) => self.meter.hear(seconds),
            Meaning::Error | Meaning::Done(None) | Meaning::Other => {}
        }
        timer.idle = after(self.gateway.settings().timeouts.idle);
        let write = self.gateway.settings().timeouts.write;
        match timeout(write, client.send(Message::text(event.text))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Over::Left),
        }
    }
    /// Passes a message of the client's on, if it is known and paid for.
    async fn heard(&mut self, text: &str, timer: &mut Timer) -> Result<(), Over> {
        self.look()?;
        match realtime::read(text).map_err(|error| self.unread(&error))? {
            Said::Update { format: Some(_) } if self.meter.has_begun() => {
                return Err(self.policy("the format of the audio cannot change once some was sent"));
            }
            // How long audio is must be agreed on before any is heard.
            Said::Update { format: Some(_) } => {
                timer.owed = Some(after(self.gateway.settings().timeouts.first_byte));
            }
            Said::Append { bytes } => self.pay(bytes).await.map_err(|failure| self.refused(failure))?,
            Said::Update { format: None } | Said::Flush | Said::End => {}
        }
        timer.idle = after(self.gateway.settings().timeouts.idle);
        let write = self.gateway.settings().timeouts.write;
        match timeout(write, self.upstream.send(Message::text(text))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Over::Upstream(CloseCode::Error)),
        }
    }

    async fn pay(&mut self, bytes: u64) -> Result<(), Failure> {
        let Self { gateway, visitor, caller, model, meter, .. } = self;
        meter.cover(bytes, Want { gateway, visitor, caller, model, least: 1, continues: None }).await
    }

    /// Says how it ends to both sides, and settles.
    async fn end(mut self, mut client: Client, over: Over) {
        let write = self.gateway.settings().timeouts.write;
        let (event, code) = match over {
            Over::Left => {
                self.meter.client_left = !self.meter.is_told();
                (None, CloseCode::Normal)
            }
            Over::Upstream(code @ (CloseCode::Normal | CloseCode::Policy)) => (None, code),
            Over::Upstream(_) => {
                let body = self.error(502, "upstream_error", "The session broke off upstream.");
                (Some(event(&body)), CloseCode::Error)
            }
            Over::Ended(event, code) => (Some(event), code),
        };
        let farewell = async {
            if let Some(event) = event {
                client.send(Message::text(event.to_string())).await?;
            }
            client.close(Some(frame(code))).await
        };
        // A client that is gone is told nothing.
        let told = timeout(write, farewell).await;
        self.leave_upstream(code).await;
        if matches!(told, Ok(Ok(()))) {
            // Cut at once, the connection could lose what was said last.
            let _ = timeout(LINGER, async { while let Some(Ok(_)) = client.next().await {} }).await;
        }
    }

    /// Closes upstream's side, hears its last words, which may be what it has heard, and settles.
    async fn leave_upstream(&mut self, code: CloseCode) {
        let patience = self.gateway.settings().timeouts.client_left;
        let last_words = async {
            // It may have closed before.
            let _ = self.upstream.close(Some(frame(code))).await;
            while let Some(Ok(message)) = self.upstream.next().await {
                let (Message::Text(text), Some(ticket)) = (message, self.meter.ticket()) else { continue };
                let judge = Judge { caller: &self.caller, ticket, pinned: &self.pinned };
                if let Ok(Meaning::Done(Some(seconds))) = judge.look(text.as_str()).map(|event| event.meaning)
                {
                    self.meter.hear(seconds);
                }
            }
        };
        let _ = timeout(patience, last_words).await;
        self.meter.settle();
    }

    fn odd(&self, odd: Odd) -> Over {
        let (message, code) = match odd {
            Odd::Unreadable => ("Upstream said something that cannot be read.", CloseCode::Error),
            Odd::OtherModel => ("Upstream answers with another model.", CloseCode::Policy),
        };
        tracing::error!(request_id = %self.visitor.request_id, model = %self.pinned, "ALARM: {message}");
        Over::Ended(event(&self.error(502, "upstream_error", message)), code)
    }

    fn too_long(&self, timer: &Timer) -> Over {
        let message = match timer.owed {
            Some(_) => "Upstream did not answer in time.",
            None if timer.idle < timer.end => "Nothing was said for too long.",
            None => "The session took too long.",
        };
        Over::Ended(event(&self.error(408, "request_timeout", message)), CloseCode::Policy)
    }

    /// The client broke the rules of the protocol.
    fn policy(&self, message: &str) -> Over {
        Over::Ended(event(&self.error(422, "invalid_request", message)), CloseCode::Policy)
    }

    fn unread(&self, error: &MessageError) -> Over {
        self.policy(&error.to_string())
    }

    /// What a call would be told, as an event.
    fn refused(&self, failure: Failure) -> Over {
        let visitor = Visitor { now: self.gateway.clock().now(), ..self.visitor };
        let body = reply::refuse(&visitor, self.gateway.settings(), failure).into_body();
        let bytes = if let Body::Full(Some(bytes)) = body { bytes } else { Bytes::new() };
        Over::Ended(event(&bytes), CloseCode::Policy)
    }

    /// The body of an error.
    fn error(&self, status: u16, kind: &str, message: &str) -> Vec<u8> {
        ErrorBody::new(status, kind, message, &self.visitor.request_id.to_string()).to_bytes()
    }
}

fn frame(code: CloseCode) -> CloseFrame {
    CloseFrame { code, reason: "".into() }
}

/// The body of a refusal as an event: Mistral's clients read `message`, and `code` as a number.
fn event(body: &[u8]) -> Value {
    let mut error: Value = serde_json::from_slice(body).unwrap_or_else(|_| json!({}));
    if let Some(members) = error.as_object_mut() {
        let status = members.get("raw_status_code").cloned().unwrap_or_else(|| json!(401));
        members.insert("code".into(), status);
        if let Some(detail) = members.remove("detail").filter(Value::is_string) {
            members.insert("message".into(), detail);
        }
    }
    json!({"type": "error", "error": error})
}
