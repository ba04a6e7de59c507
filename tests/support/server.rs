//! A PostgreSQL server of one test.

use std::fmt::Display;
use std::path::PathBuf;
use std::process::Command;

use local_server::{Binaries, TestCluster, TestClusterOptions};
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// A server that ends with its test.
pub struct Server {
    cluster: TestCluster,
    binaries: Binaries,
}

impl Server {
    /// A fresh server.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// A fresh server with settings of `postgresql.conf`.
    pub fn with(settings: &[(&str, &str)]) -> Self {
        let binaries = crate::binaries();
        let mut options = TestClusterOptions::new(&binaries, cache());
        for (name, value) in settings {
            options = options.setting(*name, *value);
        }
        Self {
            cluster: options.start().expect("a test server"),
            binaries,
        }
    }

    /// The cluster, for stopping and killing it.
    pub fn cluster(&self) -> &TestCluster {
        &self.cluster
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        self.cluster.url(database)
    }

    /// The URL of a database for another role.
    pub fn url_as(&self, role: &str, password: &str, database: &str) -> String {
        let url = self.url(database);
        let (scheme, rest) = url.split_once("://").expect("a URL");
        let (_, place) = rest.rsplit_once('@').expect("a user");
        format!("{scheme}://{role}:{password}@{place}")
    }

    /// Every database but `postgres` and the templates.
    pub fn databases(&self) -> Vec<String> {
        self.query(
            "postgres",
            "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres' ORDER BY datname",
        )
        .into_iter()
        .map(|row| row[0].clone())
        .collect()
    }

    /// Creates an empty database.
    pub fn create_database(&self, database: impl Display) {
        self.copy_database("template0", database);
    }

    /// Creates a copy of a database.
    pub fn copy_database(&self, original: impl Display, copy: impl Display) {
        // Copying the files takes a quarter of the time of the other strategy where nothing is flushed.
        let strategy = match self.binaries.version().major() {
            14 => "",
            _ => "STRATEGY file_copy",
        };
        let create = format!("CREATE DATABASE {copy} TEMPLATE {original} {strategy}");
        self.query("postgres", &create);
    }

    /// Runs SQL; gives the rows of its last result as text, NULL as an empty string. Panics on an error.
    pub fn query(&self, database: &str, sql: &str) -> Vec<Vec<String>> {
        self.try_query(database, sql)
            .unwrap_or_else(|error| panic!("{database}: {sql}: {error}"))
    }

    /// As `query`, but gives the error.
    pub fn try_query(&self, database: &str, sql: &str) -> Result<Vec<Vec<String>>, String> {
        query_at(&self.url(database), sql)
    }

    /// The one value of a query.
    pub fn value(&self, database: &str, sql: &str) -> String {
        let rows = self.query(database, sql);
        rows.first()
            .and_then(|row| row.first())
            .cloned()
            .unwrap_or_default()
    }

    /// The versions in a database's history, as often as they stand there.
    pub fn applied(&self, database: &str) -> Vec<i64> {
        self.query(
            database,
            "SELECT version FROM refinery_schema_history ORDER BY version",
        )
        .iter()
        .map(|row| row[0].parse().expect("a version"))
        .collect()
    }

    /// A database's schema as pg_dump sees it, without what the engine keeps there, and without noise.
    pub fn schema(&self, database: &str) -> String {
        self.dump(database, &["--schema-only"])
    }

    /// As `schema`, and the rows of the tables.
    pub fn contents(&self, database: &str) -> String {
        self.dump(database, &["--inserts"])
    }

    /// All that pg_dump knows of a database: owners, rights, rows, and what the engine keeps there.
    pub fn everything(&self, database: &str) -> String {
        self.pg_dump(database, &["--inserts"])
    }

    fn dump(&self, database: &str, what: &[&str]) -> String {
        let ours = [
            "--no-owner",
            "--no-privileges",
            "--exclude-schema=orchestrator",
            "--exclude-table=refinery_schema_history",
        ];
        self.pg_dump(database, &[what, &ours].concat())
    }

    fn pg_dump(&self, database: &str, arguments: &[&str]) -> String {
        let output = Command::new(self.program("pg_dump"))
            .args(arguments)
            .arg("--dbname")
            .arg(self.url(database))
            .output()
            .expect("pg_dump runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        // The server notices a moment later that the program has ended.
        crate::wait_until("the session of pg_dump is gone", || {
            self.value(
                "postgres",
                &format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump' AND datname = '{database}'"),
            ) == "0"
        });
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter(|line| !line.starts_with("--") && !line.starts_with('\\') && !line.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Runs a file with psql, stopping at the first error.
    pub fn psql_file(&self, database: &str, file: &std::path::Path, one_transaction: bool) {
        let mut command = Command::new(self.program("psql"));
        command
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d"])
            .arg(self.url(database));
        if one_transaction {
            command.arg("-1");
        }
        let output = command.arg("-f").arg(file).output().expect("psql runs");
        assert!(
            output.status.success(),
            "{}: {}",
            file.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// A client program that can work with the server.
    pub fn program(&self, name: &str) -> PathBuf {
        self.binaries
            .program(name)
            .unwrap_or_else(|| panic!("{name} beside the server binaries"))
    }
}

/// The data folders that servers are copied from, kept from run to run.
fn cache() -> PathBuf {
    crate::programs::target_folder().join("test-servers")
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// The rows of the last result of some SQL at a URL.
pub(crate) fn query_at(url: &str, sql: &str) -> Result<Vec<Vec<String>>, String> {
    runtime().block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls)
            .await
            .map_err(|error| words(&error))?;
        let driver = tokio::spawn(connection);
        let messages = client
            .simple_query(sql)
            .await
            .map_err(|error| words(&error))?;
        drop(client);
        let _ = driver.await;
        let mut rows = Vec::new();
        for message in messages {
            match message {
                SimpleQueryMessage::RowDescription(_) => rows.clear(),
                SimpleQueryMessage::Row(row) => {
                    rows.push(
                        (0..row.len())
                            .map(|index| row.get(index).unwrap_or_default().to_owned())
                            .collect(),
                    );
                }
                _ => {}
            }
        }
        Ok(rows)
    })
}

fn words(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(server) => format!("{} ({})", server.message(), server.code().code()),
        None => error.to_string(),
    }
}
