//! The four calls of the benchmark, as the bytes that go over the wire.

use std::net::SocketAddr;

use serde_json::json;

use crate::answers::MODEL;

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Prompt {
    /// A sentence.
    Small,
    /// A body of 17 kB.
    Large,
    /// A stream whose chunks come as fast as they can.
    Burst,
    /// A stream of one chunk each 5 ms.
    Paced,
}

impl Prompt {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Small, Self::Large, Self::Burst, Self::Paced];

    /// Whether the answer is a stream of events.
    pub fn streams(self) -> bool {
        matches!(self, Self::Burst | Self::Paced)
    }

    fn body(self) -> String {
        let text = match self {
            Self::Small => "Say something short about rivers.".to_owned(),
            Self::Large => "Rivers run downhill. ".repeat(805),
            Self::Burst => "Say it in a burst.".to_owned(),
            Self::Paced => "Say it paced.".to_owned(),
        };
        let messages = json!([{"role": "user", "content": text}]);
        let mut body = json!({"model": MODEL, "messages": messages});
        if let (true, Some(fields)) = (self.streams(), body.as_object_mut()) {
            fields.insert("stream".to_owned(), json!(true));
        }
        body.to_string()
    }

    /// The whole request; `headers` are whole lines.
    pub fn request(self, address: SocketAddr, headers: &str) -> Vec<u8> {
        post(address, "/v1/chat/completions", headers, &self.body())
    }
}

/// A POST with a JSON body.
pub fn post(address: SocketAddr, path: &str, headers: &str, body: &str) -> Vec<u8> {
    request("POST", address, path, headers, body)
}

/// Any request with a JSON body, or with none where `body` is empty.
pub fn request(method: &str, address: SocketAddr, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\naccept: */*\r\nuser-agent: louver-bench\r\n\
         content-type: application/json\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
