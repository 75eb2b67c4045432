//! What can go wrong with the store, grouped by what the caller can do about it.

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached or did not answer: try again later.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// Something of that name or id exists already, or is still referred to.
    #[error("it conflicts with what is there")]
    Conflict,
    /// The audit log cannot be written, and without it nothing is changed.
    #[error("the audit log cannot be written: {0}")]
    Audit(String),
    /// A stored value cannot be read: a person must look.
    #[error("a stored value cannot be read: {0}")]
    Corrupt(String),
    /// The settings of the database do not make sense.
    #[error("{0}")]
    Configuration(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(db) if db.is_unique_violation() || db.is_foreign_key_violation() => {
                Self::Conflict
            }
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Corrupt(error.to_string()),
            _ => Self::Unavailable(error.to_string()),
        }
    }
}
