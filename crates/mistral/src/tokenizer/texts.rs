//! The texts of a request that go to the model, and their tokens.
//!
//! The request was read before ([`crate::request::read`]), so what is found here has the right types; a field
//! that cannot reach the prompt (metadata, stop words, the model) is passed over.

use std::borrow::Cow;

use crate::json::{Cursor, Fault, Kind};

use super::Tokenizer;
use super::dump::{Dump, unfolded};

/// Tokens for the seam between two chunks of a message: a blank line or two special tokens.
const PER_CHUNK: u64 = 4;

/// The tokens of all texts of a document, without overheads of messages, tools and images.
pub(super) fn tokens(tokenizer: &Tokenizer, cursor: &mut Cursor<'_>) -> Result<u64, Fault> {
    let mut texts = Texts { tokenizer, tokens: 0 };
    cursor.object(|cursor, name| texts.field(cursor, name))?;
    Ok(texts.tokens)
}

struct Texts<'t> {
    tokenizer: &'t Tokenizer,
    tokens: u64,
}

/// The contents of one message.
#[derive(Default)]
struct Message<'a> {
    contents: Vec<Cow<'a, str>>,
    /// The result of a tool.
    tool: bool,
}

impl Texts<'_> {
    fn field(&mut self, cursor: &mut Cursor<'_>, name: &str) -> Result<(), Fault> {
        match name {
            "messages" => cursor.array(|cursor, _| self.message(cursor)),
            "tools" | "response_format" | "tool_choice" | "prediction" => self.json(cursor, false),
            "prompt" | "suffix" | "prompt_mode" | "reasoning_effort" => self.plain(cursor),
            _ => cursor.skip(),
        }
    }

    fn message<'a>(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Fault> {
        let mut message = Message::<'a>::default();
        cursor.object(|cursor, name| match (name, cursor.kind()?) {
            ("content", Kind::String) => {
                message.contents.push(cursor.string()?.decoded());
                Ok(())
            }
            ("content", Kind::Array) => cursor.array(|cursor, _| self.chunk(cursor, &mut message)),
            ("role", Kind::String) => {
                message.tool = cursor.string()?.decoded() == "tool";
                Ok(())
            }
            _ => self.plain(cursor),
        })?;
        self.contents(&message);
        Ok(())
    }

    fn chunk<'a>(&mut self, cursor: &mut Cursor<'a>, message: &mut Message<'a>) -> Result<(), Fault> {
        self.add(PER_CHUNK);
        cursor.object(|cursor, name| match (name, cursor.kind()?) {
            ("text" | "thinking", Kind::String) => {
                message.contents.push(cursor.string()?.decoded());
                Ok(())
            }
            ("thinking", Kind::Array) => cursor.array(|cursor, _| self.chunk(cursor, message)),
            ("type" | "image_url", _) => cursor.skip(),
            _ => self.plain(cursor),
        })
    }

    /// Adds the contents of a message. The result of a tool is written as JSON in the older templates, or anew
    /// if it is JSON; the dearest way counts.
    fn contents(&mut self, message: &Message<'_>) {
        let each = message.contents.iter().map(|text| self.tokenizer.tokens(text));
        let mut most = each.fold(0, u64::saturating_add);
        if message.tool {
            let whole = message.contents.concat();
            let mut quoted = Dump::default();
            quoted.string(&whole);
            for dump in std::iter::once(quoted).chain(unfolded(&whole)) {
                most = most.max(self.of(&dump));
            }
        }
        self.add(most);
    }

    /// Adds a string by itself, anything with a structure as JSON.
    fn plain(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        match cursor.kind()? {
            Kind::String => {
                let text = cursor.string()?.decoded();
                self.add(self.tokenizer.tokens(&text));
                Ok(())
            }
            Kind::Array | Kind::Object => self.json(cursor, true),
            Kind::Null | Kind::Bool | Kind::Number => cursor.skip(),
        }
    }

    fn json(&mut self, cursor: &mut Cursor<'_>, unfold: bool) -> Result<(), Fault> {
        let mut dump = Dump::default();
        dump.value(cursor, unfold)?;
        self.add(self.of(&dump));
        Ok(())
    }

    fn of(&self, dump: &Dump) -> u64 {
        self.tokenizer.tokens(&dump.text).saturating_add(dump.digits)
    }

    const fn add(&mut self, tokens: u64) {
        self.tokens = self.tokens.saturating_add(tokens);
    }
}
