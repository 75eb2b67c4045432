//! The search for `"usage": {…}` or `"usage_info": {…}` in bytes that come in pieces, without keeping more than the object.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::walk::Walk;
use super::{BadUsage, Found, Usage};

/// How the keys begin.
const NEEDLE: &[u8; 6] = b"\"usage";
/// How they go on: `usage` of tokens, `usage_info` of pages.
const ENDS: [&[u8]; 2] = [b"\"", b"_info\""];

/// One searcher for the whole process: building it costs more than most searches.
static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(NEEDLE));

/// A usage object longer than this is refused.
const LONGEST: usize = 64 * 1024;

/// Where the search stands between two chunks.
#[derive(Debug, Default)]
pub(super) struct Capture {
    state: State,
    /// Where the key must stand; `None` is anywhere.
    walk: Option<Walk>,
    /// What was seen of the end of the key.
    name: Vec<u8>,
    /// The last bytes seen while searching: a needle's beginning and the byte before it.
    tail: Vec<u8>,
    object: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Search,
    /// Behind the beginning of the key.
    Name,
    /// Behind the key.
    Colon,
    /// Behind the colon.
    Value,
    /// Inside the object.
    Object(Inside),
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Inside {
    depth: u32,
    string: bool,
    escaped: bool,
}

impl Capture {
    /// Only for `usage` in so many objects.
    pub(super) fn at_depth(depth: u32) -> Self {
        Self { walk: Some(Walk::to(depth)), ..Self::default() }
    }

    pub(super) fn feed(&mut self, chunk: &[u8], found: &mut Found) {
        let mut rest = chunk;
        while !rest.is_empty() {
            rest = match self.state {
                State::Search => self.search(rest),
                State::Name => self.end_of_name(rest),
                State::Colon => self.expect(rest, b':', State::Value),
                State::Value => {
                    self.expect(rest, b'{', State::Object(Inside { depth: 1, ..Inside::default() }))
                }
                State::Object(inside) => self.object(rest, inside, found),
            };
        }
    }

    /// Forgets what is half seen: the next bytes belong to another document.
    pub(super) fn reset(&mut self) {
        self.again();
        self.walk = self.walk.take().map(Walk::anew);
    }

    /// Searches on in the same document.
    fn again(&mut self) {
        self.state = State::Search;
        self.name.clear();
        self.tail.clear();
        self.object.clear();
    }

    /// Searches `bytes` and what the last chunk ended with; returns what stands behind a hit.
    fn search<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        if let Some(walk) = &mut self.walk {
            let Some(behind) = walk.find(bytes) else { return &[] };
            self.state = State::Colon;
            return bytes.get(behind..).unwrap_or_default();
        }
        if let Some(behind) = self.across(bytes) {
            return self.hit(bytes, behind);
        }
        let mut from = 0_usize;
        while let Some(at) = FINDER.find(bytes.get(from..).unwrap_or_default()) {
            let at = from.saturating_add(at);
            let before = at.checked_sub(1).and_then(|at| bytes.get(at)).or(self.tail.last());
            let behind = at.saturating_add(NEEDLE.len());
            if before != Some(&b'\\') {
                return self.hit(bytes, behind);
            }
            // Its last quote may be another's first.
            from = behind.saturating_sub(1);
        }
        self.remember(bytes);
        &[]
    }

    /// Where a needle ends in `bytes` that began in the chunk before.
    fn across(&self, bytes: &[u8]) -> Option<usize> {
        let tail = self.tail.as_slice();
        (1..NEEDLE.len())
            .find(|seen| {
                let (start, behind) = NEEDLE.split_at_checked(*seen).unwrap_or_default();
                tail.strip_suffix(start).is_some_and(|before| before.last() != Some(&b'\\'))
                    && bytes.starts_with(behind)
            })
            .map(|seen| NEEDLE.len().saturating_sub(seen))
    }

    fn hit<'b>(&mut self, bytes: &'b [u8], behind: usize) -> &'b [u8] {
        self.state = State::Name;
        self.tail.clear();
        bytes.get(behind..).unwrap_or_default()
    }

    /// Reads the end of the key, byte by byte; with one that does not fit the search goes on.
    fn end_of_name<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let Some((first, behind)) = bytes.split_first() else { return bytes };
        self.name.push(*first);
        if ENDS.contains(&self.name.as_slice()) {
            self.name.clear();
            self.state = State::Colon;
            return behind;
        }
        if ENDS.iter().any(|end| end.starts_with(&self.name)) {
            return behind;
        }
        self.again();
        bytes
    }

    fn remember(&mut self, bytes: &[u8]) {
        let fresh = bytes.get(bytes.len().saturating_sub(NEEDLE.len())..).unwrap_or_default();
        let surplus = self.tail.len().saturating_add(fresh.len()).saturating_sub(NEEDLE.len());
        self.tail.drain(..surplus.min(self.tail.len()));
        self.tail.extend_from_slice(fresh);
    }

    /// Passes white space and `byte`; anything else means that this was not the usage.
    fn expect<'b>(&mut self, bytes: &'b [u8], byte: u8, next: State) -> &'b [u8] {
        let bytes = bytes.trim_ascii_start();
        match bytes.split_first() {
            None => bytes,
            Some((first, behind)) if *first == byte => {
                self.state = next;
                if byte == b'{' {
                    self.object.push(b'{');
                }
                behind
            }
            Some(_) => {
                self.state = State::Search;
                bytes
            }
        }
    }

    fn object<'b>(&mut self, bytes: &'b [u8], mut inside: Inside, found: &mut Found) -> &'b [u8] {
        for (at, byte) in bytes.iter().enumerate() {
            inside.pass(*byte);
            if inside.depth == 0 {
                let (own, behind) = bytes.split_at_checked(at.saturating_add(1)).unwrap_or((bytes, &[]));
                self.object.extend_from_slice(own);
                let fits = self.object.len() <= LONGEST;
                found.note(if fits { Usage::parse(&self.object) } else { Err(BadUsage::TooLong) });
                self.again();
                return behind;
            }
        }
        self.state = State::Object(inside);
        // One byte more than fits is enough to know that it does not.
        let room = LONGEST.saturating_add(1).saturating_sub(self.object.len());
        self.object.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        &[]
    }
}

impl Inside {
    fn pass(&mut self, byte: u8) {
        if self.escaped {
            self.escaped = false;
            return;
        }
        match (self.string, byte) {
            (true, b'\\') => self.escaped = true,
            (_, b'"') => self.string = !self.string,
            (false, b'{') => self.depth = self.depth.saturating_add(1),
            (false, b'}') => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}
