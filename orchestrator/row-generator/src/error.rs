//! Errors of reading and generating rows.

use domain::{Diagnostic, ExitStatus, ServerError};
use pg_session::is_connection_lost;
use tokio_postgres::error::SqlState;

/// Why rows could not be read or generated.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    #[error("cannot read the rows of the scratch database")]
    Query(#[source] Box<ServerError>),
    #[error("lost the connection to the scratch database")]
    Connection(#[source] tokio_postgres::Error),
    #[error("a catalog query on the scratch database returned an unexpected result")]
    Unreadable(#[from] serde_json::Error),
}

impl From<tokio_postgres::Error> for RowsError {
    fn from(error: tokio_postgres::Error) -> Self {
        match ServerError::from_error(&error) {
            // A server that ends the session reports why.
            Some(server_error) if !is_connection_lost(&error) => {
                Self::Query(Box::new(server_error))
            }
            _ => Self::Connection(error),
        }
    }
}

impl From<RowsError> for Diagnostic {
    fn from(error: RowsError) -> Self {
        let passes = match &error {
            RowsError::Query(error) => {
                // Or the server is out of resources.
                error.code() == SqlState::LOCK_NOT_AVAILABLE || error.sqlstate.starts_with("53")
            }
            // Without a lost connection, the response could not be decoded.
            RowsError::Connection(error) => is_connection_lost(error),
            RowsError::Unreadable(_) => false,
        };
        let exit_code = match passes {
            true => ExitStatus::Unavailable,
            false => ExitStatus::Failed,
        };
        Self::of(exit_code, &error, None)
    }
}
