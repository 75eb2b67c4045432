//! What a form sent: fields by name, each once or as a list, read once and as text.

use axum::extract::{FromRequestParts, Request};
use http::request::Parts;
use louver_control::error::ControlError;
use louver_domain::money::Money;
use louver_domain::secret::Secret;
use std::convert::Infallible;
use std::sync::Arc;

/// The largest form.
const MOST_BYTES: usize = 1024 * 1024;

/// The most fields in one.
const MOST_FIELDS: usize = 5_000;

/// The same for those who are not signed in.
const MOST_BYTES_OF_STRANGERS: usize = 8 * 1024;
const MOST_FIELDS_OF_STRANGERS: usize = 32;

/// Fields that the door reads and no page sees.
pub(crate) const CONFIRM_PASSWORD: &str = "confirm_password";
pub(crate) const CONFIRM_CODE: &str = "confirm_code";

/// The field that names a form, so that what it asks for is done once however often it is sent.
pub(crate) const ONCE: &str = "once";
/// How the names of fields begin that hold a secret: no page ever shows them again.
pub(crate) const SECRET: &str = "secret_";

/// The fields of a form, in their order. It may hold passwords, and cannot be printed.
#[derive(Clone, Default)]
pub(crate) struct Fields(Arc<Vec<(String, String)>>);

impl Fields {
    /// Reads the body of a request that a form sent.
    pub(crate) async fn read(request: Request) -> Result<(Parts, Self), ControlError> {
        Self::read_at_most(request, MOST_BYTES, MOST_FIELDS).await
    }

    /// The same of somebody who is not signed in: what costs memory is refused before it does.
    pub(crate) async fn read_of_stranger(request: Request) -> Result<(Parts, Self), ControlError> {
        Self::read_at_most(request, MOST_BYTES_OF_STRANGERS, MOST_FIELDS_OF_STRANGERS).await
    }

    async fn read_at_most(
        request: Request,
        most_bytes: usize,
        most_fields: usize,
    ) -> Result<(Parts, Self), ControlError> {
        let (parts, body) = request.into_parts();
        let bytes = axum::body::to_bytes(body, most_bytes).await.map_err(|_| ControlError::TooLarge)?;
        if form_urlencoded::parse(&bytes).take(most_fields.saturating_add(1)).count() > most_fields {
            return Err(ControlError::TooLarge);
        }
        let pairs = form_urlencoded::parse(&bytes).into_owned().collect();
        Ok((parts, Self(Arc::new(pairs))))
    }

    /// A form as it is before anybody fills it in.
    pub(crate) fn of(pairs: Vec<(String, String)>) -> Self {
        Self(Arc::new(pairs))
    }

    /// The text of a field without the space around it; empty where it was not sent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// The text of a field as it was sent.
    pub(crate) fn raw(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Whether the field was sent at all.
    pub(crate) fn is_sent(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// The text, or nothing where it is empty.
    pub(crate) fn given(&self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// A secret, as it was typed.
    pub(crate) fn secret(&self, name: &str) -> Secret<String> {
        Secret::new(self.raw(name).to_owned())
    }

    /// All values of a field that may be there more than once.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let values = self.0.iter().filter(|(key, value)| key == name && !value.trim().is_empty());
        values.map(|(_, value)| value.trim().to_owned()).collect()
    }

    /// Whether a box was ticked.
    pub(crate) fn ticked(&self, name: &str) -> bool {
        !self.text(name).is_empty()
    }

    /// A whole number, or nothing where it is empty. Spaces and commas may part its thousands.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, ControlError> {
        let Some(text) = self.given(name) else { return Ok(None) };
        let digits: String =
            text.chars().filter(|c| !matches!(c, ',' | ' ' | '\u{a0}' | '\u{202f}')).collect();
        let wrong = |_| ControlError::field(name, "must be a whole number");
        digits.parse().map(Some).map_err(wrong)
    }

    /// Dollars, or nothing where it is empty.
    pub(crate) fn dollars(&self, name: &str) -> Result<Option<Money>, ControlError> {
        let Some(text) = self.given(name) else { return Ok(None) };
        let plain = text.trim_start_matches('$').replace([',', ' '], "");
        let wrong = || ControlError::field(name, "must be an amount in dollars, such as 500 or 19.50");
        Money::parse_usd(&plain).map(Some).ok_or_else(wrong)
    }

    /// An id, or nothing where it is empty.
    pub(crate) fn id<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ControlError> {
        let Some(text) = self.given(name) else { return Ok(None) };
        let wrong = || ControlError::field(name, "names nothing that is there");
        parse(&text).map(Some).ok_or_else(wrong)
    }

    /// The fields that the page sent, without those that the door reads, and without secrets: those are typed again where a
    /// page comes in between.
    pub(crate) fn of_page(&self) -> impl Iterator<Item = &(String, String)> {
        let of_door = |name: &str| name == CONFIRM_PASSWORD || name == CONFIRM_CODE;
        self.0.iter().filter(move |(name, _)| !of_door(name) && !name.starts_with(SECRET))
    }
}

impl<S: Sync> FromRequestParts<S> for Fields {
    type Rejection = Infallible;

    /// What the door has read; nothing where no form was sent.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// The query of an address, by the same means as a form.
#[derive(Clone, Default)]
pub(crate) struct Asked(Fields);

impl std::ops::Deref for Asked {
    type Target = Fields;

    fn deref(&self) -> &Fields {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(Fields(Arc::new(form_urlencoded::parse(query.as_bytes()).into_owned().collect()))))
    }
}

/// An address with a query of these pairs; those without a value are left out.
pub(crate) fn address(path: &str, pairs: &[(&str, &str)]) -> String {
    let given: Vec<_> = pairs.iter().filter(|(_, value)| !value.is_empty()).collect();
    if given.is_empty() {
        return path.to_owned();
    }
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish();
    format!("{path}?{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        Fields(Arc::new(form_urlencoded::parse(text.as_bytes()).into_owned().collect()))
    }

    #[test]
    fn fields_are_read_as_people_write_them() {
        let form = fields("name=+a+b+&models=x&models=y&models=&on=on&n=12%20000&usd=%241%2C250.50&bad=1x");
        assert_eq!(form.text("name"), "a b");
        assert_eq!(form.list("models"), ["x", "y"]);
        assert!(form.ticked("on") && !form.ticked("off"));
        assert_eq!(form.number("n").unwrap(), Some(12_000));
        assert_eq!(form.dollars("usd").unwrap(), Money::parse_usd("1250.5"));
        assert!(form.number("bad").is_err() && form.dollars("bad").is_err());
        assert_eq!(form.number("none").unwrap(), None);
    }

    #[test]
    fn secrets_are_carried_by_no_page() {
        let form = fields("name=a&secret_key=b&confirm_password=c&confirm_code=d");
        let carried: Vec<&str> = form.of_page().map(|(name, _)| name.as_str()).collect();
        assert_eq!(carried, ["name"]);
    }

    #[test]
    fn addresses_escape_what_stands_in_them() {
        assert_eq!(address("/a", &[("q", "b&c=d"), ("e", "")]), "/a?q=b%26c%3Dd");
        assert_eq!(address("/a", &[("e", "")]), "/a");
    }
}
