//! Organization admins: there is always one left, whatever happens at the same time.

use crate::context::Context;
use crate::error::ControlError;
use louver_store::{Tx, grants};

/// How many organization admins there are before a change.
pub(crate) struct Before(u64);

/// Counts before a change. Admin deeds hold a lock from their begin on, so no other change comes between.
pub(crate) async fn count(tx: &mut Tx, context: &Context) -> Result<Before, ControlError> {
    Ok(Before(grants::count_admins(tx, context.organization_id()).await?))
}

impl Before {
    /// Refuses a change that took the last one, after it was made in the same transaction.
    pub(crate) async fn must_stay(self, tx: &mut Tx, context: &Context) -> Result<(), ControlError> {
        let left = grants::count_admins(tx, context.organization_id()).await?;
        if self.0 > 0 && left == 0 {
            return Err(ControlError::LastAdmin);
        }
        Ok(())
    }
}
