//! What the description of the API says of one route, besides its method, path and permission.

use schemars::generate::SchemaGenerator;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

/// Makes the schema of a type.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What is told of a route.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Its name in generated clients.
    pub id: &'static str,
    /// Its chapter.
    pub tag: &'static str,
    /// One line.
    pub summary: &'static str,
    /// More than one line.
    pub description: &'static str,
    /// Parameters of its query.
    pub query: Vec<Parameter>,
    /// Parameters of its path that are texts, with their meaning; the others are ids.
    pub texts: Vec<(&'static str, &'static str)>,
    /// Its body.
    pub body: Option<SchemaOf>,
    /// What it answers when all is well, or in a way of its own.
    pub answers: Vec<(u16, Option<SchemaOf>)>,
    /// Answers that are no JSON, with their media types. A refusal may be one of them.
    pub texts_out: Vec<(u16, &'static str)>,
    /// Its body is that of a form in a page, and no JSON.
    pub form: bool,
    /// Its 200 comes as CSV too.
    pub csv: bool,
    /// It shows an `ETag`, and writes heed `If-Match`.
    pub edited: bool,
    /// Refusals that do not follow from its access, path, query and body.
    pub refuses: Vec<u16>,
}

impl About {
    /// With an id and a line.
    #[must_use]
    pub fn named(self, id: &'static str, summary: &'static str) -> Self {
        Self { id, summary, ..self }
    }

    /// In a chapter.
    #[must_use]
    pub fn tagged(self, tag: &'static str) -> Self {
        Self { tag, ..self }
    }

    /// With more to say.
    #[must_use]
    pub fn saying(self, description: &'static str) -> Self {
        Self { description, ..self }
    }

    /// With parameters of the query, after those it has.
    #[must_use]
    pub fn query(mut self, parameters: &'static [Parameter]) -> Self {
        self.query.extend_from_slice(parameters);
        self
    }

    /// With a parameter of the path that is a text.
    #[must_use]
    pub fn text(mut self, parameter: &'static str, description: &'static str) -> Self {
        self.texts.push((parameter, description));
        self
    }

    /// With a body.
    #[must_use]
    pub fn takes<T: JsonSchema>(self) -> Self {
        Self { body: Some(SchemaGenerator::subschema_for::<T>), ..self }
    }

    /// With an answer in JSON.
    #[must_use]
    pub fn answers<T: JsonSchema>(mut self, status: u16) -> Self {
        self.answers.push((status, Some(SchemaGenerator::subschema_for::<T>)));
        self
    }

    /// With an answer that has no body.
    #[must_use]
    pub fn answers_nothing(mut self, status: u16) -> Self {
        self.answers.push((status, None));
        self
    }

    /// With an answer of that media type, which is no JSON.
    #[must_use]
    pub fn answers_as(mut self, status: u16, kind: &'static str) -> Self {
        self.texts_out.push((status, kind));
        self
    }

    /// With the body of a form in a page.
    #[must_use]
    pub fn takes_form<T: JsonSchema>(self) -> Self {
        Self { form: true, ..self.takes::<T>() }
    }

    /// With a 200 in CSV too.
    #[must_use]
    pub fn csv(self) -> Self {
        Self { csv: true, ..self }
    }

    /// With the tag of a state that may change between reading and writing.
    #[must_use]
    pub fn edited(self) -> Self {
        Self { edited: true, ..self }
    }

    /// With more refusals.
    #[must_use]
    pub fn refuses(mut self, statuses: &[u16]) -> Self {
        self.refuses.extend_from_slice(statuses);
        self
    }
}

/// A parameter of a query.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// What it is for.
    pub description: &'static str,
    /// Whether it must be there.
    pub required: bool,
    /// Whether the text `null` is as if it were not there.
    pub nullable: bool,
}

impl Parameter {
    /// One that may be absent.
    pub const fn new(name: &'static str, kind: Kind, description: &'static str) -> Self {
        Self { name, kind, description, required: false, nullable: false }
    }

    /// The same, but it must be there.
    #[must_use]
    pub const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// The same, but it may be `null`.
    #[must_use]
    pub const fn nullable(self) -> Self {
        Self { nullable: true, ..self }
    }

    /// As a schema.
    pub fn schema(&self) -> Value {
        match self.nullable {
            true => json!({"anyOf": [self.kind.schema(), {"type": "null"}]}),
            false => self.kind.schema(),
        }
    }
}

/// What a parameter may hold.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Any text.
    Text,
    /// An id: a UUID, or its form with a prefix.
    Id,
    /// A UUID, as Mistral has it.
    Uuid,
    /// A text of this form.
    Form(&'static str),
    /// A time or a date.
    Moment,
    /// A time with an offset, as Mistral has it.
    DateTime,
    /// `true` or `false`, and what it is when it is absent.
    Flag(bool),
    /// A whole number from the least to the most.
    Count(u32, u32),
    /// A whole number from the least on, and what it is when it is absent.
    From(i64, i64),
    /// A whole number between bounds, and what it is when it is absent.
    Between(i64, i64, i64),
    /// Any whole number, and what it is when it is absent.
    Whole(Option<i64>),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Some of these words; the parameter is repeated.
    SomeOf(fn() -> Vec<&'static str>),
    /// Some of these words, separated by commas.
    Commas(&'static [&'static str]),
}

/// Either form of an id.
const ID: &str = "^([0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[a-z]+_[0-9A-Fa-f]{32})$";

impl Kind {
    /// As a schema.
    pub fn schema(self) -> Value {
        match self {
            Self::Text => json!({"type": "string"}),
            Self::Id => json!({"type": "string", "pattern": ID}),
            Self::Uuid => json!({"type": "string", "format": "uuid"}),
            Self::Form(pattern) => json!({"type": "string", "pattern": pattern}),
            Self::Moment => {
                json!({"type": "string", "examples": ["2026-11-01", "2026-11-21T02:31:58Z"]})
            }
            Self::DateTime => json!({"type": "string", "format": "date-time"}),
            Self::Flag(default) => json!({"type": "boolean", "default": default}),
            Self::Count(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
            Self::From(least, default) => {
                json!({"type": "integer", "minimum": least, "default": default})
            }
            Self::Between(least, most, default) => {
                json!({"type": "integer", "minimum": least, "maximum": most, "default": default})
            }
            Self::Whole(Some(default)) => json!({"type": "integer", "default": default}),
            Self::Whole(None) => json!({"type": "integer"}),
            Self::OneOf(words) => json!({"type": "string", "enum": words}),
            Self::SomeOf(words) => {
                json!({"type": "array", "items": {"type": "string", "enum": words()}})
            }
            Self::Commas(words) => {
                let word = words.join("|");
                json!({"type": "string", "pattern": format!("^({word})(,({word}))*$")})
            }
        }
    }
}

/// Which page of a list.
pub const PAGE: &[Parameter] = &[
    Parameter::new("limit", Kind::Between(1, 1000, 100), "At most so many items."),
    Parameter::new("after", Kind::Text, "The id of the last item of the page before."),
];
