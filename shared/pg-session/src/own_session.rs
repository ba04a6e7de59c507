//! The settings under which the engine's own statements run.
//!
//! A role or a database may come with settings that make a name mean something else: under a hostile `search_path` even `=` is a
//! function of another role (CVE-2018-1058), which runs with our privileges. Therefore, every connection starts with one message that
//! pins the settings. Migration files are meant to run under the settings of the database, so they get those while they run.
//!
//! Responsible for the table of settings and the first message on a connection. Not for the limits of a file (`session`).

use tokio_postgres::SimpleQueryMessage;

use super::backoff::within;
use super::stall::{SERVER_START, own_start};
use super::{Client, ConnectError, ConnectOptions, Connection, attempt, pooler};
use domain::Phase;
use pg_address::DatabaseAddress;

/// The oldest PostgreSQL that is supported.
pub const OLDEST_SUPPORTED: u32 = 14;

/// The first version with `transaction_timeout`.
const TRANSACTION_TIMEOUT: u32 = 17;

/// Settings that control how our statements are parsed and how values are formatted. A file runs under those of its database.
///
/// `pg_temp` is listed last: if it is not listed, it is searched first.
const READING: [(&str, &str); 12] = [
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
    // Our prepared statements are planned once: their plan does not depend on the values.
    ("plan_cache_mode", "force_generic_plan"),
];

/// Limits that a role or a database sets for its application would abort our statements. Files have their own limits (`session`).
const LIMITS: [(&str, &str); 3] = [
    ("lock_timeout", "'10s'"),
    ("statement_timeout", "0"),
    ("exit_on_error", "off"),
];

/// Limits for silent sessions: a session that waits for another of ours must not be terminated; a client whose machine is gone is
/// noticed after half a minute. A session that holds the run lock has shorter limits (`session`).
const SILENCE: [(&str, &str); 5] = [
    ("idle_in_transaction_session_timeout", "0"),
    ("idle_session_timeout", "0"),
    ("tcp_keepalives_idle", "15"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
];

/// What a login reveals about the server and the database.
#[derive(Clone, Debug, Default)]
pub struct Login {
    /// The server process.
    pub(super) pid: i32,
    /// Whether it is the process that the login announced, which means that no pooler takes part in the protocol.
    pub(super) direct: bool,
    /// The server's major version.
    pub(super) major: u32,
    /// When the server started.
    pub(super) server_start: String,
    /// When the server process started.
    pub(super) backend_start: String,
    /// The schemas of the database's own `search_path`, without system schemas. An unqualified table would be created in the
    /// first.
    pub(super) schemas: Vec<String>,
}

/// How long a setting holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Until the end of the session, or until it is set again.
    Session,
    /// The same, without what [`crate::postgres::Session`] sets for the session of a file.
    FileSession,
    /// Until the end of the transaction.
    Transaction,
}

/// The limits that the session of a file has instead.
const OF_FILE_SESSION: [&str; 4] = [
    "lock_timeout",
    "statement_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
];

