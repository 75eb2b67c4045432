//! Writes down audio while it is spoken, over a WebSocket; billed in seconds, however the session ends.

use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::derive_accept_key,
        protocol::{CloseFrame, Role, frame::coding::CloseCode},
    },
};

use crate::{
    audio,
    billed::Billed,
    books::Account,
    fault::{Cut, Plan},
    ledger::{Call, End},
    lenient,
    prose::Random,
    refusal,
    reply::Reply,
    route::Endpoint,
    simulator::Simulator,
    transcription::{LANGUAGE, PACE, PROMPT},
    usage::{Reported, Usages},
};

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// No messages are kept in the ledger after so many bytes of them.
const KEPT: usize = 1 << 20;
/// The codes of errors.
const INVALID: u64 = 422;
const INVALID_MODEL: u64 = 1500;
const INTERNAL: u64 = 3000;

/// Switches to the WebSocket's protocol, if the head asks for it; else there is nothing here.
pub(crate) fn switch(headers: &HeaderMap) -> Reply {
    let upgrade =
        headers.get(header::UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| upgrade) else {
        return refusal::no_route();
    };
    let mut reply = Reply::whole(StatusCode::SWITCHING_PROTOCOLS, "");
    reply.headers = vec![
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::CONNECTION, HeaderValue::from_static("upgrade")),
    ];
    if headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL) {
        reply.headers.push((header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("realtime")));
    }
    reply.with(header::SEC_WEBSOCKET_ACCEPT, &derive_accept_key(key.as_bytes()))
}

/// One session; when it is dropped it is billed.
pub(crate) struct Session {
    simulator: Simulator,
    call: Call,
    account: Account,
    plan: Plan,
    random: Random,
    request_id: String,
    language: String,
    /// Samples a second.
    rate: u64,
    /// The bytes of audio that were heard.
    heard: u64,
    /// The tokens that were said, and the length of their text.
    said: u64,
    text: String,
    sent: u64,
}

/// What comes of a message.
#[derive(Default)]
struct Turn {
    replies: Vec<String>,
    /// Whether the session is over, and why.
    over: Option<CloseCode>,
}

impl Session {
    pub(crate) fn new(simulator: Simulator, call: Call, account: Account, plan: Plan) -> Self {
        let seed = simulator.config().seed;
        let request_id = Random::of(&[seed, call.number, 4]).id();
        let random = Random::of(&[seed, 15]);
        let (language, text) = (LANGUAGE.to_owned(), String::new());
        let (rate, heard, said, sent) = (16_000, 0, 0, 0);
        Self { simulator, call, account, plan, random, request_id, language, rate, heard, said, text, sent }
    }

    /// Holds the session on the connection that was switched.
    pub(crate) async fn run(mut self, upgrade: OnUpgrade) {
        let Ok(upgraded) = upgrade.await else { return };
        let mut socket = Socket::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
        let mut turn = self.begin();
        loop {
            for reply in std::mem::take(&mut turn.replies) {
                if !self.send(&mut socket, reply).await {
                    return;
                }
            }
            if let Some(code) = turn.over {
                return self.close(&mut socket, code).await;
            }
            turn = match socket.next().await {
                Some(Ok(Message::Text(text))) => self.turn(text.as_str()),
                Some(Ok(Message::Binary(_))) => error("Binary messages are not supported", INVALID),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Turn::default(),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            };
        }
    }

    /// Sends a message, unless a fault stands here; says whether the session goes on.
    async fn send(&mut self, socket: &mut Socket, text: String) -> bool {
        let Some((_, cut)) = self.plan.cut().filter(|(after, _)| *after == self.sent) else {
            self.sent = self.sent.saturating_add(1);
            self.call.note(|entry| entry.bytes_started = true);
            return socket.send(Message::text(text)).await.is_ok();
        };
        self.call.end(End::Broken);
        match cut {
            Cut::Hang => while socket.next().await.is_some_and(|message| message.is_ok()) {},
            Cut::Reset => {}
            Cut::End => self.close(socket, CloseCode::Normal).await,
            Cut::Error => {
                for text in error("Internal error", INTERNAL).replies {
                    let _ = socket.send(Message::text(text)).await;
                }
                self.close(socket, CloseCode::Error).await;
            }
        }
        false
    }

    /// Says that it is over, and waits until the client has said so, too.
    async fn close(&self, socket: &mut Socket, code: CloseCode) {
        self.call.end(End::Whole);
        if socket.close(Some(CloseFrame { code, reason: "".into() })).await.is_ok() {
            while socket.next().await.is_some_and(|message| message.is_ok()) {}
        }
    }

    fn begin(&self) -> Turn {
        match self.account.model.as_deref() {
            Some(model) if self.serves(model) => event("session.created", json!({"session": self.session()})),
            Some(model) => refused(model),
            None => Turn { over: Some(CloseCode::Policy), ..error("Field required: model", INVALID) },
        }
    }

    fn serves(&self, model: &str) -> bool {
        self.simulator.config().model(model, Endpoint::Realtime).is_some()
    }

