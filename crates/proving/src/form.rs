//! Forms as clients send them, well and badly made.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

/// The boundary of every form.
pub const BOUNDARY: &str = "a-boundary-of-the-tests";

/// A form.
#[derive(Clone, Debug, Default)]
pub struct Form(Vec<u8>);

impl Form {
    /// The same with a text field.
    #[must_use]
    pub fn field(self, name: &str, value: &str) -> Self {
        self.part(&format!("Content-Disposition: form-data; name=\"{name}\""), value.as_bytes())
    }

    /// The same with a file.
    #[must_use]
    pub fn file(self, filename: &str, content: &[u8]) -> Self {
        let head = format!("Content-Disposition: form-data; name=\"file\"; filename=\"{filename}\"");
        self.part(&head, content)
    }

    /// The same with a part that has these headers.
    #[must_use]
    pub fn part(mut self, headers: &str, content: &[u8]) -> Self {
        self.0.extend_from_slice(format!("--{BOUNDARY}\r\n{headers}\r\n\r\n").as_bytes());
        self.0.extend_from_slice(content);
        self.0.extend_from_slice(b"\r\n");
        self
    }

    /// All of it.
    pub fn bytes(&self) -> Vec<u8> {
        [self.0.as_slice(), format!("--{BOUNDARY}--\r\n").as_bytes()].concat()
    }

    /// A request with it.
    pub fn request(&self, path: &str, key: &str) -> Request<Full<Bytes>> {
        body(path, key, &format!("multipart/form-data; boundary={BOUNDARY}"), self.bytes())
    }
}

/// A request with a body of that type.
pub fn body(path: &str, key: &str, content_type: &str, bytes: Vec<u8>) -> Request<Full<Bytes>> {
    Request::post(path)
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", content_type)
        .body(Full::new(bytes.into()))
        .unwrap()
}

/// A WAVE file of silence: one channel of 16 bits at 16,000 a second.
pub fn wav(seconds: u32) -> Vec<u8> {
    let data = seconds * 32_000;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + data).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(16_000_u32.to_le_bytes());
    file.extend(32_000_u32.to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(data.to_le_bytes());
    file.resize(file.len() + data as usize, 0);
    // A recorder's format is told by many zeros.
    file[50] = 1;
    file
}
