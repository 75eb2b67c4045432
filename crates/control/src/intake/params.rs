//! The query of a list: each parameter once, none unknown.

use crate::Control;
use crate::error::ControlError;
use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Parameters that were not taken yet.
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, String)>);

impl FromRequestParts<Arc<Control>> for Params {
    type Rejection = ControlError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Control>) -> Result<Self, ControlError> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let Query(pairs) = query.map_err(|_| ControlError::parameter("query", "cannot be read"))?;
        Ok(Self(pairs))
    }
}

impl Params {
    /// Takes a parameter out; twice the same is refused.
    pub(crate) fn take(&mut self, name: &str) -> Result<Option<String>, ControlError> {
        let (mut taken, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.0).into_iter().partition(|(n, _)| n == name);
        self.0 = rest;
        let last = taken.pop().map(|(_, value)| value);
        if taken.is_empty() { Ok(last) } else { Err(ControlError::parameter(name, "stands there twice")) }
    }

    /// Takes a parameter out that may stand there any number of times.
    pub(crate) fn take_all(&mut self, name: &str) -> Vec<String> {
        let (taken, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.0).into_iter().partition(|(n, _)| n == name);
        self.0 = rest;
        taken.into_iter().map(|(_, value)| value).collect()
    }

    /// Takes a whole number in plain digits out.
    pub(crate) fn number(
        &mut self,
        name: &str,
        range: RangeInclusive<u32>,
    ) -> Result<Option<u32>, ControlError> {
        let Some(text) = self.take(name)? else { return Ok(None) };
        let number =
            text.parse().ok().filter(|n| text.bytes().all(|b| b.is_ascii_digit()) && range.contains(n));
        let wanted = format!("expected a whole number from {} to {}", range.start(), range.end());
        number.map(Some).ok_or_else(|| ControlError::parameter(name, wanted))
    }

    /// Takes a parameter out and reads it.
    pub(crate) fn parsed<T>(
        &mut self,
        name: &str,
        wanted: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ControlError> {
        let Some(text) = self.take(name)? else { return Ok(None) };
        parse(&text).map(Some).ok_or_else(|| ControlError::parameter(name, format!("expected {wanted}")))
    }

    /// Refuses what nobody took.
    pub(crate) fn done(self) -> Result<(), ControlError> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => {
                let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
                Err(ControlError::parameter(&name, "is not a known parameter"))
            }
        }
    }
}
