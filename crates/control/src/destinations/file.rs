//! A file that only its owner reads, in a folder that the settings of the node allow; replaced whole or not at all.

use super::trouble::DestinationError;
use super::{Delivered, Parcel};
use louver_domain::secret::Secret;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// More is no key.
const LARGEST: u64 = 64 * 1024;

const OUTSIDE: DestinationError = DestinationError::NotAllowed(
    "the path is in no folder that the settings of this node allow (destination_folders)",
);

/// Whether a path lies in one of the folders, as far as its text tells.
fn allowed<'f>(folders: &'f [PathBuf], path: &Path) -> Result<&'f Path, DestinationError> {
    let within = |folder: &&PathBuf| path.starts_with(folder) && path != folder.as_path();
    folders.iter().find(within).map(PathBuf::as_path).ok_or(OUTSIDE)
}

/// The folder that a path lies in, without links, which is in the one that is allowed.
fn place(folder: &Path, path: &Path) -> Result<PathBuf, DestinationError> {
    let failed = |error: io::Error| DestinationError::File("the folder cannot be found", error.kind());
    let parent = path.parent().ok_or(OUTSIDE)?;
    let (root, place) = (folder.canonicalize().map_err(failed)?, parent.canonicalize().map_err(failed)?);
    if place.starts_with(&root) { Ok(place) } else { Err(OUTSIDE) }
}

async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DestinationError> + Send + 'static,
) -> Result<T, DestinationError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(DestinationError::TooLong))
}

pub(super) async fn write(
    folders: &[PathBuf],
    location: &str,
    parcel: &Parcel<'_>,
) -> Result<Delivered, DestinationError> {
    let path = PathBuf::from(location);
    let folder = allowed(folders, &path)?.to_owned();
    let secret = parcel.secret.clone();
    let temporary = format!(".louver-{}", parcel.mark(secret.expose().as_bytes()));
    aside(move || put(&folder, &path, &temporary, &secret)).await?;
    Ok(Delivered { version: None })
}

fn put(folder: &Path, path: &Path, temporary: &str, secret: &Secret<String>) -> Result<(), DestinationError> {
    make_folders(folder, path)?;
    let place = place(folder, path)?;
    let name = path.file_name().ok_or(OUTSIDE)?;
    let (temporary, target) = (place.join(temporary), place.join(name));
    let written = fill(&temporary, secret).and_then(|()| fs::rename(&temporary, &target));
    if let Err(error) = written {
        // What is half written is of no use to anybody.
        let _removed = fs::remove_file(&temporary);
        return Err(DestinationError::File("the file cannot be written", error.kind()));
    }
    let synced = File::open(&place).and_then(|folder| folder.sync_all());
    synced.map_err(|error| DestinationError::File("the folder cannot be synced", error.kind()))
}

/// Makes what is missing of folders below the one that is allowed. One made on the way through a link that leads outside
/// stays empty: nothing is written there.
fn make_folders(folder: &Path, path: &Path) -> Result<(), DestinationError> {
    let failed = |error: io::Error| DestinationError::File("the folder cannot be made", error.kind());
    let below = path.parent().and_then(|parent| parent.strip_prefix(folder).ok()).ok_or(OUTSIDE)?;
    let root = folder.canonicalize().map_err(failed)?;
    let mut at = root.clone();
    for part in below {
        at.push(part);
        if let Err(error) = DirBuilder::new().mode(0o700).create(&at)
            && error.kind() != ErrorKind::AlreadyExists
        {
            return Err(failed(error));
        }
        at = at.canonicalize().map_err(failed)?;
        if !at.starts_with(&root) {
            return Err(OUTSIDE);
        }
    }
    Ok(())
}

fn fill(path: &Path, secret: &Secret<String>) -> io::Result<()> {
    // Left behind by a process that died in the middle of the same write.
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(secret.expose().as_bytes())?;
    file.sync_all()
}

pub(super) async fn read(
    folders: &[PathBuf],
    location: &str,
) -> Result<Option<Secret<String>>, DestinationError> {
    let path = PathBuf::from(location);
    let folder = allowed(folders, &path)?.to_owned();
    aside(move || get(&folder, &path)).await
}

fn get(folder: &Path, path: &Path) -> Result<Option<Secret<String>>, DestinationError> {
    let place = match place(folder, path) {
        Err(DestinationError::File(_, ErrorKind::NotFound)) => return Ok(None),
        place => place?,
    };
    let target = place.join(path.file_name().ok_or(OUTSIDE)?);
    // A link could lead anywhere; what is written here is never one.
    match fs::symlink_metadata(&target) {
        Ok(found) if !found.is_file() => return Err(OUTSIDE),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DestinationError::File("the file cannot be read", error.kind())),
    }
    let mut text = String::new();
    let read = File::open(&target).and_then(|file| file.take(LARGEST).read_to_string(&mut text));
    read.map_err(|error| DestinationError::File("the file cannot be read", error.kind()))?;
    Ok(Some(Secret::new(text)))
}

pub(super) async fn remove(folders: &[PathBuf], location: &str) -> Result<(), DestinationError> {
    let path = PathBuf::from(location);
    let folder = allowed(folders, &path)?.to_owned();
    aside(move || {
        let target = place(&folder, &path)?.join(path.file_name().ok_or(OUTSIDE)?);
        fs::remove_file(target)
            .map_err(|error| DestinationError::File("the file cannot be removed", error.kind()))
    })
    .await
}

#[cfg(test)]
mod tests;
