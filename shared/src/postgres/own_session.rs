//! The settings of a session of ours: what holds while statements of our own run.
//!
//! A role or a database may come with settings that make a name mean something else: under a hostile `search_path` even `=` is a
//! function of somebody else (CVE-2018-1058), and runs with our rights. So every connection begins with one message that
//! pins the settings, and files, which are meant to run under the settings of the database, get these for as long as they run.
//!
//! Responsible for the table of settings, and for the first message on a connection. Not for what a file's limits are (`session`). Floor 2.

use tokio_postgres::SimpleQueryMessage;

use super::connection::no_answer;
use super::{Client, ConnectError, ConnectOptions, Connection, attempt, pooler};
use crate::config::DatabaseAddress;

/// The oldest PostgreSQL that is supported.
pub const OLDEST_SUPPORTED: u32 = 14;

/// Transactions have a time limit since this version.
const TRANSACTION_TIMEOUT: u32 = 17;

/// How statements of ours are read, and how values come out. A file runs under those of its database instead.
///
/// `pg_temp` comes last: unnamed, it is searched first.
const READING: [(&str, &str); 11] = [
    ("search_path", "pg_catalog, pg_temp"),
    ("row_security", "off"),
    ("client_encoding", "'UTF8'"),
    ("standard_conforming_strings", "on"),
    ("quote_all_identifiers", "off"),
    ("transform_null_equals", "off"),
    ("array_nulls", "on"),
    ("datestyle", "'ISO'"),
    ("intervalstyle", "'postgres'"),
    ("bytea_output", "'hex'"),
    ("extra_float_digits", "1"),
];

/// Limits that a role or a database has for its application would end our statements. Files have limits of their own (`session`).
const LIMITS: [(&str, &str); 3] = [
    ("lock_timeout", "'10s'"),
    ("statement_timeout", "0"),
    ("exit_on_error", "off"),
];

/// What ends a silent session: a session that waits for another of ours is not to be ended, a client whose machine is gone is noticed
/// after half a minute. One that holds the lock of a run may be silent for less long (`session`).
const SILENCE: [(&str, &str); 5] = [
    ("idle_in_transaction_session_timeout", "0"),
    ("idle_session_timeout", "0"),
    ("tcp_keepalives_idle", "15"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
];

/// What a login shows of the server and the database.
#[derive(Clone, Debug, Default)]
pub struct Login {
    /// The server process.
    pub(super) pid: i32,
    /// Whether it is the one that the login announced: nothing takes part in the protocol between us and the server, as a pooler does.
    pub(super) direct: bool,
    /// The first number of the server's version.
    pub(super) major: u32,
    /// The schemas in which the database's own settings look up names, those of the system aside: the first is where an
    /// unqualified table would be created.
    pub(super) schemas: Vec<String>,
}

/// How long a setting holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// To the end of the session, or until it is set again.
    Session,
    /// To the end of the transaction.
    Transaction,
}

/// Statements that set what holds for statements of ours. They name no function, operator or type: they mean the same under any
/// settings.
pub(super) fn pin(major: u32, scope: Scope) -> String {
    let (set, silence) = match scope {
        Scope::Session => ("SET", true),
        Scope::Transaction => ("SET LOCAL", false),
    };
    settings(major, silence)
        .map(|(name, value)| format!("{set} {name} = {value}; "))
        .collect()
}

/// Statements that give a file the settings of its database; the limits stay as they are.
pub(super) fn unpin() -> String {
    READING
        .iter()
        .map(|(name, _)| format!("RESET {name}; "))
        .collect()
}

fn settings(major: u32, silence: bool) -> impl Iterator<Item = (&'static str, &'static str)> {
    let transaction_timeout =
        (major >= TRANSACTION_TIMEOUT).then_some(("transaction_timeout", "0"));
    READING
        .into_iter()
        .chain(LIMITS)
        .chain(transaction_timeout)
        .chain(SILENCE.into_iter().filter(move |_| silence))
}

