//! `/v1/admin/roles`, and roles as Mistral's requests name them: by letter, id or name.

use super::{Answer, Shared};
use crate::actions::custom_roles;
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::id::RoleId;
use louver_domain::roles::{BUILTIN, Builtin, RoleLevel, Roles};
use louver_mistral::admin::roles::{AskedRoles, RoleOut, RoleRef, RolesFault, RolesOut, UserRole};
use uuid::Uuid;

pub(crate) fn routes() -> Routes {
    Routes::new().get("/v1/admin/roles", Action::ReadRoles, list)
}

async fn list(State(control): Shared, context: Context, params: Params) -> Answer {
    params.done()?;
    let roles = custom_roles::list(&control, &context).await?;
    let out = |level: RoleLevel| {
        let builtin = BUILTIN.iter().filter(move |role| role.level == level).map(|role| RoleOut {
            name: role.name.to_owned(),
            uuid: Uuid::from_bytes(role.id().bytes()),
            description: role.description.to_owned(),
            is_custom_role: false,
        });
        let custom = roles.custom().iter().filter(move |role| role.level == level).map(|role| RoleOut {
            name: role.name.clone(),
            uuid: Uuid::from_bytes(role.id.bytes()),
            description: role.description.clone(),
            is_custom_role: true,
        });
        builtin.chain(custom).collect()
    };
    let (workspace_roles, organization_roles) = (out(RoleLevel::Workspace), out(RoleLevel::Organization));
    Ok(reply::ok(&RolesOut { workspace_roles, organization_roles }))
}

/// The roles that a request asks for, each once; `None` when it asks for none. All that it names must be there.
pub(super) fn resolve(
    roles: &Roles,
    level: RoleLevel,
    asked: Result<Option<AskedRoles>, RolesFault>,
) -> Result<Option<Vec<RoleId>>, ControlError> {
    let asked = asked.map_err(|fault| ControlError::field(fault.field(), fault.to_string()))?;
    let Some(asked) = asked else { return Ok(None) };
    let there = |one: &RoleRef| {
        find(roles, level, one).ok_or_else(|| {
            ControlError::NotHere(format!("there is no role {} for the {}", written(one), level.as_str()))
        })
    };
    for one in &asked.passed_over {
        there(one)?;
    }
    let mut ids: Vec<RoleId> = Vec::new();
    for one in &asked.chosen {
        let id = there(one)?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(Some(ids))
}

fn find(roles: &Roles, level: RoleLevel, asked: &RoleRef) -> Option<RoleId> {
    match asked {
        RoleRef::Letter(letter) => Builtin::lettered(level, character(*letter)).map(Builtin::id),
        RoleRef::Id(id) => {
            let id = RoleId::from_bytes(id.into_bytes());
            (roles.level(id) == Some(level)).then_some(id)
        }
        RoleRef::Name(name) => roles.named(level, name),
    }
}

const fn character(letter: UserRole) -> char {
    match letter {
        UserRole::Admin => 'A',
        UserRole::Member => 'M',
        UserRole::Billing => 'B',
    }
}

fn written(asked: &RoleRef) -> String {
    match asked {
        RoleRef::Letter(letter) => character(*letter).to_string(),
        RoleRef::Id(id) => id.to_string(),
        RoleRef::Name(name) => name.chars().filter(|c| !c.is_control()).take(64).collect(),
    }
}

/// Ids of roles as Mistral's answers write them: all, and the first of them for readers of the older field.
pub(super) fn raw(ids: &[RoleId], default: RoleId) -> (Vec<String>, String) {
    let all: Vec<String> =
        if ids.is_empty() { vec![default.to_string()] } else { ids.iter().map(RoleId::to_string).collect() };
    let first = all.first().cloned().unwrap_or_default();
    (all, first)
}
