//! `/v1/admin/audit-logs`: the audit log, as far as Mistral has names for it.

use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::new()
}
