//! What differs between the two engines, side by side.

use crate::db::Value;

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

    /// Answers a row when the table of migrations is there.
    pub(crate) const fn find_steps(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'schema_steps'",
            Self::Postgres => "SELECT 'there' WHERE to_regclass('schema_steps') IS NOT NULL",
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

    /// At the end of a query over `leases l`: its rows are locked, one after another in the order of their ids. SQLite has
    /// one writer anyway.
    pub(crate) const fn leases_in_order(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " ORDER BY l.id FOR UPDATE OF l",
        }
    }

    /// The one of two statements that is written for this engine.
    pub(crate) const fn pick(self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self {
            Self::Sqlite => sqlite,
            Self::Postgres => postgres,
        }
    }

    /// The parameter of that number, the numbers being given in order. SQLite's go without a number: it finds a numbered
    /// parameter by walking a list, which many parameters make slow.
    pub(crate) fn parameter(self, number: usize) -> String {
        match self {
            Self::Sqlite => String::from("?"),
            Self::Postgres => format!("${number}"),
        }
    }

    /// `VALUES (…), (…)` with a parameter for each of `rows` × `columns` values.
    pub(crate) fn values(self, rows: usize, columns: usize) -> String {
        let row = |r: usize| {
            let first = r.saturating_mul(columns);
            let marks: Vec<String> = (1..=columns).map(|c| self.parameter(first.saturating_add(c))).collect();
            format!("({})", marks.join(","))
        };
        let all: Vec<String> = (0..rows).map(row).collect();
        format!("VALUES {}", all.join(","))
    }
}

/// A statement that is put together out of this crate's texts, and values.
pub(crate) struct Made {
    dialect: Dialect,
    /// The text so far.
    pub(crate) sql: String,
    /// The values of its parameters.
    pub(crate) values: Vec<Value>,
}

impl Made {
    /// Begins with that text.
    pub(crate) fn new(dialect: Dialect, text: &'static str) -> Self {
        Self { dialect, sql: text.to_owned(), values: Vec::new() }
    }

    /// More text.
    pub(crate) fn put(&mut self, text: &'static str) {
        self.sql.push_str(text);
    }

    /// More text, with a value at its end.
    pub(crate) fn is(&mut self, text: &'static str, value: impl Into<Value>) {
        self.values.push(value.into());
        self.put(text);
        let parameter = self.dialect.parameter(self.values.len());
        self.sql.push_str(&parameter);
    }
}

/// A pattern for `LIKE … ESCAPE '\'` that finds what holds the text, whatever is in it.
pub(crate) fn holding(text: &str) -> String {
    let mut pattern = String::from("%");
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}
