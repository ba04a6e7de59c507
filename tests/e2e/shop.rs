//! A service with a table, and what is done to it.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tests::{Program, Running, Server, Services, wait_until};

/// A server, a service `shop` with a table `t`, and what is done to them.
pub struct Shop {
    pub server: Server,
    pub services: Services,
    pub orchestrator: Program,
}

impl Shop {
    pub fn new() -> Self {
        Self::with(&[])
    }

    pub fn with(settings: &[(&str, &str)]) -> Self {
        let server = Server::with(settings);
        let services = Services::new();
        let orchestrator = Program::orchestrator(&server).services(&services);
        let shop = Self {
            server,
            services,
            orchestrator,
        };
        shop.file(1, "CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)");
        shop.orchestrator.expect(&["all"], 0);
        shop
    }

    /// Writes migration `version`; of 2 and above it is no-transaction.
    pub fn file(&self, version: i64, sql: &str) {
        self.services
            .service("shop", &[])
            .migration(version, "step", &marked(version, sql));
    }

    pub fn reversible(&self, version: i64, sql: &str, revert: &str) {
        self.services.service("shop", &[]).reversible(
            version,
            "step",
            &marked(version, sql),
            &marked(version, revert),
        );
    }

    pub fn all(&self, code: i32) -> Vec<Value> {
        self.orchestrator
            .expect(&["all", "--output", "json"], code)
            .events()
    }

    /// What `status` says of a migration.
    pub fn status(&self, version: i64) -> Value {
        let status = self
            .orchestrator
            .expect(&["status", "--output", "json"], 0)
            .json();
        let migrations = status["services"][0]["migrations"].as_array().unwrap();
        migrations
            .iter()
            .find(|migration| migration["version"] == version)
            .cloned()
            .unwrap_or_else(|| panic!("{status}"))
    }

    #[track_caller]
    pub fn assert_interrupted(&self, version: i64, done: usize, total: usize) {
        let migration = self.status(version);
        assert_eq!(migration["state"], "interrupted", "{migration}");
        assert_eq!(
            (&migration["done"], &migration["total"]),
            (&json!(done), &json!(total)),
            "{migration}"
        );
    }

    pub fn value(&self, sql: &str) -> String {
        self.server.value("db_shop", sql)
    }

    /// Every index of `t` with its validity.
    pub fn indexes(&self) -> Vec<Vec<String>> {
        self.server.query(
            "db_shop",
            "SELECT indexrelid::regclass, indisvalid FROM pg_index WHERE indrelid = 't'::regclass ORDER BY indexrelid::regclass::text COLLATE \"C\"",
        )
    }

    /// What `status` says that an interrupted migration has left.
    pub fn left(&self, version: i64) -> Vec<String> {
        let migration = self.status(version);
        assert_eq!(migration["state"], "interrupted", "{migration}");
        let left = migration["left"].as_array().cloned().unwrap_or_default();
        left.iter()
            .map(|what| what.as_str().expect("words").to_owned())
            .collect()
    }

    /// Every INVALID index of the database, its name qualified.
    pub fn invalid(&self) -> Vec<String> {
        self.server
            .query(
                "db_shop",
                "SELECT format('%s.%s', relnamespace::regnamespace, relname) FROM pg_index JOIN pg_class c ON c.oid = indexrelid \
                 WHERE NOT indisvalid AND relkind = 'i' ORDER BY 1",
            )
            .into_iter()
            .map(|row| row[0].clone())
            .collect()
    }

    /// Waits until a query of the database gives `t`.
    #[track_caller]
    pub fn wait_for(&self, what: &str, condition: &str) {
        wait_until(what, || self.value(&format!("SELECT {condition}")) == "t");
    }

    /// Waits until an index is built or dropped as far as that.
    #[track_caller]
    pub fn wait_for_phase(&self, phase: &str) {
        self.wait_for(
            phase,
            &format!(
                "EXISTS (SELECT FROM pg_stat_progress_create_index WHERE phase LIKE '{phase}%')"
            ),
        );
    }

    /// Waits until a statement of the engine waits for a lock.
    #[track_caller]
    pub fn wait_until_locked(&self, statement: &str) {
        self.wait_for(
            statement,
            &format!(
                "EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '{statement}%')"
            ),
        );
    }

    /// Stops a run in the middle of its statement, as `how` has it, and waits until the server process is gone.
    #[track_caller]
    pub fn stop(&self, run: Running, how: How) {
        let engine =
            "application_name LIKE 'orchestrator%' AND state <> 'idle' AND pid <> pg_backend_pid()";
        let longest = Duration::from_secs(30);
        let (code, expected) = match how {
            How::Kill => {
                run.signal(Signal::SIGKILL);
                (run.end().code, -1)
            }
            How::Terminate => {
                self.value(&format!(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {engine}"
                ));
                (run.end_within(longest).code, 5)
            }
            How::Crash => {
                self.server.cluster().stop_immediate().expect("a crash");
                self.server.cluster().start().expect("a start");
                (run.end_within(longest).code, 5)
            }
            How::Cancel => {
                run.signal(Signal::SIGINT);
                run.wait_for_event("cancel_requested");
                run.signal(Signal::SIGINT);
                (run.end_within(longest).code, 130)
            }
            How::StatementTimeout => (run.end_within(longest).code, 1),
            How::LockTimeout => (run.end_within(longest).code, 5),
        };
        assert_eq!(code, expected, "{how:?}");
        self.wait_for(
            "the server process is gone",
            &format!("NOT EXISTS (SELECT FROM pg_stat_activity WHERE {engine})"),
        );
    }
}

/// What stops a run in the middle of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// SIGKILL of the program: the server ends the statement when it looks after its client.
    Kill,
    /// `pg_terminate_backend`.
    Terminate,
    /// The server ends at once and starts again.
    Crash,
    /// Two Ctrl-C.
    Cancel,
    /// `statement-timeout` of the file.
    StatementTimeout,
    /// `concurrently_timeout`.
    LockTimeout,
}

fn marked(version: i64, sql: &str) -> String {
    if version > 1 {
        format!("-- migration: no-transaction\n{sql}")
    } else {
        sql.to_owned()
    }
}
