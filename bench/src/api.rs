//! Calls a JSON API over a connection of its own, for set-up and bookkeeping.

use std::net::SocketAddr;

use serde_json::Value;

use crate::Fault;
use crate::client::Client;
use crate::prompts::request;

/// Sends one call; an error where the status is not of the two hundreds or the answer is not JSON.
pub async fn call(
    method: &str,
    address: SocketAddr,
    path: &str,
    headers: &str,
    body: Option<&Value>,
) -> Result<Value, Fault> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let bytes = request(method, address, path, headers, &body);
    let (answer, text) = Client::new(address).fetch(&bytes).await?;
    if !(200..300).contains(&answer.status) {
        let text = String::from_utf8_lossy(&text);
        return Err(format!("{method} {path} was answered {}: {text:.300}", answer.status).into());
    }
    if text.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&text).map_err(|fault| format!("{method} {path} gave no JSON: {fault}").into())
}
