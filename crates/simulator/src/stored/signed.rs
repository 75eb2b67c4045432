//! Signed URLs: they give out bytes without a credential until they expire.

use std::sync::Arc;

use http::StatusCode;

use super::{Ask, Stored, absent, files, libraries, nowhere, refused};
use crate::{prose::hash, reply::Reply};

/// A URL of this simulator for a thing of this kind, good for so many seconds.
pub(crate) fn url(ask: &Ask<'_>, kind: &str, id: &str, seconds: i64) -> String {
    let expires = ask.now.saturating_add(seconds);
    let signature = signature(ask.seed, kind, id, expires);
    format!("http://{}/signed/{kind}/{id}?expires={expires}&signature={signature}", ask.host)
}

fn signature(seed: u64, kind: &str, id: &str, expires: i64) -> String {
    let text = format!("{kind}/{id}/{expires}");
    format!("{:016x}{:016x}", hash(seed ^ 8, text.as_bytes()), hash(seed ^ 9, text.as_bytes()))
}

pub(crate) fn answer(stored: &Stored, ask: &Ask<'_>) -> Result<Reply, Reply> {
    let ("GET", [kind, id]) = (ask.method, ask.path.as_slice()) else { return nowhere() };
    let expires = ask.query.number("expires").unwrap_or(0);
    let right = ask.query.get("signature") == Some(&signature(ask.seed, kind, id, expires));
    if !right || ask.now >= expires {
        return Err(refused(StatusCode::FORBIDDEN, "The signature is wrong or has expired."));
    }
    let worlds = stored.worlds();
    let spool = worlds.values().find_map(|world| match *kind {
        "files" => files::file(world, id, ask.now)
            .ok()
            .map(|file| (Arc::clone(&file.spool), "application/octet-stream")),
        "documents" => libraries::document(world, id).map(|document| (document.bytes(), document.kind())),
        "texts" => {
            libraries::document(world, id).map(|document| (document.text(), "text/plain; charset=utf-8"))
        }
        _ => None,
    });
    spool.map(|(spool, kind)| Reply::spooled(spool, kind)).ok_or_else(|| absent("File"))
}
