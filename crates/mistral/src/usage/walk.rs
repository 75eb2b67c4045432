//! Finds the key `usage` at one depth of a document that comes in pieces: an answer that repeats what the client sent can
//! hold any key, but not at the depth where upstream writes its own.

/// Where a walk through a document stands.
#[derive(Debug)]
pub(super) struct Walk {
    want: u32,
    depth: u32,
    string: bool,
    escaped: bool,
    /// The beginning of the present string, or of the last one.
    text: Vec<u8>,
}

const KEY: &[u8] = b"usage";

impl Walk {
    /// For a key in so many objects and arrays.
    pub(super) const fn to(want: u32) -> Self {
        Self { want, depth: 0, string: false, escaped: false, text: Vec::new() }
    }

    /// For the next document.
    pub(super) fn anew(self) -> Self {
        Self { depth: 0, string: false, escaped: false, ..self }
    }

    /// Goes on through `bytes`, up to behind the key.
    pub(super) fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        let ends = |(at, byte): (usize, &u8)| self.pass(*byte).then(|| at.saturating_add(1));
        bytes.iter().enumerate().find_map(ends)
    }

    /// Passes a byte; says whether it ends the key.
    fn pass(&mut self, byte: u8) -> bool {
        if self.string {
            return self.pass_text(byte);
        }
        match byte {
            b'"' => {
                self.string = true;
                self.text.clear();
            }
            b'{' | b'[' => self.depth = self.depth.saturating_add(1),
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        false
    }

    fn pass_text(&mut self, byte: u8) -> bool {
        if byte == b'"' && !self.escaped {
            self.string = false;
            return self.depth == self.want && self.text == KEY;
        }
        self.escaped = byte == b'\\' && !self.escaped;
        // One byte more than the key has is enough to know that it is another.
        if self.text.len() <= KEY.len() {
            self.text.push(byte);
        }
        false
    }
}
