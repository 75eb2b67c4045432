//! `/v1/admin/api-keys`: API keys.

use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::new()
}
