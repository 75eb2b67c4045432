//! The strict reading of one JSON document, in one pass and without building it.
//!
//! Accepted is exactly one JSON value (RFC 8259) in UTF-8 without a byte order
//! mark, nested at most [`MAX_DEPTH`] deep, in which no object has a key twice
//! (also when written with escapes), numbers are finite as `f64`, and every
//! surrogate escape has its other half. Two parsers cannot disagree about such a
//! document, which is what the gateway needs: the upstream has another parser.

mod fault;
mod number;
mod text;

use std::borrow::Cow;

pub use fault::{Fault, JsonError, JsonErrorKind};
pub use text::Text;
pub(crate) use text::body as string_body;

/// The deepest accepted nesting of arrays and objects.
pub const MAX_DEPTH: u8 = 64;

/// Up to so many keys, an object's new key is compared with each earlier one;
/// larger objects are sorted once at their end.
const FEW_KEYS: usize = 16;

/// The type of the next value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// Any number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// A position in a document. Each reading method consumes exactly one value; what
/// it passes is checked, so a document that was read to its end is sound.
#[derive(Debug)]
pub struct Cursor<'a> {
    text: &'a str,
    at: usize,
    depth: u8,
    /// Keys of the objects around the position, with their offsets; inner objects on top.
    names: Vec<(Cow<'a, str>, usize)>,
    string_bytes: u64,
}

/// Reads one document: `visit` gets the cursor before the value and must consume it.
///
/// # Errors
/// The first fault of the document. It wins over whatever `visit` found.
pub fn scan<'a, T>(
    bytes: &'a [u8],
    visit: impl FnOnce(&mut Cursor<'a>) -> Result<T, Fault>,
) -> Result<T, JsonError> {
    let run = || {
        let text = encoding(bytes)?;
        let mut cursor =
            Cursor { text, at: 0, depth: 0, names: Vec::with_capacity(FEW_KEYS), string_bytes: 0 };
        let value = visit(&mut cursor)?;
        match cursor.peek() {
            None => Ok(value),
            Some(_) => Err(Fault::syntax(cursor.at, "there is something behind the document")),
        }
    };
    run().map_err(|fault: Fault| fault.locate(bytes))
}

/// Checks one document without looking at what it says, for callers that deserialize it afterwards.
///
/// # Errors
/// The first fault of the document.
pub fn check(bytes: &[u8]) -> Result<(), JsonError> {
    scan(bytes, Cursor::skip)
}

fn encoding(bytes: &[u8]) -> Result<&str, Fault> {
    let refuse = |offset, message| Fault::new(JsonErrorKind::InvalidEncoding, offset, message);
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return Err(refuse(0, "the document must not start with a byte order mark"));
    }
    // A JSON text starts with ASCII, so a zero among its first two bytes is UTF-16 or UTF-32 (RFC 4627, 3).
    if bytes.iter().take(2).any(|byte| *byte == 0) {
        return Err(refuse(0, "the document must be UTF-8"));
    }
    std::str::from_utf8(bytes).map_err(|error| refuse(error.valid_up_to(), "the document must be UTF-8"))
}

impl<'a> Cursor<'a> {
    /// Type of the next value; afterwards [`offset`](Self::offset) is where it starts.
    ///
    /// # Errors
    /// No value starts here.
    pub fn kind(&mut self) -> Result<Kind, Fault> {
        Ok(match self.peek() {
            Some(b'"') => Kind::String,
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') => Kind::Null,
            other => return Err(self.no_value(other)),
        })
    }

    /// Byte offset in the document: behind the last value read, or before the one just asked for.
    pub const fn offset(&self) -> usize {
        self.at
    }

    /// What was read since `start`, as written.
    pub(crate) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// UTF-8 bytes of all string values read so far, unescaped; keys do not count.
    pub const fn string_bytes(&self) -> u64 {
        self.string_bytes
    }

    /// Overrules [`string_bytes`](Self::string_bytes), where the caller counts otherwise.
    pub const fn set_string_bytes(&mut self, bytes: u64) {
        self.string_bytes = bytes;
    }

    /// Consumes one value of any type.
    ///
    /// # Errors
    /// The value's first fault.
    pub fn skip(&mut self) -> Result<(), Fault> {
        match self.kind()? {
            Kind::String => self.string().map(|_| ()),
            Kind::Number => self.number().map(|_| ()),
            Kind::Bool => self.boolean().map(|_| ()),
            Kind::Null => self.word("null"),
            Kind::Array => self.array(|cursor, _| cursor.skip()),
            Kind::Object => self.object(|cursor, _| cursor.skip()),
        }
    }

