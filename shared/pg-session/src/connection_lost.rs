//! How a connection is lost.

use std::error::Error as _;
use std::io;

use tokio_postgres::error::Severity;

/// Whether the connection is gone: the server closed it, the network broke, or the server ended the session, which it
/// reports as FATAL.
#[must_use]
pub fn is_connection_lost(error: &tokio_postgres::Error) -> bool {
    match error.as_db_error() {
        Some(said) => {
            let code = said.code().code();
            code.starts_with("08")
                || matches!(code, "57P01" | "57P02" | "57P03" | "57P05")
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
