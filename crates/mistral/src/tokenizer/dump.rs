//! JSON as upstream writes it into a prompt: as Python's `json.dumps(value, ensure_ascii=False)`.

use crate::json::{self, Cursor, Fault, Kind};

/// Digits that Python may add to a number with an exponent: `1e15` becomes `1000000000000000.0`.
pub(crate) const EXPONENT_DIGITS: u64 = 20;

/// What it may add to a long number with a point: `10000000000000000.5` becomes `1.0000000000000000e+16`.
const LONG_NUMBER: (usize, u64) = (17, 4);

/// A value, written anew.
#[derive(Default)]
pub(super) struct Dump {
    /// The text.
    pub(super) text: String,
    /// Tokens that it may have more, since numbers stand in it as the client wrote them.
    pub(super) digits: u64,
}

impl Dump {
    /// Consumes one value. With `unfold`, a string that holds an object or an array is written as what it holds:
    /// the arguments of a tool call.
    pub(super) fn value(&mut self, cursor: &mut Cursor<'_>, unfold: bool) -> Result<(), Fault> {
        match cursor.kind()? {
            Kind::String => {
                let text = cursor.string()?.decoded();
                match unfold.then(|| unfolded(&text)).flatten() {
                    Some(inner) => self.append(&inner),
                    None => self.string(&text),
                }
            }
            Kind::Number => self.number(cursor.number()?),
            Kind::Bool => self.text.push_str(if cursor.boolean()? { "true" } else { "false" }),
            Kind::Null => {
                cursor.skip()?;
                self.text.push_str("null");
            }
            Kind::Array => {
                self.text.push('[');
                cursor.array(|cursor, index| {
                    self.comma(index > 0);
                    self.value(cursor, unfold)
                })?;
                self.text.push(']');
            }
            Kind::Object => {
                self.text.push('{');
                let mut more = false;
                cursor.object(|cursor, name| {
                    self.comma(std::mem::replace(&mut more, true));
                    self.string(name);
                    self.text.push_str(": ");
                    self.value(cursor, unfold)
                })?;
                self.text.push('}');
            }
        }
        Ok(())
    }

    /// Writes a string with the escapes that JSON needs and no others.
    pub(super) fn string(&mut self, text: &str) {
        self.text.push_str(&serde_json::Value::from(text).to_string());
    }

    fn comma(&mut self, needed: bool) {
        if needed {
            self.text.push_str(", ");
        }
    }

    fn number(&mut self, literal: &str) {
        self.text.push_str(literal);
        let (long, more) = LONG_NUMBER;
        self.digits = self.digits.saturating_add(if literal.contains(['e', 'E']) {
            EXPONENT_DIGITS
        } else if literal.len() >= long && literal.contains('.') {
            more
        } else {
            0
        });
    }

    fn append(&mut self, other: &Self) {
        self.text.push_str(&other.text);
        self.digits = self.digits.saturating_add(other.digits);
    }
}

/// What a string holds when it is JSON with a structure; then upstream writes that anew.
pub(super) fn unfolded(text: &str) -> Option<Dump> {
    let first = text.trim_start_matches([' ', '\n', '\r', '\t']).chars().next();
    if !matches!(first, Some('{' | '[')) {
        return None;
    }
    let mut dump = Dump::default();
    json::scan(text.as_bytes(), |cursor| dump.value(cursor, false)).ok()?;
    Some(dump)
}
