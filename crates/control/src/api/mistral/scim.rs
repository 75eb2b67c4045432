//! `/v1/admin/scim/sync`: honest answers while no directory is connected.

use super::Answer;
use crate::error::ControlError;
use crate::intake::{Body, Named, Object};
use crate::routes::Routes;
use louver_domain::access::Action;
use louver_mistral::admin::scim::AdminScimSyncTriggerIN;
use uuid::Uuid;

pub(crate) fn routes() -> Routes {
    Routes::new().post("/v1/admin/scim/sync", Action::TriggerScimSync, trigger).get(
        "/v1/admin/scim/sync/{run_id}",
        Action::TriggerScimSync,
        run,
    )
}

async fn trigger(Body(Object(_)): Body<Object<AdminScimSyncTriggerIN>>) -> Answer {
    Err(ControlError::NotHere("no directory is connected: there is nothing to synchronize with".into()))
}

async fn run(Named(_): Named<Uuid>) -> Answer {
    Err(ControlError::NotHere("there is no such run: no directory is connected".into()))
}
