//! What destinations of secrets may do on this node: whom they may ask, where they may write, what they may run.

use super::{AllowedTargets, File};
use louver_control::destinations::Bounds;
use louver_domain::secret_destinations::location::Alphabet;
use std::path::Path;

/// Reads the three settings. None of them comes from the environment or the API: whoever could set them could have secrets
/// sent and commands run.
pub(super) fn check(file: &File, errors: &mut Vec<String>) -> Bounds {
    let (folders, commands) = (file.destination_folders.clone(), file.destination_commands.clone());
    let allowed = AllowedTargets::parse(&file.destination_allowed_targets).unwrap_or_else(|error| {
        errors.push(format!("destination_allowed_targets: {error}"));
        AllowedTargets::default()
    });
    for folder in folders.iter().filter(|folder| !is_plain(folder)) {
        errors.push(format!(
            "destination_folders: {} must be the absolute path of a folder, without . or ..",
            folder.display()
        ));
    }
    for (name, words) in &commands {
        if Alphabet::Word.check(name).is_err() {
            errors.push(format!("destination_commands: {name:?} must be letters, digits, - and _"));
        }
        if !words.first().is_some_and(|program| Path::new(program).is_absolute()) {
            errors.push(format!(
                "destination_commands.{name} must be a list that begins with an absolute path"
            ));
        }
    }
    Bounds { allowed, folders, commands }
}

/// An absolute path of a location's characters, below the root.
fn is_plain(folder: &Path) -> bool {
    folder.to_str().is_some_and(|text| Alphabet::Absolute.check(text.trim_end_matches('/')).is_ok())
}

#[cfg(test)]
mod tests {
    use super::super::{Environment, load};

    #[test]
    fn what_destinations_may_do_is_said_in_full_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("louver.toml");
        let with = |text: &str| {
            let text = format!("database_url = 'sqlite:a'\nmaster_key_file = 'm'\n{text}");
            std::fs::write(&path, text).unwrap();
            load(Some(&path), &Environment::new())
        };
        let none = with("").unwrap().destinations;
        assert!(none.folders.is_empty() && none.commands.is_empty());
        let all = "destination_allowed_targets = ['vault.internal:8200', '10.1.0.0/16']\n\
                   destination_folders = ['/var/lib/keys/', '/run/keys']\n\
                   [destination_commands]\nput-key = ['/usr/bin/put', '--quiet']";
        let bounds = with(all).unwrap().destinations;
        assert_eq!(bounds.folders.len(), 2);
        assert_eq!(bounds.commands["put-key"], ["/usr/bin/put", "--quiet"]);
        for (bad, why) in [
            ("destination_allowed_targets = ['vault']", "destination_allowed_targets"),
            ("destination_folders = ['keys']", "destination_folders"),
            ("destination_folders = ['/']", "destination_folders"),
            ("destination_folders = ['/a/../b']", "destination_folders"),
            ("[destination_commands]\nput = []", "destination_commands.put"),
            ("[destination_commands]\nput = ['put']", "destination_commands.put"),
            ("[destination_commands]\n'p t' = ['/put']", "destination_commands"),
            ("[destination_commands]\nput = '/put'", "expected a sequence"),
        ] {
            let errors = with(bad).unwrap_err();
            assert!(errors.iter().any(|error| error.contains(why)), "{bad}: {errors:?}");
        }
    }
}
