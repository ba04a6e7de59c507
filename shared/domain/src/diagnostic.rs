//! An error as it is reported: what is wrong, why, the next command, and the exit code.

use std::error::Error;
use std::fmt::Display;

use schemars::JsonSchema;
use serde::Serialize;
use tokio_postgres::error::SqlState;

use super::causes::layers;
use super::{ErrorObject, ExitStatus, Refusal, ServerError, rerun};

/// An error as it is reported. Each error type is converted to it once, beside its code; whatever wraps an error wraps its
/// diagnostic, and thereby keeps its cause, its next command and its exit code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, thiserror::Error)]
#[serde(into = "Fields")]
#[schemars(with = "Fields")]
#[error("{message}{}", causes.iter().map(|cause| format!(": {cause}")).collect::<String>())]
pub struct Diagnostic {
    /// What is wrong, and where.
    pub message: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// The error of the server, if it sent one.
    pub server_error: Option<Box<ServerError>>,
    /// What to do next, if the message does not already imply it.
    pub next: Option<String>,
    /// The refusal, if it is one.
    pub refusal: Option<Box<Refusal>>,
    pub exit_code: ExitStatus,
}

impl Diagnostic {
    /// Creates the diagnostic of an error without a cause and a next command of its own.
    pub fn bare(exit_code: ExitStatus, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            causes: Vec::new(),
            server_error: None,
            next: None,
            refusal: None,
            exit_code,
        }
    }

    /// Creates the diagnostic of an error without a cause of its own.
    pub fn new(exit_code: ExitStatus, message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::bare(exit_code, message).with_next(next)
    }

    /// Creates the diagnostic of an error with its causes.
    pub fn of(exit_code: ExitStatus, error: &dyn Error, next: Option<String>) -> Self {
        let (message, causes, server_error) = layers(error);
        Self {
            causes,
            server_error,
            next,
            ..Self::bare(exit_code, message)
        }
    }

    /// The arguments, or the configuration or the files that they name, are wrong.
    pub fn usage(message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(ExitStatus::Usage, message, next)
    }

    /// The configuration or the files are wrong, as the error describes.
    pub fn invalid(error: &dyn Error) -> Self {
        Self::of(ExitStatus::Usage, error, Some(rerun(CORRECTED)))
    }

    /// A file, a stream, a task or a program of this command failed.
    pub fn failed(what: impl Into<String>, cause: &dyn Error) -> Self {
        Self::of(ExitStatus::Failed, cause, Some(rerun(CORRECTED))).within(what.into())
    }

    /// The user cancelled before anything started.
    pub fn cancelled() -> Self {
        Self::bare(
            ExitStatus::Cancelled,
            "cancelled before the run started; nothing was changed",
        )
    }

    /// The SQLSTATE, if the server sent an error.
    pub fn code(&self) -> Option<SqlState> {
        self.server_error.as_ref().map(|it| it.code())
    }

    /// Whether the user cancelled, which is not an error.
    pub fn is_cancelled(&self) -> bool {
        self.exit_code == ExitStatus::Cancelled
    }

    /// Puts what failed before the cause.
    #[must_use]
    pub fn within(mut self, what: impl Display) -> Self {
        let cause = std::mem::replace(&mut self.message, what.to_string());
        self.causes.insert(0, cause);
        self
    }

    /// Replaces the next command, where the one of the cause would not lead to the end.
    #[must_use]
    pub fn with_next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Sets the next command, if the cause has none.
    #[must_use]
    pub fn or_next(mut self, next: impl FnOnce() -> String) -> Self {
        self.next.get_or_insert_with(next);
        self
    }
}

/// What the user does before a rerun, if the message already names it.
const CORRECTED: &str = "after correcting that";

impl From<Refusal> for Diagnostic {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal: Some(Box::new(refusal.clone())),
            ..Self::new(ExitStatus::Refused, refusal.to_string(), refusal.next)
        }
    }
}

/// What a diagnostic has in JSON besides its message.
#[derive(Serialize, JsonSchema)]
struct Cause {
    #[serde(skip_serializing_if = "Option::is_none")]
    sqlstate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<ErrorObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    next: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<Box<Refusal>>,
    exit_code: ExitStatus,
}

impl From<Diagnostic> for Cause {
    fn from(error: Diagnostic) -> Self {
        let server = error.server_error.as_deref();
        Self {
            sqlstate: server.map(|it| it.sqlstate.clone()),
            detail: server.and_then(|it| it.detail.clone()),
            object: server.and_then(ServerError::object),
            hint: server.and_then(|it| it.hint.clone()),
            next: error.next,
            refusal: error.refusal,
            exit_code: error.exit_code,
        }
    }
}

/// A diagnostic in JSON.
#[derive(Serialize, JsonSchema)]
struct Fields {
    message: String,
    #[serde(flatten)]
    cause: Cause,
}

impl From<Diagnostic> for Fields {
    fn from(error: Diagnostic) -> Self {
        Self {
            message: error.to_string(),
            cause: error.into(),
        }
    }
}

/// The diagnostic of an entry in a JSON document, where the message is named `error`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(into = "EntryFields")]
pub struct ErrorEntry(pub Diagnostic);

#[derive(Serialize, JsonSchema)]
struct EntryFields {
    error: String,
    #[serde(flatten)]
    cause: Cause,
}

impl From<ErrorEntry> for EntryFields {
    fn from(ErrorEntry(error): ErrorEntry) -> Self {
        Self {
            error: error.to_string(),
            cause: error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wraps_an_error_keeps_its_exit_code_and_its_next_command() {
        let cause = Diagnostic::new(ExitStatus::Unavailable, "connection closed", "status");
        let wrapped = cause
            .within("cannot reach one")
            .or_next(|| "rerun".to_owned());
        assert_eq!(wrapped.to_string(), "cannot reach one: connection closed");
        assert_eq!(wrapped.exit_code, ExitStatus::Unavailable);
        assert_eq!(wrapped.next.as_deref(), Some("status"));
        assert_eq!(wrapped.with_next("doctor").next.as_deref(), Some("doctor"));
    }
}