    fn session(&self) -> Value {
        json!({"request_id": self.request_id, "model": self.account.model,
            "language": self.language, "audio_format": {"encoding": "pcm_s16le", "sample_rate": self.rate}})
    }

    fn turn(&mut self, text: &str) -> Turn {
        self.call.note(|entry| {
            if entry.body.len() < KEPT {
                entry.body = [&entry.body[..], text.as_bytes(), b"\n"].concat().into();
            }
        });
        let message = lenient::parse(text.as_bytes()).unwrap_or_default();
        match message.get("type").and_then(Value::as_str) {
            Some("session.update") => self.update(&message),
            Some("input_audio.append") => {
                let sound = message.get("audio").and_then(Value::as_str).and_then(audio::decode);
                let Some(sound) = sound else { return error("Invalid audio", INVALID) };
                self.heard = self.heard.saturating_add(sound.len() as u64);
                self.say(self.heard / self.bytes())
            }
            Some("input_audio.flush") => self.say(self.seconds()),
            Some("input_audio.end") => self.finish(),
            _ => error("Invalid message", INVALID),
        }
    }

    /// Takes over what the client wants of the session, the model too.
    fn update(&mut self, message: &Value) -> Turn {
        let wanted = message.get("session").unwrap_or(message);
        if let Some(model) = wanted.get("model").and_then(Value::as_str) {
            if !self.serves(model) {
                return refused(model);
            }
            self.account.model = Some(model.to_owned());
            self.call.note(|entry| entry.model = Some(model.to_owned()));
        }
        if let Some(language) = wanted.get("language").and_then(Value::as_str) {
            language.clone_into(&mut self.language);
        }
        let format = wanted.get("audio_format");
        if format.and_then(|format| format.get("encoding")).is_some_and(|encoding| encoding != "pcm_s16le") {
            return error("Input should be 'pcm_s16le'", INVALID);
        }
        if let Some(rate) = format.and_then(|format| lenient::integer(format.get("sample_rate")?)) {
            match u64::try_from(rate) {
                Ok(rate @ 8_000..=48_000) if self.heard == 0 => self.rate = rate,
                _ => return error("Invalid sample_rate", INVALID),
            }
        }
        event("session.updated", json!({"session": self.session()}))
    }

    /// Bytes of a second.
    fn bytes(&self) -> u64 {
        self.rate.saturating_mul(2).max(1)
    }

    /// The seconds that are billed.
    fn seconds(&self) -> u64 {
        self.heard.div_ceil(self.bytes())
    }

    /// Says what was heard in so many seconds, as far as it is not said.
    fn say(&mut self, seconds: u64) -> Turn {
        let mut turn = Turn::default();
        let tokens = seconds.saturating_mul(PACE);
        if tokens > self.said {
            if self.said == 0 {
                turn = event("transcription.language", json!({"audio_language": self.language}));
            }
            let text = self.random.clone().prose(tokens);
            let delta = text.get(self.text.len()..).unwrap_or_default();
            turn.replies.extend(event("transcription.text.delta", json!({"text": delta})).replies);
            (self.said, self.text) = (tokens, text);
        }
        let billed = self.billed();
        self.call.note(|entry| entry.billed = billed);
        turn
    }

    fn finish(&mut self) -> Turn {
        let mut turn = self.say(self.seconds());
        let body = Map::from_iter([
            ("type".to_owned(), json!("transcription.done")),
            ("model".to_owned(), json!(self.account.model)),
            ("text".to_owned(), json!(self.text)),
            ("language".to_owned(), json!(self.language)),
            ("segments".to_owned(), json!([])),
        ]);
        for usage in Usages::of(self.billed(), &self.plan).events() {
            let reports = &Usages { before: None, last: usage };
            let done = serde_json::to_string(&Reported { body: &body, name: "usage", reports });
            turn.replies.push(done.unwrap_or_default());
        }
        Turn { over: Some(CloseCode::Normal), ..turn }
    }

    /// What is billed so far: nothing, until something was heard.
    fn billed(&self) -> Billed {
        let audio_seconds = self.seconds();
        if audio_seconds == 0 {
            return Billed::default();
        }
        Billed { audio_seconds, ..Billed::new(PROMPT, self.said).with_audio(audio::tokens(audio_seconds)) }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let billed = self.billed();
        self.call.note(|entry| entry.billed = billed);
        self.call.sums = self.simulator.book(self.account.clone());
        if let Some(sums) = &self.call.sums {
            sums.bill(billed);
            sums.work(billed);
        }
    }
}

fn event(name: &str, mut fields: Value) -> Turn {
    if let Some(fields) = fields.as_object_mut() {
        fields.insert("type".to_owned(), json!(name));
    }
    Turn { replies: vec![fields.to_string()], over: None }
}

fn error(message: &str, code: u64) -> Turn {
    event("error", json!({"error": {"message": message, "code": code}}))
}

fn refused(model: &str) -> Turn {
    Turn { over: Some(CloseCode::Policy), ..error(&format!("Invalid model: {model}"), INVALID_MODEL) }
}
