//! Errors and notices of a server, as data.

use tokio_postgres::error::{DbError, ErrorPosition, SqlState};

use super::{ErrorObject, mask_key, mask_row, mask_secrets};

/// An error or a notice of a PostgreSQL server. Source: PostgreSQL documentation, "Error and Notice Message Fields".
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
#[error("{severity}: {message} (SQLSTATE {sqlstate}){}", self.rest())]
pub struct ServerError {
    /// `ERROR`, `FATAL`, `NOTICE` and so on, never translated.
    pub severity: String,
    /// The SQLSTATE, five characters.
    pub sqlstate: String,
    pub message: String,
    /// Details; may have several lines.
    pub detail: Option<String>,
    /// The server's hint.
    pub hint: Option<String>,
    /// The position in the sent text, in characters from 1.
    pub position: Option<u32>,
    /// The position in `internal_query`, in characters from 1.
    pub internal_position: Option<u32>,
    /// The text of a statement that the server generated itself, such as one of a function.
    pub internal_query: Option<String>,
    /// The call stack inside the server.
    pub where_: Option<String>,
    /// The schema that the error is about.
    pub schema: Option<String>,
    /// The table that the error is about.
    pub table: Option<String>,
    /// The column that the error is about.
    pub column: Option<String>,
    /// The data type that the error is about.
    pub data_type: Option<String>,
    /// The constraint that the error is about.
    pub constraint: Option<String>,
    /// The function of the server's source code that reported the error.
    pub routine: Option<String>,
}

/// The name of the journal's key, by which the server decides which writer adds the newest row.
pub const CHAIN_CONSTRAINT: &str = "journal_chain";

impl ServerError {
    /// The SQLSTATE, to be compared.
    #[must_use]
    pub fn code(&self) -> SqlState {
        SqlState::from_code(&self.sqlstate)
    }

    /// Whether a row was there that the history was not to have, or its table was not.
    #[must_use]
    pub fn is_of_a_changed_history(&self) -> bool {
        let codes = [SqlState::UNIQUE_VIOLATION, SqlState::UNDEFINED_TABLE];
        codes.contains(&self.code()) && !self.is_place_taken()
    }

    /// Whether another row took the place in the journal's chain concurrently: a retry appends this one after it.
    #[must_use]
    pub fn is_place_taken(&self) -> bool {
        self.code() == SqlState::UNIQUE_VIOLATION
            && self.schema.as_deref() == Some("orchestrator")
            && self.constraint.as_deref() == Some(CHAIN_CONSTRAINT)
    }

    /// The object that it is about, if the server names one.
    #[must_use]
    pub fn object(&self) -> Option<ErrorObject> {
        let object = ErrorObject {
            schema: self.schema.clone(),
            table: self.table.clone(),
            column: self.column.clone(),
            data_type: self.data_type.clone(),
            constraint: self.constraint.clone(),
        };
        let is_named = [&object.table, &object.data_type, &object.constraint];
        is_named.iter().any(|it| it.is_some()).then_some(object)
    }

    /// The object and the detail, as the end of the message.
    fn rest(&self) -> String {
        let object = self.object().map(|object| format!("; {object}"));
        let detail = self.detail.as_ref().map(|detail| format!("; {detail}"));
        [object, detail].into_iter().flatten().collect()
    }

    /// The error of the server; `None` if it sent none, as when the connection was lost.
    #[must_use]
    pub fn from_error(error: &tokio_postgres::Error) -> Option<Self> {
        error.as_db_error().map(Self::from)
    }
}

impl From<&DbError> for ServerError {
    fn from(error: &DbError) -> Self {
        let (position, internal_position, internal_query) = match error.position() {
            Some(ErrorPosition::Original(position)) => (Some(*position), None, None),
            Some(ErrorPosition::Internal { position, query }) => {
                (None, Some(*position), Some(shown(query)))
            }
            None => (None, None, None),
        };
        let text = |value: Option<&str>| value.map(shown);
        Self {
            severity: error.parsed_severity().map_or_else(
                || error.severity().to_owned(),
                |severity| severity.to_string(),
            ),
            sqlstate: error.code().code().to_owned(),
            message: shown(error.message()),
            detail: text(error.detail()).map(|detail| without_row(error.code(), detail)),
            hint: text(error.hint()),
            position,
            internal_position,
            internal_query,
            where_: text(error.where_()),
            schema: text(error.schema()),
            table: text(error.table()),
            column: text(error.column()),
            data_type: text(error.datatype()),
            constraint: text(error.constraint()),
            routine: text(error.routine()),
        }
    }
}

/// The message of the server as it may be shown and recorded: it can repeat parts of statements.
fn shown(text: &str) -> String {
    mask_secrets(text).into_owned()
}

/// The details of violated constraints repeat values of the row.
fn without_row(code: &SqlState, detail: String) -> String {
    if [SqlState::NOT_NULL_VIOLATION, SqlState::CHECK_VIOLATION].contains(code) {
        mask_row(&detail)
    } else if code.code().starts_with("23") {
        mask_key(&detail)
    } else {
        detail
    }
}
