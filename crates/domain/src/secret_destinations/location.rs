//! Where in a destination a secret lies: a template with `{workspace}`, `{key}` and `{id}`, filled without room for tricks.
//!
//! Names are taken as they are or not at all: were a blank made a hyphen, then who may rename a workspace could make its
//! location another one's.

use serde::{Deserialize, Serialize};

const LONGEST: usize = 512;

/// Whose secret it is.
#[derive(Clone, Copy, Debug)]
pub struct Whose<'a> {
    /// The prefixed id of the key.
    pub key: &'a str,
    /// The key's name.
    pub name: &'a str,
    /// The name of its workspace.
    pub workspace: &'a str,
}

/// A location with gaps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Workspace,
    Key,
    Id,
}

/// Why a location cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// The workspace's name has characters that a location does not take.
    Workspace,
    /// So has the key's.
    Key,
    /// The whole is not what the destination takes.
    Whole(&'static str),
}

impl Unfit {
    /// For people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Workspace => {
                "the workspace's name has characters that a location cannot hold: leave {workspace} out of the location"
            }
            Self::Key => {
                "the key's name has characters that a location cannot hold: use {id} in the location instead of {key}"
            }
            Self::Whole(sentence) => sentence,
        }
    }
}

/// What a destination takes as a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    /// Parts with slashes between.
    Path,
    /// The same, from the root of a file system on.
    Absolute,
    /// A name as Kubernetes has it.
    Dns,
    /// Letters, digits, hyphens and underscores.
    Word,
    /// Letters, digits and hyphens.
    Hyphenated,
}

impl Alphabet {
    /// Whether a whole location is one.
    pub fn check(self, text: &str) -> Result<(), &'static str> {
        let all = |fits: fn(u8) -> bool| !text.is_empty() && text.bytes().all(fits);
        match self {
            Self::Path if is_path(text) => Ok(()),
            Self::Path => Err("must be a path such as louver/{workspace}/{id}, without . or .. as a part"),
            Self::Absolute if text.strip_prefix('/').is_some_and(is_path) => Ok(()),
            Self::Absolute => Err("must be a path such as /var/lib/keys/{id}, without . or .. as a part"),
            Self::Dns if text.len() <= 253 && text.split('.').all(is_label) => Ok(()),
            Self::Dns => Err("must be small letters, digits, hyphens and dots, such as louver-{id}"),
            Self::Word if text.len() <= 255 && all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)) => {
                Ok(())
            }
            Self::Word => Err("must be at most 255 letters, digits, hyphens and underscores"),
            Self::Hyphenated if text.len() <= 127 && all(|b| b.is_ascii_alphanumeric() || b == b'-') => {
                Ok(())
            }
            Self::Hyphenated => Err("must be at most 127 letters, digits and hyphens"),
        }
    }

    /// Whether the id of a key is written with a hyphen, as an underscore is not taken.
    const fn hyphenates(self) -> bool {
        match self {
            Self::Dns | Self::Hyphenated => true,
            Self::Path | Self::Absolute | Self::Word => false,
        }
    }
}

fn is_path(text: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@+=".contains(&byte);
    let part = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(usual);
    text.len() <= LONGEST && text.split('/').all(part)
}

fn is_label(text: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(usual) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_plain_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

impl Template {
    /// Reads a template; what stands between braces must be known.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > LONGEST {
            return Err("must have at most 512 characters");
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) = after.split_once('}').ok_or("has a { without its }")?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(match name {
                "workspace" => Part::Workspace,
                "key" => Part::Key,
                "id" => Part::Id,
                _ => return Err("knows {workspace}, {key} and {id} only"),
            });
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// The location of a secret, in what the destination takes.
    pub fn fill(&self, whose: &Whose<'_>, alphabet: Alphabet) -> Result<String, Unfit> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Workspace if is_plain_name(whose.workspace) => text.push_str(whose.workspace),
                Part::Workspace => return Err(Unfit::Workspace),
                Part::Key if is_plain_name(whose.name) => text.push_str(whose.name),
                Part::Key => return Err(Unfit::Key),
                Part::Id if alphabet.hyphenates() => text.push_str(&whose.key.replace('_', "-")),
                Part::Id => text.push_str(whose.key),
            }
        }
        alphabet.check(&text).map_err(Unfit::Whole)?;
        Ok(text)
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        let words = template.0.into_iter().map(|part| match part {
            Part::Text(text) => text,
            Part::Workspace => "{workspace}".to_owned(),
            Part::Key => "{key}".to_owned(),
            Part::Id => "{id}".to_owned(),
        });
        words.collect()
    }
}

impl TryFrom<String> for Template {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}
