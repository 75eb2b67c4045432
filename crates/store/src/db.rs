//! The seam: the only file that names a database driver.
//!
//! SQL is written once with `$1` parameters and values of three types. SQLite writes through one connection, so that
//! writers queue here and not at the file's lock; reads have connections of their own (WAL). Each commit is synced to
//! the disk before it counts: money that was given out must not be forgotten when the power fails.

use crate::dialect::Dialect;
use crate::error::StoreError;
use crate::migrations;
use louver_domain::time::{Clock, Timestamp};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions, PgPool, Row as _, SqlitePool};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A value that goes into a statement.
#[derive(Clone, Debug)]
pub enum Value {
    /// A 64-bit integer.
    Int(Option<i64>),
    /// Text.
    Text(Option<String>),
    /// Bytes.
    Bytes(Option<Vec<u8>>),
}

macro_rules! value_from {
    ($($from:ty => |$v:ident| $to:expr;)*) => {$(
        impl From<$from> for Value {
            fn from($v: $from) -> Self {
                $to
            }
        }
    )*};
}

value_from! {
    i64 => |v| Self::Int(Some(v));
    Option<i64> => |v| Self::Int(v);
    u64 => |v| Self::Int(Some(i64::try_from(v).unwrap_or(i64::MAX)));
    Option<u64> => |v| Self::Int(v.map(|n| i64::try_from(n).unwrap_or(i64::MAX)));
    bool => |v| Self::Int(Some(i64::from(v)));
    &str => |v| Self::Text(Some(v.to_owned()));
    String => |v| Self::Text(Some(v));
    Option<String> => |v| Self::Text(v);
    [u8; 16] => |v| Self::Bytes(Some(v.to_vec()));
    Option<[u8; 16]> => |v| Self::Bytes(v.map(|b| b.to_vec()));
    [u8; 32] => |v| Self::Bytes(Some(v.to_vec()));
    Vec<u8> => |v| Self::Bytes(Some(v));
}

/// One row of an answer; columns are read by their place.
pub enum Row {
    /// Of SQLite.
    Sqlite(SqliteRow),
    /// Of PostgreSQL.
    Postgres(PgRow),
}

