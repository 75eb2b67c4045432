//! A folder for new secrets: each in a file of its own that only its owner reads, there before the key is rotated.

use crate::cli::failure::Failure;
use louver_domain::time::Timestamp;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// The folder.
pub(super) struct Folder(PathBuf);

/// The place of one secret.
pub(super) struct Place {
    whole: PathBuf,
    part: PathBuf,
}

/// What lies at a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lies {
    /// Nothing.
    Nothing,
    /// A run ended between its request and the answer.
    Begun,
    /// The secret.
    Secret,
}

impl Folder {
    /// The folder, made where it is not there.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::failed(format!("{}: {error}", path.display()));
        if !path.exists() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        }
        if path.is_dir() {
            Ok(Self(path.to_owned()))
        } else {
            Err(Failure::usage(format!("{} is no folder", path.display())))
        }
    }

    /// The place of a key's secret: its name for people, its id for certainty.
    pub(super) fn place(&self, name: &str, id: &str) -> Place {
        let kept = |c: char| if c.is_alphanumeric() || "-_".contains(c) { c } else { '_' };
        let name: String = name.chars().take(100).map(kept).collect();
        let whole = self.0.join(format!("{name}.{id}"));
        Place { part: self.0.join(format!("{name}.{id}.part")), whole }
    }
}

impl Place {
    /// What lies there.
    pub(super) fn lies(&self) -> Lies {
        match (self.whole.exists(), self.part.exists()) {
            (true, _) => Lies::Secret,
            (false, true) => Lies::Begun,
            (false, false) => Lies::Nothing,
        }
    }

    /// When the run that was cut off began with it, by this machine's clock.
    pub(super) fn begun_at(&self) -> Option<Timestamp> {
        let at = fs::metadata(&self.part).and_then(|part| part.modified()).ok()?;
        let since = at.duration_since(UNIX_EPOCH).ok()?;
        Some(Timestamp::from_micros(i64::try_from(since.as_micros()).ok()?))
    }

    /// Where the secret will stand.
    pub(super) fn path(&self) -> &Path {
        &self.whole
    }

    /// Makes room for it, so that a full or forbidden disk is found out before the key is rotated.
    pub(super) fn begin(&self) -> Result<File, Failure> {
        // Never through a link, and never into a file that somebody else made.
        let _ = fs::remove_file(&self.part);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.part);
        let file = file.and_then(|file| file.sync_all().map(|()| file));
        file.map_err(|error| Failure::failed(format!("{}: {error}", self.part.display())))
    }

    /// Writes it to the disk under its name.
    pub(super) fn finish(&self, mut file: File, secret: &str) -> std::io::Result<()> {
        writeln!(file, "{secret}")?;
        file.sync_all()?;
        fs::rename(&self.part, &self.whole)
    }

    /// There will be none.
    pub(super) fn give_up(&self) {
        // What stays says too much rather than too little: the next run looks at the key itself.
        let _ = fs::remove_file(&self.part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn other_place(folder: &Folder) -> Place {
        folder.place("b", "key_2")
    }

    #[test]
    fn a_secret_lies_whole_or_not_at_all_and_only_its_owner_reads_it() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(&root.path().join("new/secrets")).unwrap();
        let place = folder.place("../prod backend", "key_1");
        assert_eq!(place.path().file_name().unwrap(), "___prod_backend.key_1");
        assert_eq!(place.lies(), Lies::Nothing);
        let file = place.begin().unwrap();
        assert_eq!(place.lies(), Lies::Begun);
        assert!(place.begun_at().is_some() && other_place(&folder).begun_at().is_none());
        place.finish(file, "lvr_x").unwrap();
        assert_eq!(place.lies(), Lies::Secret);
        assert_eq!(fs::read_to_string(place.path()).unwrap(), "lvr_x\n");
        assert_eq!(fs::metadata(place.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(
            fs::metadata(root.path().join("new/secrets")).unwrap().permissions().mode() & 0o777,
            0o700
        );
        let other = other_place(&folder);
        drop(other.begin().unwrap());
        other.give_up();
        assert_eq!(other.lies(), Lies::Nothing);
        assert!(Folder::open(place.path()).is_err());
    }
}
