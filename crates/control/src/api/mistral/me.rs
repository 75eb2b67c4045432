//! `/v1/users/me`: what an API key may know of itself.

use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::new()
}