/// Statements that pin the engine's settings. They name no function, operator or type, so they mean the same under any
/// settings.
pub(super) fn pin(major: u32, scope: Scope) -> String {
    let (set, silence) = match scope {
        Scope::Session | Scope::FileSession => ("SET", true),
        Scope::Transaction => ("SET LOCAL", false),
    };
    settings(major, silence)
        .filter(|(name, _)| scope != Scope::FileSession || !OF_FILE_SESSION.contains(name))
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

/// Pins the settings of a new connection before any query runs on it. `second` opens another connection to the same endpoint, which
/// queries nothing but its process id.
///
/// Refuses a server that is too old, and a transaction-mode pooler: the settings would reach the next client of the server process,
/// and without them nothing can be read safely.
pub(super) async fn begin(
    address: &DatabaseAddress,
    mut connection: Connection,
    options: &ConnectOptions,
    second: impl Future<Output = Result<Connection, ConnectError>>,
    question: &str,
) -> Result<Connection, ConnectError> {
    let _measured = Phase::Session.begin();
    let beginning = async {
        let major = match connection.login.major {
            0 => ask_version(&connection.client).await?,
            known => known,
        };
        if major < OLDEST_SUPPORTED {
            return Ok(Err(major));
        }
        let announced = pooler::announced_process(&connection.client).await;
        let asked = first_message(&connection.client, major, announced, question).await?;
        let (seen, answers) = asked;
        let direct = announced == Some(seen.pid);
        let login = Login {
            major,
            direct,
            ..seen
        };
        Ok(Ok((login, answers)))
    };
    let begun = within(attempt::limit(address, options), beginning)
        .await
        .map_err(|error| ConnectError::unreachable(address, error))?;
    let begun = begun.map_err(|error| ConnectError::classify(address, error))?;
    (connection.login, connection.answers) = begun.map_err(|major| ConnectError::TooOld {
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
    // The server process is ours as long as we are connected; the pool resets it afterwards.
    connection
        .client
        .batch_execute(&pin(connection.login.major, Scope::Session))
        .await
        .map_err(|error| ConnectError::classify(address, error))?;
    Ok(connection)
}

/// Queries the version if the server does not announce it, as behind some poolers. `SHOW` looks up no names.
async fn ask_version(client: &Client) -> Result<u32, tokio_postgres::Error> {
    let messages = client.simple_query("SHOW server_version").await?;
    let version = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    Ok(version.map(major).unwrap_or_default())
}

/// The major version in a text such as `15.18 (Debian 15.18-1)` or `19devel`; 0 if there is none.
pub fn major(version: &str) -> u32 {
    let digits = version
        .find(|character: char| !character.is_ascii_digit())
        .map_or(version, |end| &version[..end]);
    digits.parse().unwrap_or_default()
}

/// Reads the settings of the database, pins ours, and asks `question` under them, in one message. Everything before the question is
/// qualified, operators too.
///
/// If the responding process is not the announced one, a pooler may assign it to an application next, so the settings end with
/// the message.
async fn first_message(
    client: &Client,
    major: u32,
    announced: Option<i32>,
    question: &str,
) -> Result<(Login, Vec<SimpleQueryMessage>), tokio_postgres::Error> {
    let announced = announced.unwrap_or_default();
    let pins: String = settings(major, true)
        .map(|(name, value)| {
            let value = value.trim_matches('\'');
            format!(", pg_catalog.set_config('{name}', '{value}', pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.<>) {announced})")
        })
        .collect();
    // Several statements: none is analyzed before the one before it has been executed.
    let message = format!(
        "SELECT pg_catalog.array_to_json(pg_catalog.current_schemas(false)); \
           SELECT pg_catalog.pg_backend_pid(), {SERVER_START}, COALESCE({}, ''){pins}; {question}",
        own_start()
    );
    let mut login = Login::default();
    let mut answers = client.simple_query(&message).await?;
    answers.retain(|message| matches!(message, SimpleQueryMessage::Row(_)));
    let asked = answers.split_off(answers.len().min(2));
    let mut rows = answers.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    if let Some(schemas) = rows.next().and_then(|row| row.get(0)) {
        let schemas: Vec<String> = serde_json::from_str(schemas).unwrap_or_default();
        login.schemas = schemas
            .into_iter()
            .filter(|schema| !schema.starts_with("pg_"))
            .collect();
    }
    if let Some(row) = rows.next() {
        let text = |index| row.get(index).unwrap_or_default().to_owned();
        login.pid = text(0).parse().unwrap_or_default();
        (login.server_start, login.backend_start) = (text(1), text(2));
    }
    Ok((login, asked))
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
            "a function could belong to another role: {sql}"
        );
        assert!(sql.contains("SET transaction_timeout = 0;"));
        assert!(!pin(16, Scope::Transaction).contains("transaction_timeout"));
    }
}
