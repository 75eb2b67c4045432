//! Runs each test of a contract on both engines, each on a database of its own.

/// The named functions, which take what `fresh(url)` of their file makes of a new database. A missing PostgreSQL fails.
macro_rules! contract {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                let folder = tempfile::tempdir().unwrap();
                let url = louver_proving::database::sqlite(folder.path());
                super::$name(super::fresh(&url).await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::fresh(&louver_proving::database::postgres()).await).await;
            })*
        }
    };
}
