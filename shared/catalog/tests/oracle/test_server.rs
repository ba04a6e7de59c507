//! A server with databases to compare: creates databases, runs SQL in them, dumps them and reads their snapshots.

use std::path::{Path, PathBuf};
use std::process::Command;

use catalog::Snapshot;
use local_server::{Binaries, TestCluster, TestClusterOptions};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::corpus;
use crate::corpus::{Need, Step};
use crate::normalize::Dump;

/// A dedicated server, stopped when this value is dropped.
pub struct TestServer {
    cluster: TestCluster,
    binaries: Binaries,
    runtime: tokio::runtime::Runtime,
    /// Connected to the database `postgres`, to create and drop databases.
    admin: Client,
    major: u32,
}

impl TestServer {
    /// Starts a server of the version in `TEST_POSTGRES`.
    pub fn open() -> Self {
        let binaries = tests::binaries();
        let cluster = TestClusterOptions::new(&binaries, target_folder().join("test-servers"))
            .setting("wal_level", "logical")
            .setting("max_connections", "20")
            .setting("autovacuum", "off")
            .start()
            .expect("a test server");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let (admin, connection) = runtime
            .block_on(tokio_postgres::connect(&cluster.url("postgres"), NoTls))
            .expect("a connection");
        runtime.spawn(connection);
        let mut test_server = Self {
            cluster,
            binaries,
            runtime,
            admin,
            major: 0,
        };
        test_server
            .administer(&corpus::text("cluster.sql"))
            .expect("roles");
        let number: u32 = test_server.rows("postgres", "SHOW server_version_num")[0]
            .parse()
            .expect("a number");
        test_server.major = number / 10_000;
        test_server
    }

    pub fn major(&self) -> u32 {
        self.major
    }

    /// The first requirement that this server does not meet.
    pub fn lacks(&self, needs: &[Need]) -> Option<Need> {
        let is_there = |query: &str| !self.rows("postgres", query).is_empty();
        needs
            .iter()
            .find(|need| !match need {
                Need::AtLeast(major) => self.major() >= *major,
                Need::AtMost(major) => self.major() <= *major,
                Need::Icu => {
                    is_there("SELECT 1 FROM pg_collation WHERE collprovider = 'i' LIMIT 1")
                }
                Need::Extension(name) => is_there(&format!(
                    "SELECT 1 FROM pg_available_extensions WHERE name = '{name}'"
                )),
            })
            .cloned()
    }

    /// Creates an empty database.
    pub fn create(&self, database: &str) {
        self.administer(&format!("CREATE DATABASE {database} TEMPLATE template0"))
            .unwrap_or_else(|error| panic!("{database}: {error}"));
    }

    /// Copies a database. No session may be connected to it.
    pub fn copy(&self, from: &str, to: &str) {
        // Copying files is three times faster than logging every block, and checkpoints cost nothing here.
        let strategy = if self.major >= 15 {
            "STRATEGY file_copy"
        } else {
            ""
        };
        self.administer(&format!("CREATE DATABASE {to} TEMPLATE {from} {strategy}"))
            .unwrap_or_else(|error| panic!("{to}: {error}"));
    }

    /// Drops a database and the subscriptions that would block it.
    pub fn drop(&self, database: &str) {
        let drop = format!("DROP DATABASE {database} WITH (FORCE)");
        if self.administer(&drop).is_err() {
            let query = "SELECT format('ALTER SUBSCRIPTION %1$I DISABLE; ALTER SUBSCRIPTION %1$I SET (slot_name = NONE)', subname) \
                         FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \
                         UNION ALL SELECT format('DROP SUBSCRIPTION %I', subname) FROM pg_subscription";
            for statement in self.rows(database, query) {
                self.run(database, &statement);
            }
            self.administer(&drop)
                .unwrap_or_else(|error| panic!("{database}: {error}"));
        }
    }

    fn administer(&self, sql: &str) -> Result<(), String> {
        self.runtime
            .block_on(self.admin.batch_execute(sql))
            .map_err(|error| words(&error))
    }

