//! `/v1/admin/users-invite`: invitations.

use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::new()
}
