//! The lines of an event stream, and the generated text in them.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::conversations;
use crate::json::string_body;

use super::capture::Capture;
use super::{BadUsage, Found};

/// A line longer than this is only counted.
const LONGEST: usize = 1024 * 1024;

/// The end of every key whose value may be a string.
static KEY_END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\":"));

/// Cuts a stream into lines; only a line that chunks cut through is copied.
#[derive(Debug, Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
    /// Bytes of the present line that did not fit.
    dropped: u64,
    capture: Capture,
    /// Whether the models that speak are noted.
    speakers: bool,
}

impl Lines {
    pub(super) fn of_conversation() -> Self {
        Self { speakers: true, ..Self::default() }
    }

    /// With a search of its own in each event.
    pub(super) fn new(capture: Capture) -> Self {
        Self { capture, ..Self::default() }
    }

    pub(super) fn feed(&mut self, chunk: &[u8], found: &mut Found) {
        let mut from = 0_usize;
        for end in memchr::memchr_iter(b'\n', chunk) {
            let line = chunk.get(from..end).unwrap_or_default();
            from = end.saturating_add(1);
            if self.partial.is_empty() && line.len() <= LONGEST {
                self.line(line, found);
            } else {
                self.keep(line);
                self.end(found);
            }
        }
        self.keep(chunk.get(from..).unwrap_or_default());
    }

    /// Ends the present line.
    pub(super) fn end(&mut self, found: &mut Found) {
        let line = std::mem::take(&mut self.partial);
        if self.dropped > 0 {
            oversized(&line, self.dropped, found);
        } else {
            self.line(&line, found);
        }
        self.dropped = 0;
        // The buffer is used again for the next cut line, unless it grew out of proportion.
        if line.capacity() <= 64 * 1024 {
            self.partial = line;
            self.partial.clear();
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LONGEST.saturating_sub(self.partial.len());
        let (kept, dropped) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        self.partial.extend_from_slice(kept);
        self.dropped = self.dropped.saturating_add(dropped.len() as u64);
    }

    fn line(&mut self, line: &[u8], found: &mut Found) {
        let Some(data) = line.strip_prefix(b"data:") else { return };
        let data = data.trim_ascii();
        // Also where the stream broke off within the sentinel: that is no event.
        if b"[DONE]".starts_with(data) {
            found.done |= data == b"[DONE]";
            return;
        }
        found.events = found.events.saturating_add(1);
        found.text_bytes = found.text_bytes.saturating_add(generated(data));
        self.capture.feed(data, found);
        self.capture.reset();
        if self.speakers {
            let told = conversations::event(data);
            told.models
                .into_iter()
                .for_each(|model| conversations::note(&mut found.models, Some(model.into())));
        }
    }
}

/// All of an event too long to be read counts as text, and its usage, if it has one, as unreadable.
fn oversized(start: &[u8], dropped: u64, found: &mut Found) {
    if start.starts_with(b"data:") {
        found.events = found.events.saturating_add(1);
        let length = dropped.saturating_add(start.len() as u64);
        found.text_bytes = found.text_bytes.saturating_add(length);
        found.note(Err(BadUsage::TooLong));
    }
}

/// UTF-8 bytes of the strings that a model generates: text, thinking and tool arguments.
///
/// Only key ends are looked at, so a line cut short is counted as far as it goes; its last
/// string then counts as written, with its escapes.
fn generated(data: &[u8]) -> u64 {
    let mut total = 0_u64;
    let mut from = 0_usize;
    while let Some(at) = KEY_END.find(data.get(from..).unwrap_or_default()) {
        let key_end = from.saturating_add(at);
        from = key_end.saturating_add(2);
        if !is_generated(data.get(..key_end).unwrap_or_default()) {
            continue;
        }
        let value = data.get(from..).unwrap_or_default().trim_ascii_start();
        if value.first() != Some(&b'"') {
            continue;
        }
        let length = match string_body(value, 1) {
            Ok(body) => {
                let behind = value.len().saturating_sub(body.close);
                from = data.len().saturating_sub(behind);
                body.decoded_len
            }
            // All that is left is counted, and must not be counted again.
            Err(_) => {
                from = data.len();
                value.len().saturating_sub(1)
            }
        };
        total = total.saturating_add(length as u64);
    }
    total
}

/// Whether the bytes before a key's last quote end with one of the keys of generated text.
fn is_generated(before: &[u8]) -> bool {
    [b"\"content".as_slice(), b"\"arguments", b"\"text", b"\"thinking", b"\"delta"]
        .iter()
        .any(|key| before.ends_with(key))
}
