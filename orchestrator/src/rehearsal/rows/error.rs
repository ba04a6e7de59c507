//! Errors of reading and generating rows.

use shared::postgres::ServerError;

/// Why rows could not be read or generated.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// A query failed.
    #[error("cannot read the rows of the scratch database")]
    Query(#[source] Box<ServerError>),
    /// The connection is lost.
    #[error("lost the connection to the scratch database")]
    Connection(#[source] tokio_postgres::Error),
    /// A catalog query returned an unexpected result.
    #[error("a catalog query on the scratch database returned an unexpected result")]
    Unreadable(#[from] serde_json::Error),
}

impl From<tokio_postgres::Error> for RowsError {
    fn from(error: tokio_postgres::Error) -> Self {
        match ServerError::from_error(&error) {
            Some(error) => Self::Query(Box::new(error)),
            None => Self::Connection(error),
        }
    }
}
