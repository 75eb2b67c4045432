//! What a file wants of destinations of secrets: settings in the form that Louver shows, credentials by name alone.

use super::{Hidden, Reader};
use crate::cli::apply::file::{self, File};
use crate::cli::apply::plan::{Id, Noun};
use crate::cli::apply::secrets;
use louver_domain::secret::Secret;
use louver_domain::secret_destinations::{DestinationKind, Settings};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

impl Reader<'_> {
    pub(super) fn secret_destinations(&mut self, file: &File) {
        let Some(destinations) = &file.secret_destinations else { return };
        self.covers(Noun::SecretDestination, None);
        for destination in destinations {
            let id = Id::of(Noun::SecretDestination, &destination.name);
            if let Err(error) = self.secret_destination(&id, destination) {
                self.errors.push(format!("{id}: {error}"));
            }
        }
    }

    fn secret_destination(&mut self, id: &Id, destination: &file::SecretDestination) -> Result<(), String> {
        let kind = destination.kind;
        let given = destination.credentials.is_some();
        if destination.secret_file.is_some() && (kind != DestinationKind::Webhook || given) {
            return Err(
                "secret_file is for the secret that Louver makes for a webhook without credentials".into()
            );
        }
        let names: Vec<&str> =
            destination.credentials.iter().flatten().map(|(name, _)| name.as_str()).collect();
        let taken = kind.takes(&names);
        if given {
            taken.clone().map_err(|error| format!("credentials: {error}"))?;
        }
        let settings =
            destination.settings.as_ref().map(|settings| shown(kind, settings.clone())).transpose()?;
        let hidden = Hidden {
            secret_file: destination.secret_file.as_ref().map(|file| self.folder.join(file)),
            credentials: self.credentials(destination)?,
            ..Hidden::default()
        };
        if settings.is_some() && (taken.is_ok() || hidden.secret_file.is_some()) {
            self.reading.wanted.equipped.insert(id.clone());
        }
        self.reading.hidden.insert(id.clone(), hidden);
        self.add(id.clone(), destination, "name");
        let Some(fields) = self.reading.wanted.items.get_mut(id) else { return Ok(()) };
        fields.extend(settings.map(|settings| ("settings".to_owned(), settings)));
        fields.extend(given.then(|| ("credentials".to_owned(), Value::from(names))));
        // It cannot be changed, so that to leave it out says that there is none.
        fields.insert("workspace".into(), destination.workspace.clone().into());
        Ok(())
    }

    fn credentials(
        &self,
        destination: &file::SecretDestination,
    ) -> Result<BTreeMap<String, Secret<String>>, String> {
        let given = destination.credentials.iter().flatten();
        let open = |(name, text): (&String, &String)| {
            let value = secrets::expand(text, self.environment);
            Ok((name.clone(), value.map_err(|error| format!("credentials: {name} {error}"))?))
        };
        given.map(open).collect()
    }
}

/// Settings with their defaults, as Louver shows them.
pub(in crate::cli) fn shown(
    kind: DestinationKind,
    mut settings: Map<String, Value>,
) -> Result<Value, String> {
    settings.insert("kind".into(), kind.as_str().into());
    let read: Settings =
        serde_json::from_value(Value::Object(settings)).map_err(|error| format!("settings: {error}"))?;
    read.check().map_err(|(name, message)| format!("settings: {name} {message}"))?;
    let mut shown = serde_json::to_value(&read).map_err(|error| format!("settings: {error}"))?;
    if let Some(members) = shown.as_object_mut() {
        members.remove("kind");
    }
    Ok(shown)
}
