//! Documents that are put into a library: each is the workspace's own from before it is made, and paid for before it is read.

use super::{Enclosed, read, still};
use crate::admit::admit_free;
use crate::authn::Caller;
use crate::credentials;
use crate::documents::{Known, Reading, may_be_read};
use crate::objects::{self, Making};
use crate::pipeline::{Gateway, Visitor};
use crate::references;
use crate::reply::{Body, Failure};
use crate::upstream::Pool;
use http::Response;
use http::request::Parts;
use hyper::body::Incoming;
use louver_domain::endpoints::EndpointKind;
use louver_domain::objects::ObjectKind;
use louver_domain::usage::Units;
use louver_mistral::audio;
use louver_mistral::endpoints::Asked;
use louver_mistral::forms::{DOCUMENT_UPLOAD, document};
use std::sync::Arc;

/// Takes a document in, and puts it into a library of the workspace.
pub(super) async fn answer(
    gateway: &Arc<Gateway>,
    pool: &Pool,
    visitor: Visitor,
    caller: Caller,
    asked: &Asked<'_>,
    head: Parts,
    body: Incoming,
) -> Result<Response<Body>, Failure> {
    let allowance = admit_free(gateway, &visitor, &caller, EndpointKind::Libraries)?;
    let library = references::find(gateway, &caller.key, ObjectKind::Library, "", asked.id()).await?;
    may_be_read(&caller, &Units::default(), visitor.now)?;
    let filled = read(gateway, &DOCUMENT_UPLOAD, &head.headers, body).await?;
    let caller = still(gateway, &visitor, &caller, EndpointKind::Libraries)?;
    document(&filled.fields, filled.file.is_some()).map_err(Failure::Request)?;
    let Some(file) = &filled.file else { return Err(Failure::NoSuchObject) };
    let seconds = seconds(gateway, file).await?;
    let known = Known {
        sha256: file.spool.sha256().to_owned(),
        bytes: file.spool.length(),
        audio_seconds: seconds,
        ..Known::default()
    };
    let credential =
        || credentials::exactly(&caller.key.credentials, library.credential_id).ok_or(Failure::NoCredential);
    let making = Making {
        gateway: Arc::clone(gateway),
        pool: pool.clone(),
        key: Arc::clone(&caller.key),
        credential: credential()?,
        kind: ObjectKind::Document,
        parent: asked.id().to_owned(),
        target: asked.path(),
        payload: filled.written(None, gateway.entropy()),
    };
    let mut reading = Reading::reserve(gateway, &visitor, &caller, &known, credential()?).await?;
    let due = reading.due(None);
    // Whether the client waits or not, what upstream says settles it.
    let task = pool.left().clone().spawn(async move {
        reading.begin();
        let describe = move |shown: &serde_json::Value| {
            Known { shown: shown.clone(), due: vec![due], ..known }.written()
        };
        let said = making.run(describe).await;
        reading.uploaded(&said);
        said
    });
    let said = task.await.unwrap_or(Err(Failure::UpstreamBroken))?;
    Ok(objects::reply(said.status, &said.value, allowance))
}

/// Types of files with sound, by the ends of their names.
const SOUND: [&str; 16] = [
    "aac", "aiff", "amr", "avi", "flac", "m4a", "mkv", "mov", "mp3", "mp4", "mpeg", "oga", "ogg", "opus",
    "wav", "webm",
];

/// Seconds of sound at most in a document that may have some.
async fn seconds(gateway: &Gateway, file: &Enclosed) -> Result<u64, Failure> {
    let most = gateway.settings().bounds.audio_seconds;
    let start = file.spool.start(audio::HEAD_BYTES).await.map_err(|error| {
        tracing::error!(%error, "a file that was set aside cannot be read");
        Failure::NoRoom
    })?;
    let declared = file.head.content_type.as_ref().map_or("", |kind| kind.as_str());
    if !may_sound(&file.head.filename, declared, &start) {
        return Ok(0);
    }
    Ok(audio::wav_seconds(&start, file.spool.length()).unwrap_or(most))
}

/// Whether a file may have sound: by its name, by its declared type, or by its first bytes.
fn may_sound(name: &str, declared: &str, start: &[u8]) -> bool {
    let end = name.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase()).unwrap_or_default();
    let declared = declared.to_ascii_lowercase();
    let begins = |at: usize, tag: &[u8]| start.get(at..).is_some_and(|rest| rest.starts_with(tag));
    SOUND.contains(&end.as_str())
        || ["audio/", "video/"].iter().any(|kind| declared.starts_with(kind))
        || [b"ID3".as_slice(), b"OggS", b"fLaC", b"#!AMR", b"\x1A\x45\xDF\xA3", b"FORM"].iter().any(|tag| begins(0, tag))
        || begins(0, b"RIFF")
        || begins(4, b"ftyp")
        // A frame of MPEG audio: eleven bits are set, and the layer is not the reserved one.
        || matches!(start, [0xFF, second, ..] if second & 0xE0 == 0xE0 && second & 0x06 != 0 && *second != 0xFE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_sound_is_known_by_name_type_or_bytes() {
        for (name, declared, start) in [
            ("a.MP3", "", b"".as_slice()),
            ("a.pdf", "Audio/mpeg", b""),
            ("a.pdf", "application/pdf", b"RIFF\0\0\0\0WAVE"),
            ("a", "", b"\0\0\0\x20ftypisom"),
            ("a", "", b"\xFF\xFB\x90\x64"),
            ("a", "", b"OggS"),
        ] {
            assert!(may_sound(name, declared, start), "{name} {declared}");
        }
        for (name, start) in [
            ("a.pdf", b"%PDF-1.4".as_slice()),
            ("mp3", b"text"),
            ("a.jpg", b"\xFF\xD8\xFF\xE0"),
            ("a.txt", b"\xFF\xFEt\0"),
            ("a", b""),
        ] {
            assert!(!may_sound(name, "application/octet-stream", start), "{name}");
        }
    }
}
