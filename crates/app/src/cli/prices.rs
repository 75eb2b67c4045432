//! `louver prices`: shows the price list, and replaces it by a file, whole or not at all.

use super::failure::Failure;
use super::remote::Remote;
use crate::config::Environment;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Show the price list, or replace it.
#[derive(Args)]
pub(super) struct Prices {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Print the price list as JSON: a file for `set`
    Show {
        #[command(flatten)]
        remote: Remote,
    },
    /// Replace the price list by a file (JSON or YAML); one with an error changes nothing
    Set {
        /// The file, with `models` and perhaps `tools`
        file: PathBuf,
        /// Write it even if prices change that are in effect
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        remote: Remote,
    },
}

const PATH: &str = "/v1/gateway/models";

/// Shows or replaces.
pub(super) async fn run(command: &Prices, environment: &Environment) -> Result<(), Failure> {
    match &command.action {
        Action::Show { remote } => {
            let list: Value = remote.reach(environment)?.get(PATH).await?;
            let part = |name: &str| list.get(name).cloned().unwrap_or_else(|| json!([]));
            let file = json!({"models": part("data"), "tools": part("tools")});
            let text =
                serde_json::to_string_pretty(&file).map_err(|error| Failure::failed(error.to_string()))?;
            println!("{text}");
            Ok(())
        }
        Action::Set { file, force, remote } => {
            let shown = file.display();
            let named = |error: String| vec![format!("{shown}: {error}; the old prices stay")];
            let text = std::fs::read_to_string(file).map_err(|error| named(error.to_string()))?;
            let list = read(&text).map_err(named)?;
            let path = if *force { format!("{PATH}?force=true") } else { PATH.to_owned() };
            remote.reach(environment)?.put(&path, &list).await.map_err(|error| {
                eprintln!("louver: {shown} is not taken; the old prices stay");
                Failure::from(error)
            })?;
            println!("The prices of {shown} are in place.");
            Ok(())
        }
    }
}

/// The file as one value; JSON is YAML, too. A name twice is an error.
fn read(text: &str) -> Result<Value, String> {
    let list: Value = serde_saphyr::from_str(text).map_err(|error| error.without_snippet().to_string())?;
    if list.get("models").is_some_and(Value::is_array) {
        Ok(list)
    } else {
        Err("has no list of models".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_json_or_yaml_and_says_each_thing_once() {
        let json = read(r#"{"models": [{"id": "a", "prices": [{"input_usd_per_mtok": 0.1}]}]}"#).unwrap();
        let yaml = read("models:\n  - id: a\n    prices:\n      - input_usd_per_mtok: 0.1\n").unwrap();
        assert_eq!(json, yaml);
        for wrong in ["", "[]", "models: 1", "models: []\nmodels: []", "{"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
