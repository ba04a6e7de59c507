//! A client of the test's own, for standing in the way.

use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::Server;

/// A connection that stays open until it is dropped.
pub struct Session {
    client: Client,
    runtime: Runtime,
}

impl Server {
    /// Connects to a database.
    pub fn session(&self, database: &str) -> Session {
        connect(&self.url(database))
    }

    /// Connects to a database as another role.
    pub fn session_as(&self, role: &str, password: &str, database: &str) -> Session {
        connect(&self.url_as(role, password, database))
    }
}

fn connect(url: &str) -> Session {
    let runtime = crate::server::runtime();
    let client = runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls)
            .await
            .expect("a connection");
        tokio::spawn(connection);
        client
    });
    Session { client, runtime }
}

impl Session {
    /// Runs SQL. Panics on an error.
    pub fn run(&self, sql: &str) {
        self.runtime
            .block_on(self.client.batch_execute(sql))
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// Runs SQL that must fail.
    pub fn fails(&self, sql: &str) {
        let outcome = self.runtime.block_on(self.client.batch_execute(sql));
        assert!(outcome.is_err(), "{sql} succeeds");
    }

    /// Runs SQL; gives the error.
    pub fn try_run(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        self.runtime.block_on(self.client.batch_execute(sql))
    }

    /// The first value of a query.
    pub fn value(&self, sql: &str) -> String {
        let messages = self
            .runtime
            .block_on(self.client.simple_query(sql))
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        messages
            .iter()
            .find_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            })
            .unwrap_or_default()
    }

    /// The server process.
    pub fn pid(&self) -> i64 {
        self.value("SELECT pg_backend_pid()")
            .parse()
            .expect("a number")
    }
}
