//! What upstreams' lists of models said: taken in, seen, and dismissed by somebody who has looked.

use super::{Deed, commit};
use crate::Control;
use crate::alerting;
use crate::api::model_sightings::Shown;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, decide};
use louver_domain::model_sightings::{Listed, Sighting, SightingState, compare};
use louver_domain::models::{Model, ModelStatus};
use louver_store::model_sightings as store;
use louver_store::models;

/// All that is worth looking at.
pub async fn list(control: &Control) -> Result<Vec<Sighting>, ControlError> {
    Ok(store::list(&control.store).await?)
}

/// The same for whoever may read the catalogue.
pub async fn read(control: &Control, context: &Context) -> Result<Vec<Sighting>, ControlError> {
    context.admit(Action::ReadModels)?;
    list(control).await
}

/// Takes in what a server listed, and raises the alarm about names that moved. `server` is empty for the first one;
/// `is_mistrals`: it serves the models that name no server, too.
pub async fn take_in(
    control: &Control,
    server: &str,
    is_mistrals: bool,
    listed: &[Listed],
) -> Result<(), ControlError> {
    let catalogue = models::list(&control.store).await?.models;
    let served = |model: &&Model| {
        let named = model.upstream.as_deref().map_or(is_mistrals, |name| name == server);
        // A workspace's own model is in the list of its own credential only.
        named && model.status != ModelStatus::Retired && model.workspace_id.is_none() && model.is_called()
    };
    let mine: Vec<&Model> = catalogue.iter().map(|entry| &entry.model).filter(served).collect();
    let now = control.clock.now();
    let take_in = |before: &[Sighting]| compare(server, &mine, listed, before, now);
    for alarm in store::take_in(&control.store, server, take_in).await? {
        tracing::error!(
            server,
            model = alarm.name,
            same_as = alarm.same_as,
            billing_name = alarm.billing_name,
            "ALARM: a name of a model moved upstream; calls by this alias are refused until somebody dismisses it"
        );
        alerting::model_moved(control, &alarm.name).await?;
    }
    Ok(())
}

/// Notes that somebody has looked at a name: where it is an alias that moved, calls may name it again, and get the model
/// that the catalogue says.
pub async fn dismiss(
    control: &Control,
    context: &Context,
    name: &str,
) -> Result<Vec<Sighting>, ControlError> {
    let permit = decide(&context.actor, Action::DismissModelSighting, context.organization_id())?;
    let mut tx = control.begin(context).await?;
    let before = store::of_name(&mut tx, name).await?;
    if before.is_empty() {
        return Err(ControlError::NotFound);
    }
    store::dismiss(&mut tx, &permit, name).await?;
    let dismissed = |sighting: &Sighting| Sighting { state: SightingState::Dismissed, ..sighting.clone() };
    let after: Vec<Sighting> = before.iter().map(dismissed).collect();
    let shown = |all: &[Sighting]| all.iter().map(Shown::of).collect::<Vec<_>>();
    let deed = Deed::on(permit, name, name).from(&shown(&before))?.to(&shown(&after))?;
    commit(control, context, tx, deed).await?;
    Ok(after)
}
