//! How a connection is lost.

use std::error::Error as _;
use std::io;

use tokio_postgres::error::{Severity, SqlState};

/// The server ends the session.
const ENDING: [SqlState; 4] = [
    SqlState::ADMIN_SHUTDOWN,
    SqlState::CRASH_SHUTDOWN,
    SqlState::CANNOT_CONNECT_NOW,
    SqlState::IDLE_SESSION_TIMEOUT,
];

/// Whether the connection is gone: the server closed it, the network broke, or the server ended the session, which it
/// reports as FATAL.
#[must_use]
pub fn is_connection_lost(error: &tokio_postgres::Error) -> bool {
    match error.as_db_error() {
        Some(said) => {
            let code = said.code();
            code.code().starts_with("08")
                || ENDING.contains(code)
                || matches!(
                    said.parsed_severity(),
                    Some(Severity::Fatal | Severity::Panic)
                )
        }
        None => {
            error.is_closed()
                || error
                    .source()
                    .is_some_and(|source| source.is::<io::Error>())
        }
    }
}
