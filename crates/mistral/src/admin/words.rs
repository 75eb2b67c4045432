//! Sets of words as enums, read from strings only: serde alone would also take `{"word": null}`.

use serde::de::{Error, Visitor};
use std::fmt;

/// Reads a string and looks it up.
pub(crate) struct Word<T> {
    pub(crate) of: fn(&str) -> Option<T>,
    pub(crate) words: &'static [&'static str],
}

impl<T> Visitor<'_> for Word<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<T, E> {
        (self.of)(word).ok_or_else(|| E::unknown_variant(word, self.words))
    }
}

/// An enum of words with its text, its reader, its writer and its schema.
macro_rules! words {
    (
        $(#[doc = $about:literal])+
        $name:ident { $($(#[doc = $doc:literal])+ $variant:ident = $word:literal,)+ }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl $name {
            /// Each of them, in the document's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
            /// Each as it stands on the wire.
            pub const WORDS: &'static [&'static str] = &[$($word,)+];

            /// As it stands on the wire.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// The one that is written so.
            pub fn of(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.word())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = $crate::admin::words::Word { of: Self::of, words: Self::WORDS };
                deserializer.deserialize_str(word)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn schema_id() -> std::borrow::Cow<'static, str> {
                concat!(module_path!(), "::", stringify!($name)).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let about = concat!($($about),+).trim();
                schemars::json_schema!({ "type": "string", "enum": Self::WORDS, "description": about })
            }
        }
    };
}
pub(crate) use words;
