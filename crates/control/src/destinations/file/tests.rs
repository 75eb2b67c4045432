//! Files: whole, private, inside; links, other folders and strangers' files are left alone.

use super::super::Parcel;
use super::*;
use louver_domain::time::Timestamp;
use std::os::unix::fs::{PermissionsExt, symlink};

struct Place {
    dir: tempfile::TempDir,
    folders: Vec<PathBuf>,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("keys");
        fs::create_dir(&folder).unwrap();
        Self { folders: vec![folder], dir }
    }

    fn at(&self, path: &str) -> String {
        self.folders[0].join(path).to_str().unwrap().to_owned()
    }

    async fn put(&self, location: &str, secret: &str) -> Result<(), DestinationError> {
        let secret = Secret::new(secret.to_owned());
        let at = Timestamp::from_micros(0);
        let parcel = Parcel {
            key: "key_1",
            name: "k",
            workspace: "w",
            rotation: "r",
            secret: &secret,
            created_at: at,
        };
        write(&self.folders, location, &parcel).await.map(drop)
    }

    async fn get(&self, location: &str) -> Result<Option<String>, DestinationError> {
        read(&self.folders, location).await.map(|secret| secret.map(|secret| secret.expose().clone()))
    }
}

#[tokio::test]
async fn a_file_is_replaced_whole_and_is_its_owners_alone() {
    let place = Place::new();
    let path = place.at("team/prod/api_key");
    assert_eq!(place.get(&path).await, Ok(None));
    place.put(&path, "one").await.unwrap();
    assert_eq!(place.get(&path).await, Ok(Some("one".into())));
    let mut old = File::open(&path).unwrap();
    place.put(&path, "another").await.unwrap();
    place.put(&path, "another").await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "another");
    // Who had it open reads on what was there: nothing was written over.
    let mut text = String::new();
    old.read_to_string(&mut text).unwrap();
    assert_eq!(text, "one");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(Path::new(&path)), mode(Path::new(&path).parent().unwrap())), (0o600, 0o700));
    let beside: Vec<_> = fs::read_dir(Path::new(&path).parent().unwrap()).unwrap().collect();
    assert_eq!(beside.len(), 1, "nothing is left lying about: {beside:?}");
    remove(&place.folders, &path).await.unwrap();
    assert_eq!(place.get(&path).await, Ok(None));
}

#[tokio::test]
async fn nothing_is_written_or_read_outside() {
    let place = Place::new();
    let outside = place.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("theirs"), "theirs").unwrap();
    symlink(&outside, place.at("link")).unwrap();
    symlink(outside.join("theirs"), place.at("file")).unwrap();
    let beside = place.dir.path().join("keys-of-others/x").to_str().unwrap().to_owned();
    for path in [place.at("link/new"), place.at("link/deep/new"), beside, "/etc/passwd".into(), place.at("")]
    {
        assert_eq!(place.put(&path, "x").await, Err(OUTSIDE), "{path}");
    }
    for path in [place.at("link/theirs"), place.at("file")] {
        assert_eq!(place.get(&path).await, Err(OUTSIDE), "{path}");
    }
    // A link in the place of the file is replaced, not followed.
    place.put(&place.at("file"), "ours").await.unwrap();
    assert_eq!(fs::read_to_string(outside.join("theirs")).unwrap(), "theirs");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[tokio::test]
async fn what_a_dead_process_left_does_not_stand_in_the_way() {
    let place = Place::new();
    let secret = Secret::new("one".to_owned());
    let at = Timestamp::from_micros(0);
    let parcel =
        Parcel { key: "key_1", name: "k", workspace: "w", rotation: "r", secret: &secret, created_at: at };
    let left = place.at(&format!(".louver-{}", parcel.mark(b"one")));
    fs::write(&left, "o").unwrap();
    place.put(&place.at("api_key"), "one").await.unwrap();
    assert!(!Path::new(&left).exists());
    let taken = place.at("folder/in/the/way");
    fs::create_dir_all(&taken).unwrap();
    let refused = place.put(&place.at("folder/in"), "x").await.unwrap_err();
    assert!(refused.is_retryable() && refused.sentence().starts_with("the file cannot be written"));
    assert_eq!(fs::read_dir(place.at("folder")).unwrap().count(), 1, "what was half written is gone");
}
