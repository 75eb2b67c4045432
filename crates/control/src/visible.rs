//! What a list shows to whom: everything, one workspace, or only what is the asker's own.

use crate::error::ControlError;
use louver_domain::access::{Action, Actor, Resource, decide};
use louver_domain::id::{UserId, WorkspaceId};

/// The rows that somebody may see; `None` does not narrow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Visible {
    /// Of one workspace.
    pub(crate) workspace: Option<WorkspaceId>,
    /// Of one person.
    pub(crate) owner: Option<UserId>,
}

/// What `actor` may do `action` to, of what was asked for: where they hold it, else what is their own.
pub(crate) fn visible(
    actor: &Actor,
    action: Action,
    asked: Option<WorkspaceId>,
) -> Result<Visible, ControlError> {
    let Some(held) = actor.workspaces_with(action) else {
        return Ok(Visible { workspace: asked, owner: None });
    };
    if asked.is_some_and(|id| held.contains(&id)) {
        return Ok(Visible { workspace: asked, owner: None });
    }
    match (asked, held.as_slice()) {
        (None, [only]) => return Ok(Visible { workspace: Some(*only), owner: None }),
        (None, [_, _, ..]) => {
            return Err(ControlError::parameter(
                "workspace_id",
                "name one of the workspaces that you may see",
            ));
        }
        (None, []) | (Some(_), _) => {}
    }
    if action.holders().own() && actor.user_id().is_some() {
        return Ok(Visible { workspace: asked, owner: actor.user_id() });
    }
    let organization = actor.organization_id();
    let resource = asked.map_or_else(|| organization.into(), |id| Resource::workspace(organization, id));
    decide(actor, action, resource)?;
    Err(ControlError::lacking(action))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;
    use http::StatusCode;
    use louver_domain::access::{Grants, Identity, Rights};
    use louver_domain::id::OrganizationId;
    use louver_domain::roles::{MEMBER, ORGANIZATION_ADMIN, Roles, WORKSPACE_ADMIN, WORKSPACE_CONTRIBUTOR};

    const ME: UserId = UserId::from_bytes([1; 16]);
    const HERE: WorkspaceId = WorkspaceId::from_bytes([2; 16]);
    const THERE: WorkspaceId = WorkspaceId::from_bytes([3; 16]);
    const FAR: WorkspaceId = WorkspaceId::from_bytes([4; 16]);

    fn person(grants: &Grants) -> Actor {
        let rights = Rights::of(Some(ME), grants, &Roles::default());
        let identity = Identity::Person { id: ME, email: "me@example.com".into() };
        Actor::new(identity, OrganizationId::from_bytes([9; 16]), rights)
    }

    fn seen(actor: &Actor, action: Action, asked: Option<WorkspaceId>) -> Result<Visible, StatusCode> {
        visible(actor, action, asked).map_err(|error| error.into_response().status())
    }

    #[test]
    fn each_sees_what_they_hold_and_else_what_is_their_own() {
        let keys = Action::ReadApiKeys;
        let all = |workspace| Ok(Visible { workspace, owner: None });
        let own = |workspace| Ok(Visible { workspace, owner: Some(ME) });
        let admin = person(&Grants { organization: vec![ORGANIZATION_ADMIN], workspaces: vec![] });
        assert_eq!(seen(&admin, keys, None), all(None));
        assert_eq!(seen(&admin, keys, Some(FAR)), all(Some(FAR)));
        let one = person(&Grants {
            organization: vec![MEMBER],
            workspaces: vec![(HERE, vec![WORKSPACE_ADMIN]), (THERE, vec![WORKSPACE_CONTRIBUTOR])],
        });
        assert_eq!(seen(&one, keys, None), all(Some(HERE)));
        assert_eq!(seen(&one, keys, Some(HERE)), all(Some(HERE)));
        assert_eq!(seen(&one, keys, Some(THERE)), own(Some(THERE)));
        let two = person(&Grants {
            organization: vec![MEMBER],
            workspaces: vec![(HERE, vec![WORKSPACE_ADMIN]), (THERE, vec![WORKSPACE_ADMIN])],
        });
        assert_eq!(seen(&two, keys, None), Err(StatusCode::UNPROCESSABLE_ENTITY));
        assert_eq!(seen(&two, keys, Some(THERE)), all(Some(THERE)));
        let member = person(&Grants { organization: vec![MEMBER], workspaces: vec![] });
        assert_eq!(seen(&member, keys, None), own(None));
        assert_eq!(seen(&member, Action::ReadMembers, Some(FAR)), Err(StatusCode::NOT_FOUND));
        assert_eq!(seen(&member, Action::ReadMembers, None), Err(StatusCode::FORBIDDEN));
        assert_eq!(seen(&one, Action::ReadMembers, Some(THERE)), Err(StatusCode::FORBIDDEN));
    }
}
