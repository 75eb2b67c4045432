//! From bytes to types: the strict check first, then the shape, with errors that name the field.

mod fault;
pub(crate) mod params;
pub(crate) mod values;

use crate::Control;
use crate::error::ControlError;
use axum::body::Bytes;
use axum::body::HttpBody as _;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use std::sync::Arc;

pub(crate) use louver_mistral::admin::values::Object;

const LARGEST_BODY: usize = 1024 * 1024;

/// A body in JSON, whatever its `Content-Type` says.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<Control>> for Body<T> {
    type Rejection = ControlError;

    async fn from_request(request: Request, _: &Arc<Control>) -> Result<Self, ControlError> {
        read(&collect(request).await?).map(Self)
    }
}

/// The same, where no body at all is an empty object.
pub(crate) struct BodyIfAny<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<Control>> for BodyIfAny<T> {
    type Rejection = ControlError;

    async fn from_request(request: Request, _: &Arc<Control>) -> Result<Self, ControlError> {
        let bytes = collect(request).await?;
        let text: &[u8] = if bytes.iter().all(u8::is_ascii_whitespace) { b"{}" } else { &bytes };
        read(text).map(Self)
    }
}

/// All of a body that is not too large.
pub(crate) async fn collect(request: Request) -> Result<Bytes, ControlError> {
    let body = request.into_body();
    if body.size_hint().lower() > u64::try_from(LARGEST_BODY).unwrap_or(u64::MAX) {
        return Err(ControlError::TooLarge);
    }
    let collected = Limited::new(body, LARGEST_BODY).collect().await;
    let collected = collected.map_err(|error| match error.is::<LengthLimitError>() {
        true => ControlError::TooLarge,
        false => ControlError::BrokenBody,
    })?;
    Ok(collected.to_bytes())
}

/// Reads one JSON document of a known shape.
fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ControlError> {
    louver_mistral::json::check(bytes).map_err(ControlError::Json)?;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| ControlError::Invalid(fault::of(&error)))
}

/// Reads a struct out of a member of a body that was read already.
pub(crate) fn shaped<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, ControlError> {
    let Object(read) =
        serde_path_to_error::deserialize(value).map_err(|error| ControlError::Invalid(fault::of(&error)))?;
    Ok(read)
}

/// The parts of the path; what cannot be read of them is not there.
pub(crate) struct Named<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Control>> for Named<T> {
    type Rejection = ControlError;

    async fn from_request_parts(parts: &mut Parts, control: &Arc<Control>) -> Result<Self, ControlError> {
        let path = Path::<T>::from_request_parts(parts, control).await;
        path.map(|Path(named)| Self(named)).map_err(|_| ControlError::NotFound)
    }
}
