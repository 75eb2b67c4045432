//! What commands read besides their arguments: names from stdin, bodies and secrets from stdin or a file.

use super::failure::Failure;
use louver_domain::secret::Secret;
use serde_json::{Map, Value};
use std::io::{IsTerminal, Read, stdin};

/// What stands for stdin in the place of a file.
pub(super) const STDIN: &str = "-";

fn read(path: &str) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::failed(format!("{path}: {error}"));
    if path != STDIN {
        return std::fs::read_to_string(path).map_err(failed);
    }
    if stdin().is_terminal() {
        eprintln!("Reading from the terminal; Ctrl-D ends it.");
    }
    let mut text = String::new();
    stdin().read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// The arguments, with one name for each line of stdin in the place of `-`.
pub(super) fn names(arguments: &[String]) -> Result<Vec<String>, Failure> {
    if !arguments.iter().any(|argument| argument == STDIN) {
        return Ok(arguments.to_vec());
    }
    let text = read(STDIN)?;
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned);
    let mut all = Vec::new();
    for argument in arguments {
        match argument.as_str() {
            STDIN => all.extend(lines()),
            name => all.push(name.to_owned()),
        }
    }
    if all.is_empty() { Err(Failure::usage("stdin names nothing: one name or id a line")) } else { Ok(all) }
}

/// A JSON object of a file, or of stdin for `-`.
pub(super) fn object(path: &str) -> Result<Map<String, Value>, Failure> {
    let text = read(path)?;
    match serde_json::from_str(&text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Failure::usage(format!("{path}: a JSON object is expected"))),
        // What serde says may hold a part of a secret only by its place.
        Err(error) => Err(Failure::usage(format!(
            "{path}: no JSON at line {}, column {}",
            error.line(),
            error.column()
        ))),
    }
}

/// A secret of a file, or of stdin for `-`; there is no argument for secrets, since others can see those.
pub(super) fn secret(path: &str) -> Result<Secret<String>, Failure> {
    let text = read(path)?;
    match text.trim() {
        "" => Err(Failure::usage(format!("{path} holds no secret"))),
        secret => Ok(Secret::new(secret.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn files_are_read_and_what_is_wrong_is_told_without_quoting() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        let path = file.to_str().unwrap();
        fs::write(&file, " s3cret \n").unwrap();
        assert_eq!(secret(path).unwrap().expose(), "s3cret");
        let told = object(path).unwrap_err();
        assert!(told.message().ends_with("no JSON at line 1, column 2"), "{}", told.message());
        fs::write(&file, "[]").unwrap();
        assert!(object(path).is_err());
        fs::write(&file, r#"{"a": 1}"#).unwrap();
        assert_eq!(object(path).unwrap()["a"], 1);
        fs::write(&file, "\n").unwrap();
        assert!(secret(path).is_err());
        assert_eq!(names(&["a".into(), "b c".into()]).unwrap(), ["a", "b c"]);
    }
}
