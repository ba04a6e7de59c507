//! Sends a text to the server, and finds out which of its statements failed.

use domain::ServerError;
use tokio_postgres::error::SqlState;

use super::fault::Fault;
use pg_session::{Client, IDLE_TIMEOUTS};
use pg_sql::Statement;

/// Runs a whole file as one simple query, and points at the statement that failed.
///
/// The server runs the statements one after another and answers each. The number of answers before the error identifies the failed
/// statement, if the server itself reports no position.
pub(super) async fn run_file(client: &Client, text: &str) -> Result<(), Fault> {
    // A byte order mark is not SQL; psql removes it, too.
    let shift = if text.starts_with('\u{feff}') {
        '\u{feff}'.len_utf8()
    } else {
        0
    };
    run_part(client, &text[shift..], shift).await
}

/// Runs a part of a file as one simple query; it begins at `start`.
pub(super) async fn run_part(client: &Client, sent: &str, start: usize) -> Result<(), Fault> {
    let mut completed = 0;
    // In a transaction the engine's own timeouts can follow in the same message: not even a moment of idleness is between the two.
    let ran = match sets_idle_timeout(sent) {
        true => {
            let guarded = format!("{sent}\n; {IDLE_TIMEOUTS}");
            client.run_script(&guarded, &mut completed).await
        }
        false => client.run_script(sent, &mut completed).await,
    };
    match ran {
        Ok(()) => Ok(()),
        Err(error) => {
            let offset = place(&error, sent, completed);
            Err(Fault::at(error, offset.map(|offset| offset + start)))
        }
    }
}

/// Runs one statement that begins at `offset` of its file.
pub(super) async fn run_statement(client: &Client, text: &str, offset: usize) -> Result<(), Fault> {
    let mut completed = 0;
    let ran = send(client, text, &mut completed).await;
    ran.map_err(|error| {
        let within = error_offset(&error, text).unwrap_or(0);
        Fault::at(error, Some(offset + within))
    })
}

/// Runs one statement and the SQL that records it, in one message and therefore in one transaction.
pub(super) async fn run_recorded(
    client: &Client,
    statement: &Statement<'_>,
    record: &str,
) -> Result<(), Fault> {
    let mut completed = 0;
    // A new line: the statement may end with a comment.
    let text = format!("{}\n; {record}", statement.text);
    let ran = send(client, &text, &mut completed).await;
    ran.map_err(|error| {
        let within = match completed {
            0 => error_offset(&error, statement.text),
            // Its commit failed, for example because of a deferred constraint.
            _ => None,
        };
        match Fault::while_committing(error) {
            Fault::Server {
                error,
                progress,
                once,
                ..
            } => Fault::Server {
                error,
                offset: Some(statement.offset + within.unwrap_or(0)),
                progress,
                once,
            },
            Fault::Lost {
                source,
                committing,
                progress,
                ..
            } => Fault::Lost {
                source,
                offset: Some(statement.offset),
                committing,
                progress,
            },
            other => other,
        }
    })
}

/// Sends a text. If it may set an idle timeout, the engine's own timeouts follow in the same round trip: between two requests the
/// server would otherwise end the session as soon as the file's timeout expires.
async fn send(
    client: &Client,
    text: &str,
    completed: &mut usize,
) -> Result<(), tokio_postgres::Error> {
    if !sets_idle_timeout(text) {
        return client.run_script(text, completed).await;
    }
    // The second message fails after an error in a transaction, which is rolled back with its timeouts.
    let (ran, _) = tokio::join!(
        biased;
        client.run_script(text, completed),
        client.batch_execute(IDLE_TIMEOUTS),
    );
    ran
}

fn sets_idle_timeout(text: &str) -> bool {
    let settings = [
        "idle_session_timeout",
        "idle_in_transaction_session_timeout",
    ];
    settings
        .iter()
        .any(|setting| pg_sql::mentions(text, setting))
}

/// The place of an error in a file of several statements.
///
/// The position from the server is trusted only within the failed statement: PostgreSQL also reports positions in texts of its own,
/// such as the definition of an index that it rebuilds.
fn place(error: &tokio_postgres::Error, sent: &str, completed: usize) -> Option<usize> {
    let named = error_offset(error, sent);
    // The server parses the whole file before it runs the first statement.
    if completed == 0 && error.code() == Some(&SqlState::SYNTAX_ERROR) {
        return named;
    }
    let statements = pg_sql::split(sent).ok()?;
    let statement = statements.get(completed)?;
    let end = statement.offset + statement.text.len();
    named
        .filter(|offset| (statement.offset..=end).contains(offset))
        .or(Some(statement.offset))
}

/// The position in the sent text that the server points at; `None` if it points at a text of its own.
fn error_offset(error: &tokio_postgres::Error, sent: &str) -> Option<usize> {
    let position = ServerError::from_error(error)?.position?;
    pg_sql::position_of_character(sent, position)
}