    /// Consumes a string.
    ///
    /// # Errors
    /// The next value is not a sound string.
    pub fn string(&mut self) -> Result<Text<'a>, Fault> {
        let text = self.literal()?;
        self.string_bytes = self.string_bytes.saturating_add(text.decoded_len as u64);
        Ok(text)
    }

    /// Consumes a number and returns its literal.
    ///
    /// # Errors
    /// The next value is not a sound number.
    pub fn number(&mut self) -> Result<&'a str, Fault> {
        self.peek();
        let from = self.at;
        self.at = number::number(self.text, from)?;
        Ok(self.text.get(from..self.at).unwrap_or_default())
    }

    /// Consumes `true` or `false`.
    ///
    /// # Errors
    /// The next value is neither.
    pub fn boolean(&mut self) -> Result<bool, Fault> {
        let yes = self.peek() == Some(b't');
        self.word(if yes { "true" } else { "false" })?;
        Ok(yes)
    }

    /// Consumes an array; `visit` gets each index and must consume that element.
    ///
    /// # Errors
    /// The next value is not a sound array, or what `visit` returns.
    pub fn array(
        &mut self,
        mut visit: impl FnMut(&mut Self, usize) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.open(b'[')?;
        let mut index = 0_usize;
        if self.peek() == Some(b']') {
            self.step();
        } else {
            loop {
                visit(self, index)?;
                index = index.saturating_add(1);
                if self.closed(b']')? {
                    break;
                }
            }
        }
        self.depth = self.depth.saturating_sub(1);
        Ok(())
    }

    /// Consumes an object; `visit` gets each key, unescaped, and must consume its value.
    ///
    /// # Errors
    /// The next value is not a sound object, or what `visit` returns.
    pub fn object(
        &mut self,
        mut visit: impl FnMut(&mut Self, &str) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.open(b'{')?;
        let base = self.names.len();
        if self.peek() == Some(b'}') {
            self.step();
        } else {
            loop {
                let name = self.name(base)?;
                visit(self, &name)?;
                if self.closed(b'}')? {
                    break;
                }
            }
        }
        self.forget_names(base)?;
        self.depth = self.depth.saturating_sub(1);
        Ok(())
    }

    /// Skips white space and looks at the next byte.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.step(),
                other => return other.copied(),
            }
        }
    }

    #[inline]
    const fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn literal(&mut self) -> Result<Text<'a>, Fault> {
        let next = self.peek();
        if next != Some(b'"') {
            return Err(self.no_value(next));
        }
        let from = self.at;
        let body = text::body(self.text.as_bytes(), from.saturating_add(1))?;
        self.at = body.close.saturating_add(1);
        let literal = self.text.get(from..self.at).unwrap_or_default();
        Ok(Text { literal, decoded_len: body.decoded_len, escaped: body.escaped })
    }

    fn word(&mut self, word: &str) -> Result<(), Fault> {
        let end = self.at.saturating_add(word.len());
        if self.text.as_bytes().get(self.at..end) != Some(word.as_bytes()) {
            return Err(Fault::syntax(self.at, "true, false, null or another value was expected"));
        }
        self.at = end;
        Ok(())
    }

    fn open(&mut self, bracket: u8) -> Result<(), Fault> {
        let next = self.peek();
        if next != Some(bracket) {
            return Err(self.no_value(next));
        }
        if self.depth >= MAX_DEPTH {
            return Err(Fault::new(
                JsonErrorKind::TooDeep,
                self.at,
                "arrays and objects are nested more than 64 deep",
            ));
        }
        self.depth = self.depth.saturating_add(1);
        self.step();
        Ok(())
    }

    /// Whether the array or object ends here; passes the comma when it does not.
    fn closed(&mut self, bracket: u8) -> Result<bool, Fault> {
        match self.peek() {
            Some(b',') => self.step(),
            Some(byte) if byte == bracket => {
                self.step();
                return Ok(true);
            }
            Some(b'#' | b'/') => return Err(Fault::syntax(self.at, "comments are not part of JSON")),
            Some(_) => return Err(Fault::syntax(self.at, "a comma or a closing bracket was expected")),
            None => return Err(Fault::syntax(self.at, "the document ends too early")),
        }
        if self.peek() == Some(bracket) {
            return Err(Fault::syntax(self.at, "a trailing comma is not part of JSON"));
        }
        Ok(false)
    }

    /// Reads a key and its colon, and remembers the key.
    fn name(&mut self, base: usize) -> Result<Cow<'a, str>, Fault> {
        match self.peek() {
            Some(b'"') => {}
            Some(b'\'') => return Err(Fault::syntax(self.at, "keys need double quotes")),
            Some(b'#' | b'/') => return Err(Fault::syntax(self.at, "comments are not part of JSON")),
            Some(_) => return Err(Fault::syntax(self.at, "a key in double quotes was expected")),
            None => return Err(Fault::syntax(self.at, "the document ends too early")),
        }
        let offset = self.at;
        let name = self.literal()?.decoded();
        let siblings = self.names.get(base..).unwrap_or_default();
        if siblings.len() <= FEW_KEYS && siblings.iter().any(|(other, _)| *other == name) {
            return Err(twice(offset));
        }
        self.names.push((name.clone(), offset));
        if self.peek() != Some(b':') {
            return Err(Fault::syntax(self.at, "a colon was expected"));
        }
        self.step();
        Ok(name)
    }

    /// Drops the keys of an object that ends, after looking for duplicates among many.
    fn forget_names(&mut self, base: usize) -> Result<(), Fault> {
        if let Some(siblings) = self.names.get_mut(base..)
            && siblings.len() > FEW_KEYS
        {
            siblings.sort_unstable();
            let pairs = siblings.iter().zip(siblings.iter().skip(1));
            let duplicates = pairs.filter(|(one, other)| one.0 == other.0).map(|(_, other)| other.1);
            if let Some(offset) = duplicates.min() {
                return Err(twice(offset));
            }
        }
        self.names.truncate(base);
        Ok(())
    }

    fn no_value(&self, next: Option<u8>) -> Fault {
        let message = match next {
            None => "the document ends too early",
            Some(b'#' | b'/') => "comments are not part of JSON",
            Some(b'\'') => "strings need double quotes",
            Some(b'N' | b'I' | b'u') => "NaN, Infinity and undefined are not part of JSON",
            Some(b'+' | b'.') => "a number must start with a digit or a minus",
            Some(_) => "a value was expected",
        };
        Fault::syntax(self.at, message)
    }
}

const fn twice(offset: usize) -> Fault {
    Fault::new(JsonErrorKind::DuplicateKey, offset, "a key appears twice in one object")
}
