//! `/v1/admin/usage`: usage of a month by category.

use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::new()
}