    /// Runs SQL that must succeed.
    pub fn run(&self, database: &str, sql: &str) {
        self.try_run(database, sql)
            .unwrap_or_else(|error| panic!("{database}: {error}: {sql}"));
    }

    /// Runs SQL in one message, and therefore in one transaction.
    pub fn try_run(&self, database: &str, sql: &str) -> Result<(), String> {
        self.with(database, async |client| {
            client
                .batch_execute(sql)
                .await
                .map_err(|error| words(&error))
        })
    }

    /// Runs the steps of a change on one connection.
    pub fn run_steps(&self, database: &str, steps: &[Step]) -> Result<(), String> {
        self.with(database, async |client| {
            for step in steps {
                match client.batch_execute(&step.sql).await {
                    Ok(()) if step.fails => {
                        return Err(format!("should have failed: {}", step.sql));
                    }
                    Err(error) if !step.fails => return Err(words(&error)),
                    _ => {}
                }
            }
            Ok(())
        })
    }

    /// The first column of a query's rows.
    pub fn rows(&self, database: &str, query: &str) -> Vec<String> {
        self.with(database, async |client| {
            let messages = client
                .simple_query(query)
                .await
                .unwrap_or_else(|error| panic!("{}: {query}", words(&error)));
            messages
                .iter()
                .filter_map(|message| match message {
                    SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                    _ => None,
                })
                .collect()
        })
    }

    /// Reads the snapshot of a database.
    pub fn snapshot(&self, database: &str) -> Snapshot {
        self.with(database, async |client| snapshot(database, client).await)
    }

    /// The same, and checks that prepared queries read the same.
    pub fn snapshot_twice(&self, database: &str) -> Snapshot {
        self.with(database, async |client| {
            let read = snapshot(database, client).await;
            for _ in 0..2 {
                let again = catalog::read_prepared(client).await;
                let again = again.unwrap_or_else(|error| panic!("{database}: {}", words(&error)));
                assert!(again == read, "{database}: prepared queries");
            }
            read
        })
    }

    /// Dumps a database with pg_dump.
    pub fn dump(&self, database: &str) -> Dump {
        let output = Command::new(self.program("pg_dump"))
            .args(["--schema-only", "--dbname"])
            .arg(self.cluster.url(database))
            .output()
            .expect("pg_dump runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Dump::parse(&String::from_utf8_lossy(&output.stdout))
    }

    /// Runs a file with psql, ignoring errors.
    pub fn load(&self, database: &str, file: &Path) {
        let output = Command::new(self.program("psql"))
            .args(["-X", "-q", "-d"])
            .arg(self.cluster.url(database))
            .arg("-f")
            .arg(file)
            .output()
            .expect("psql runs");
        let errors = String::from_utf8_lossy(&output.stderr)
            .matches("ERROR:")
            .count();
        if errors > 0 {
            println!("{}: {errors} statements failed", file.display());
        }
    }

    fn program(&self, name: &str) -> PathBuf {
        self.binaries
            .program(name)
            .unwrap_or_else(|| panic!("{name} beside the server binaries"))
    }

    fn with<T>(&self, database: &str, work: impl AsyncFnOnce(&Client) -> T) -> T {
        self.runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.cluster.url(database), NoTls)
                .await
                .unwrap_or_else(|error| panic!("{database}: {}", words(&error)));
            let driver = tokio::spawn(connection);
            let result = work(&client).await;
            drop(client);
            // The server ends the session slightly later than the client, and copying the database would fail until then.
            let _ = driver.await;
            result
        })
    }
}

async fn snapshot(database: &str, client: &Client) -> Snapshot {
    let read = catalog::read(client).await;
    read.unwrap_or_else(|error| panic!("{database}: {}", words(&error)))
}

/// Cargo's target folder: the test binary is in `target/debug/deps`.
fn target_folder() -> PathBuf {
    let program = std::env::current_exe().expect("the test's own path");
    program
        .ancestors()
        .nth(3)
        .expect("target/debug/deps")
        .to_owned()
}

fn words(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(server) => format!("{} ({})", server.message(), server.code().code()),
        None => error.to_string(),
    }
}