/// Makes a new connection one of ours, before anything is asked on it. `second` opens another one to the same place, on which nothing
/// but the number of its process is asked.
///
/// Refuses a server that is too old, and a pooler in transaction mode: settings would reach whoever gets the server process next, and
/// without them nothing can be read safely.
pub(super) async fn begin(
    address: &DatabaseAddress,
    mut connection: Connection,
    options: &ConnectOptions,
    second: impl Future<Output = Result<Connection, ConnectError>>,
) -> Result<Connection, ConnectError> {
    let beginning = async {
        let major = match connection.login.major {
            0 => ask_version(&connection.client).await?,
            known => known,
        };
        if major < OLDEST_SUPPORTED {
            return Ok(Err(major));
        }
        let announced = pooler::announced_process(&connection.client).await;
        let seen = first_message(&connection.client, major, announced).await?;
        let direct = announced == Some(seen.pid);
        Ok(Ok(Login {
            major,
            direct,
            ..seen
        }))
    };
    let begun = match attempt::limit(address, options) {
        Some(limit) => tokio::time::timeout(limit, beginning)
            .await
            .map_err(|_| ConnectError::unreachable(address, no_answer(limit)))?,
        None => beginning.await,
    };
    let begun = begun.map_err(|error| ConnectError::classify(address, error))?;
    connection.login = begun.map_err(|major| ConnectError::TooOld {
        address: address.to_string(),
        major,
    })?;
    if connection.login.direct {
        return Ok(connection);
    }
    if pooler::shares_its_process(address, &connection, second).await? {
        return Err(ConnectError::Pooled {
            address: address.to_string(),
        });
    }
    // The server process is ours for as long as we are connected; the pool cleans it afterwards.
    connection
        .client
        .batch_execute(&pin(connection.login.major, Scope::Session))
        .await
        .map_err(|error| ConnectError::classify(address, error))?;
    Ok(connection)
}

/// Of a server that does not announce its version, as behind some poolers. `SHOW` looks up no names.
async fn ask_version(client: &Client) -> Result<u32, tokio_postgres::Error> {
    let messages = client.simple_query("SHOW server_version").await?;
    let version = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    Ok(version.map(major).unwrap_or_default())
}

/// The first number of a version such as `15.18 (Debian 15.18-1)` or `19devel`; 0 where there is none.
pub(super) fn major(version: &str) -> u32 {
    let digits = version
        .find(|character: char| !character.is_ascii_digit())
        .map_or(version, |end| &version[..end]);
    digits.parse().unwrap_or_default()
}

/// Reads what the database's settings are, and pins ours, in one message. Everything in it is qualified, operators too.
///
/// Where the process that answers is not the announced one, a pooler may give it to an application next: there the settings end with
/// the message.
async fn first_message(
    client: &Client,
    major: u32,
    announced: Option<i32>,
) -> Result<Login, tokio_postgres::Error> {
    let announced = announced.unwrap_or_default();
    let pins: String = settings(major, true)
        .map(|(name, value)| {
            let value = value.trim_matches('\'');
            format!(", pg_catalog.set_config('{name}', '{value}', pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.<>) {announced})")
        })
        .collect();
    // Two statements: the second is not even looked at before the first has been answered.
    let message = format!(
        "SELECT pg_catalog.array_to_json(pg_catalog.current_schemas(false)); SELECT pg_catalog.pg_backend_pid(){pins}"
    );
    let mut login = Login::default();
    let rows = client.simple_query(&message).await?;
    let mut rows = rows.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    if let Some(schemas) = rows.next() {
        let schemas: Vec<String> = serde_json::from_str(schemas).unwrap_or_default();
        login.schemas = schemas
            .into_iter()
            .filter(|schema| !schema.starts_with("pg_"))
            .collect();
    }
    login.pid = rows
        .next()
        .and_then(|pid| pid.parse().ok())
        .unwrap_or_default();
    Ok(login)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_of_a_version() {
        for (version, number) in [
            ("15.18 (Debian 15.18-1)", 15),
            ("9.6.24", 9),
            ("19devel", 19),
            ("18beta1", 18),
            ("14", 14),
            ("", 0),
            ("EnterpriseDB", 0),
        ] {
            assert_eq!(major(version), number, "{version}");
        }
    }

    #[test]
    fn settings_are_literals_and_words() {
        let sql = format!("{}{}", pin(18, Scope::Session), unpin());
        assert!(
            !sql.contains('('),
            "a function could be somebody else's: {sql}"
        );
        assert!(sql.contains("SET transaction_timeout = 0;"));
        assert!(!pin(16, Scope::Transaction).contains("transaction_timeout"));
    }
}
