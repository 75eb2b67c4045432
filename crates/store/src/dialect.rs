//! What differs between the two engines, side by side.

/// The engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Embedded, one node.
    Sqlite,
    /// A server, many nodes.
    Postgres,
}

impl Dialect {
    /// The words of the migrations that are written `{word}`.
    pub(crate) const fn words(self) -> [(&'static str, &'static str); 5] {
        match self {
            Self::Sqlite => [
                ("{int}", "INTEGER"),
                ("{bytes}", "BLOB"),
                ("{strict}", "STRICT"),
                ("{clustered}", "STRICT, WITHOUT ROWID"),
                ("{sequence}", "INTEGER PRIMARY KEY AUTOINCREMENT"),
            ],
            Self::Postgres => [
                ("{int}", "BIGINT"),
                ("{bytes}", "BYTEA"),
                ("{strict}", ""),
                ("{clustered}", ""),
                ("{sequence}", "BIGSERIAL PRIMARY KEY"),
            ],
        }
    }

    /// Takes the lock under which migrations run, inside a transaction. SQLite's `BEGIN IMMEDIATE` is that lock.
    pub(crate) const fn migration_lock(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("SELECT CAST(pg_advisory_xact_lock(7046895270421) AS TEXT)"),
        }
    }

    /// Makes the statements of a transaction see one state, however long it takes.
    pub(crate) const fn one_state(self) -> Option<&'static str> {
        match self {
            // A read transaction of SQLite sees one state by itself.
            Self::Sqlite => None,
            Self::Postgres => Some("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"),
        }
    }
}
