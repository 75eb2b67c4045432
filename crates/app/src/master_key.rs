//! The file with the master key: 64 hexadecimal digits, readable by its owner only.

use louver_domain::entropy::Entropy;
use louver_domain::secret::Secret;
use louver_store::seal::MasterKey;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Reads the master key; a file that others can read is refused.
pub fn read(path: &Path) -> Result<MasterKey, String> {
    let shown = path.display();
    let metadata = fs::metadata(path).map_err(|e| format!("the master key file {shown}: {e}"))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(format!("the master key file {shown} can be read by others: chmod 600 it"));
    }
    let text =
        Secret::new(fs::read_to_string(path).map_err(|e| format!("the master key file {shown}: {e}"))?);
    let bytes = decode(text.expose().trim())
        .ok_or(format!("the master key file {shown} must hold 64 hexadecimal digits"))?;
    MasterKey::new(bytes).map_err(|e| e.to_string())
}

/// Reads the master key, or makes one where there is no file yet.
pub fn read_or_create(path: &Path, entropy: &dyn Entropy) -> Result<MasterKey, String> {
    if !path.exists() {
        create(path, entropy).map_err(|e| format!("the master key file {}: {e}", path.display()))?;
    }
    read(path)
}

fn create(path: &Path, entropy: &dyn Entropy) -> std::io::Result<()> {
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes);
    let bytes = Secret::new(bytes);
    let text: Secret<String> = Secret::new(bytes.expose().iter().map(|b| format!("{b:02x}")).collect());
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.expose().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

fn decode(text: &str) -> Option<Secret<[u8; 32]>> {
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(Secret::new(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;

    #[test]
    fn made_for_the_owner_only_and_refused_when_others_can_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        read_or_create(&path, &SystemEntropy::new()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let before = fs::read(&path).unwrap();
        read_or_create(&path, &SystemEntropy::new()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), before, "never made anew");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(read(&path).err().unwrap().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "zz").unwrap();
        assert!(read(&path).err().unwrap().contains("64 hexadecimal digits"));
        assert!(read(&folder.path().join("none")).is_err());
    }
}
