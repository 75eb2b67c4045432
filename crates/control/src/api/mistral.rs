//! `/v1/admin/…` and `/v1/users/me…` in the shapes of Mistral's own Admin API: existing scripts work unchanged.

mod analytics;
mod api_keys;
mod audit_logs;
mod invites;
mod limits;
mod me;
mod paging;
mod roles;
mod scim;
mod usage;
mod user_groups;
mod users;
mod workspaces;

use super::{Answer, Shared};
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    users::routes()
        .and(invites::routes())
        .and(roles::routes())
        .and(workspaces::routes())
        .and(user_groups::routes())
        .and(api_keys::routes())
        .and(limits::routes())
        .and(usage::routes())
        .and(audit_logs::routes())
        .and(scim::routes())
        .and(analytics::routes())
        .and(me::routes())
}
