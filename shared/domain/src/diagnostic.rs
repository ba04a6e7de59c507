//! An error as it is reported: message, next command and exit code.

use std::fmt::Display;

use super::{ExitStatus, Refusal};

/// An error as it is reported. Whatever wraps an error wraps its diagnostic, and thereby keeps the exit code of the cause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Diagnostic {
    /// What is wrong, where, and why, in one line.
    pub message: String,
    /// What to do next, if the message does not already imply it.
    pub next: Option<String>,
    /// The refusal, if it is one.
    pub refusal: Option<Box<Refusal>>,
    /// The exit code.
    pub exit_code: ExitStatus,
}

impl Diagnostic {
    /// Creates the diagnostic of an error without a cause of its own.
    pub fn new(exit_code: ExitStatus, message: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            next: Some(next.into()),
            refusal: None,
            exit_code,
        }
    }

    /// Puts what failed before the cause.
    #[must_use]
    pub fn within(self, what: impl Display) -> Self {
        Self {
            message: format!("{what}: {}", self.message),
            ..self
        }
    }

    /// Replaces the next command, where the one of the cause would not lead to the end.
    #[must_use]
    pub fn with_next(self, next: impl Into<String>) -> Self {
        Self {
            next: Some(next.into()),
            ..self
        }
    }

    /// Sets the next command, if the cause has none.
    #[must_use]
    pub fn or_next(self, next: impl FnOnce() -> String) -> Self {
        Self {
            next: self.next.or_else(|| Some(next())),
            ..self
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
