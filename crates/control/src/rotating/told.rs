//! What rotations have to say to people: alerts, each raised once.

use crate::Control;
use crate::alerting;
use louver_domain::alerts::{AlertKind, KeyAlert};
use louver_domain::id::OrganizationId;
use louver_domain::rotations::{Rotation, Subject};
use louver_domain::time::Timestamp;
use louver_store::StoreError;

async fn raise(
    control: &Control,
    kind: AlertKind,
    (organization_id, subject, name): (OrganizationId, Subject, &str),
    times: (Timestamp, Timestamp),
) -> Result<(), StoreError> {
    let (scope, id, (starts, ends)) = (subject.kind(), subject.bytes(), times);
    let about = KeyAlert { kind, organization_id, scope, id, name, days: None, starts, ends };
    alerting::raise_of_key(control, about).await
}

/// A rotation does not get on: told once.
pub(super) async fn stuck(control: &Control, rotation: &Rotation) -> Result<(), StoreError> {
    let whose = (rotation.organization_id, rotation.subject, rotation.name.as_str());
    raise(control, AlertKind::RotationStuck, whose, (rotation.created_at, rotation.state.next_at)).await
}

/// A rotation is over.
pub(super) async fn done(control: &Control, rotation: &Rotation) -> Result<(), StoreError> {
    let whose = (rotation.organization_id, rotation.subject, rotation.name.as_str());
    let end = rotation.state.ends_at.unwrap_or(rotation.created_at);
    raise(control, AlertKind::RotationDone, whose, (rotation.created_at, end)).await
}

/// The old secret is still used shortly before `was`, and ends at `end` now.
pub(super) async fn old_secret_used(
    control: &Control,
    rotation: &Rotation,
    was: Timestamp,
    end: Timestamp,
) -> Result<(), StoreError> {
    let whose = (rotation.organization_id, rotation.subject, rotation.name.as_str());
    raise(control, AlertKind::OldSecretUsed, whose, (was, end)).await
}

/// A secret that was made at `made` is to be replaced at `due`.
pub(super) async fn due(
    control: &Control,
    whose: (OrganizationId, Subject, &str),
    made: Timestamp,
    due: Timestamp,
) -> Result<(), StoreError> {
    raise(control, AlertKind::RotationDue, whose, (made, due)).await
}
