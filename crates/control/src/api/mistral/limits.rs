//! `/v1/admin/spend-limit` and `/v1/admin/rate-limit`: the limits of the organization.

use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::new()
}
