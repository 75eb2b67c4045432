//! `/v1/admin/user-groups`: groups, their members, nesting and roles.

use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::new()
}
