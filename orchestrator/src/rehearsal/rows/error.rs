//! Why rows could not be looked at.

use shared::postgres::ServerError;

/// Why rows could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// A query of ours failed.
    #[error("the rows of the scratch database cannot be looked at")]
    Query(#[source] Box<ServerError>),
    /// The connection is gone.
    #[error("the connection to the scratch database is lost")]
    Connection(#[source] tokio_postgres::Error),
    /// The catalog answered in another form than it has.
    #[error("the catalog of the scratch database has a form that is not known")]
    Unreadable(#[from] serde_json::Error),
}

impl From<tokio_postgres::Error> for RowsError {
    fn from(error: tokio_postgres::Error) -> Self {
        match ServerError::from_error(&error) {
            Some(said) => Self::Query(Box::new(said)),
            None => Self::Connection(error),
        }
    }
}