macro_rules! row_get {
    ($($(#[$doc:meta])* $name:ident -> $type:ty;)*) => {$(
        $(#[$doc])*
        pub fn $name(&self, column: usize) -> Result<$type, StoreError> {
            Ok(match self {
                Self::Sqlite(row) => row.try_get::<$type, usize>(column)?,
                Self::Postgres(row) => row.try_get::<$type, usize>(column)?,
            })
        }
    )*};
}

impl Row {
    row_get! {
        /// An integer.
        int -> i64;
        /// An integer or null.
        opt_int -> Option<i64>;
        /// Text.
        text -> String;
        /// Text or null.
        opt_text -> Option<String>;
        /// Bytes.
        bytes -> Vec<u8>;
        /// Bytes or null.
        opt_bytes -> Option<Vec<u8>>;
    }

    /// The 16 bytes of an id.
    pub fn id(&self, column: usize) -> Result<[u8; 16], StoreError> {
        self.array(column)
    }

    /// The 16 bytes of an id, or null.
    pub fn opt_id(&self, column: usize) -> Result<Option<[u8; 16]>, StoreError> {
        let bytes = self.opt_bytes(column)?;
        bytes
            .map(|b| b.try_into().map_err(|_| StoreError::Corrupt(format!("an id in column {column}"))))
            .transpose()
    }

    /// Bytes of a known number.
    pub fn array<const N: usize>(&self, column: usize) -> Result<[u8; N], StoreError> {
        self.bytes(column)?
            .try_into()
            .map_err(|_| StoreError::Corrupt(format!("{N} bytes in column {column}")))
    }

    /// A count, never negative.
    pub fn count(&self, column: usize) -> Result<u64, StoreError> {
        u64::try_from(self.int(column)?)
            .map_err(|_| StoreError::Corrupt(format!("a count in column {column}")))
    }

    /// A count or null.
    pub fn opt_count(&self, column: usize) -> Result<Option<u64>, StoreError> {
        let value = self.opt_int(column)?;
        value
            .map(|v| u64::try_from(v).map_err(|_| StoreError::Corrupt(format!("a count in column {column}"))))
            .transpose()
    }
}

macro_rules! bind {
    ($sql:expr, $values:expr) => {{
        let mut query = sqlx::query($sql);
        for value in $values {
            query = match value {
                Value::Int(v) => query.bind(v),
                Value::Text(v) => query.bind(v),
                Value::Bytes(v) => query.bind(v),
            };
        }
        query
    }};
}

#[derive(Clone)]
enum Db {
    Sqlite { write: SqlitePool, read: SqlitePool },
    Postgres(PgPool),
}

/// The database behind Louver. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    db: Db,
    time: Time,
    commits: Arc<watch::Sender<i64>>,
}

/// Whose clock decides periods: one for all nodes on a database.
#[derive(Clone)]
enum Time {
    /// The database server's.
    Server,
    /// The program's, where the database has none of its own.
    Program(Arc<dyn Clock>),
}

impl Store {
    /// Opens `sqlite:PATH` or `postgres://…` without touching the schema. SQLite, which is part of the program, keeps
    /// time by `clock`; PostgreSQL by its own.
    pub async fn open(url: &str, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let db = match url.strip_prefix("sqlite:") {
            Some(path) => open_sqlite(path).await?,
            None if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                open_postgres(url).await?
            }
            None => {
                return Err(StoreError::Configuration(
                    "a database URL starts with sqlite: or postgres://".into(),
                ));
            }
        };
        let time = match db {
            Db::Sqlite { .. } => Time::Program(clock),
            Db::Postgres(_) => Time::Server,
        };
        Ok(Self { db, time, commits: Arc::new(watch::Sender::new(0)) })
    }

    /// The same store, keeping time by that clock whatever the database: for tests that move it by hand.
    #[must_use]
    pub fn by_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { time: Time::Program(clock), ..self }
    }

    /// Whether other nodes may work on the same database.
    pub const fn is_shared(&self) -> bool {
        matches!(self.db, Db::Postgres(_))
    }

    /// Brings the schema up to date, under a lock, in one transaction; answers how many steps were new.
    pub async fn migrate(&self) -> Result<usize, StoreError> {
        let mut tx = self.begin().await?;
        let steps = migrations::run(&mut tx, self.dialect()).await?;
        tx.commit_plain().await?;
        Ok(steps)
    }

    /// The engine.
    pub(crate) const fn dialect(&self) -> Dialect {
        match self.db {
            Db::Sqlite { .. } => Dialect::Sqlite,
            Db::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Runs a query whose text was put together by this crate (never from input) outside a transaction.
    pub(crate) async fn fetch_made(&self, sql: String, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        let sql = AssertSqlSafe(sql);
        Ok(match &self.db {
            Db::Sqlite { read, .. } => {
                bind!(sql, values).fetch_all(read).await?.into_iter().map(Row::Sqlite).collect()
            }
            Db::Postgres(pool) => {
                bind!(sql, values).fetch_all(pool).await?.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// Runs a query outside a transaction.
    pub(crate) async fn fetch(&self, sql: &'static str, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        Ok(match &self.db {
            Db::Sqlite { read, .. } => {
                bind!(sql, values).fetch_all(read).await?.into_iter().map(Row::Sqlite).collect()
            }
            Db::Postgres(pool) => {
                bind!(sql, values).fetch_all(pool).await?.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// Begins a transaction for writing.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let inner = match &self.db {
            Db::Sqlite { write, .. } => TxInner::Sqlite(begin_writing(write).await?),
            Db::Postgres(pool) => TxInner::Postgres(pool.begin().await?),
        };
        Ok(self.tx(inner))
    }

    /// The store's time: one for all nodes on a database.
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        match &self.time {
            Time::Program(clock) => Ok(clock.now()),
            Time::Server => read_now(&self.fetch(NOW, vec![]).await?),
        }
    }

    /// Begins a transaction whose reads all see one state.
    pub async fn begin_read(&self) -> Result<Tx, StoreError> {
        let inner = match &self.db {
            Db::Sqlite { read, .. } => TxInner::Sqlite(read.begin().await?),
            Db::Postgres(pool) => TxInner::Postgres(pool.begin().await?),
        };
        let mut tx = self.tx(inner);
        if let Some(sql) = self.dialect().one_state() {
            tx.execute(sql, vec![]).await?;
        }
        Ok(tx)
    }

    fn tx(&self, inner: TxInner) -> Tx {
        Tx { inner, time: self.time.clone(), commits: Arc::clone(&self.commits) }
    }

    /// The newest revision that was committed through this handle; a gateway in the same process listens to it.
    pub fn commits(&self) -> watch::Receiver<i64> {
        self.commits.subscribe()
    }

    /// Waits for the work of all connections and closes them.
    pub async fn close(&self) {
        match &self.db {
            Db::Sqlite { write, read } => {
                read.close().await;
                write.close().await;
            }
            Db::Postgres(pool) => pool.close().await,
        }
    }
}

async fn open_sqlite(path: &str) -> Result<Db, StoreError> {
    let options = SqliteConnectOptions::from_str(&format!("sqlite:{path}"))?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .disable_statement_logging();
    let write = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
    let read = SqlitePoolOptions::new().max_connections(4).connect_with(options.read_only(true)).await?;
    Ok(Db::Sqlite { write, read })
}

/// A full disk makes SQLite roll a transaction back by itself, and the driver then counts one that is not there: the
/// connection can begin no other. Such a one is closed, and the pool opens a new one.
async fn begin_writing(write: &SqlitePool) -> Result<sqlx::Transaction<'static, sqlx::Sqlite>, StoreError> {
    const BEGIN: &str = "BEGIN IMMEDIATE";
    if let Ok(begun) = write.begin_with(BEGIN).await {
        return Ok(begun);
    }
    write.acquire().await?.close().await?;
    Ok(write.begin_with(BEGIN).await?)
}

async fn open_postgres(url: &str) -> Result<Db, StoreError> {
    // Who waits for a lock longer than that waits for somebody who is stuck: an error is better, and is tried again.
    let options =
        PgConnectOptions::from_str(url)?.options([("lock_timeout", "10s")]).disable_statement_logging();
    let pool = PgPoolOptions::new().max_connections(10).acquire_timeout(Duration::from_secs(5));
    Ok(Db::Postgres(pool.connect_with(options).await?))
}

const NOW: &str = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";

fn read_now(rows: &[Row]) -> Result<Timestamp, StoreError> {
    let row = rows.first().ok_or_else(|| StoreError::Unavailable("the server has no clock".into()))?;
    Ok(Timestamp::from_micros(row.int(0)?))
}

enum TxInner {
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

/// A transaction; dropped without a commit it changes nothing.
pub struct Tx {
    inner: TxInner,
    time: Time,
    commits: Arc<watch::Sender<i64>>,
}

impl Tx {
    /// The engine.
    pub(crate) const fn dialect(&self) -> Dialect {
        match self.inner {
            TxInner::Sqlite(_) => Dialect::Sqlite,
            TxInner::Postgres(_) => Dialect::Postgres,
        }
    }

    /// The store's time, which alone decides what period it is.
    pub async fn now(&mut self) -> Result<Timestamp, StoreError> {
        if let Time::Program(clock) = &self.time {
            return Ok(clock.now());
        }
        read_now(&self.fetch(NOW, vec![]).await?)
    }

    /// Runs a query.
    pub(crate) async fn fetch(
        &mut self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        Ok(match &mut self.inner {
            TxInner::Sqlite(tx) => {
                bind!(sql, values).fetch_all(&mut **tx).await?.into_iter().map(Row::Sqlite).collect()
            }
            TxInner::Postgres(tx) => {
                bind!(sql, values).fetch_all(&mut **tx).await?.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// Runs a statement and answers how many rows it touched.
    pub(crate) async fn execute(&mut self, sql: &'static str, values: Vec<Value>) -> Result<u64, StoreError> {
        Ok(match &mut self.inner {
            TxInner::Sqlite(tx) => bind!(sql, values).execute(&mut **tx).await?.rows_affected(),
            TxInner::Postgres(tx) => bind!(sql, values).execute(&mut **tx).await?.rows_affected(),
        })
    }

    /// Runs a statement whose text was put together by this crate (never from input): migrations and inserts of
    /// many rows.
    pub(crate) async fn execute_made(&mut self, sql: String, values: Vec<Value>) -> Result<u64, StoreError> {
        Ok(match &mut self.inner {
            TxInner::Sqlite(tx) => {
                bind!(AssertSqlSafe(sql), values).execute(&mut **tx).await?.rows_affected()
            }
            TxInner::Postgres(tx) => {
                bind!(AssertSqlSafe(sql), values).execute(&mut **tx).await?.rows_affected()
            }
        })
    }

    /// Commits what is no admin deed: migrations, usage, last-used times.
    pub(crate) async fn commit_plain(self) -> Result<(), StoreError> {
        match self.inner {
            TxInner::Sqlite(tx) => tx.commit().await?,
            TxInner::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// Commits and tells the listeners of [`Store::commits`].
    pub(crate) async fn commit_revision(self, revision: i64) -> Result<(), StoreError> {
        let commits = Arc::clone(&self.commits);
        self.commit_plain().await?;
        commits.send_if_modified(|newest| {
            let newer = revision > *newest;
            if newer {
                *newest = revision;
            }
            newer
        });
        Ok(())
    }
}
