//! Why a command did not get as far as a run. Printed once, in `main`.

use crate::config::ConfigError;
use crate::domain::{ExitStatus, Refusal, rerun};
use crate::inspect::ServiceError;
use crate::planning::ScriptError;
use crate::postgres::local_server::LocalServerError;
use crate::report::{Palette, Role, clean};
use crate::source::SourceError;

/// Why a command did not get as far as a run.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The arguments do not fit together.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do next.
        next: String,
    },
    /// The configuration is wrong.
    #[error(transparent)]
    Config(Box<ConfigError>),
    /// The services are wrong.
    #[error(transparent)]
    Source(Box<SourceError>),
    /// A file cannot be run as it stands.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// A database cannot be looked at.
    #[error(transparent)]
    Service(Box<ServiceError>),
    /// It would not be safe.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The local server does not come up.
    #[error(transparent)]
    LocalServer(Box<LocalServerError>),
    /// A cycle, or another fault of the graph.
    #[error("{message}")]
    Graph {
        /// What is wrong.
        message: String,
        /// What to do next.
        next: String,
    },
    /// A file or a stream of ours.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A service stands in the way of a dry run.
    #[error("{message}")]
    Stopped {
        /// What is wrong, and where.
        message: String,
        /// What to do next.
        next: Option<String>,
        /// For the shell.
        status: ExitStatus,
    },
    /// The user cancelled before anything was begun.
    #[error("cancelled before anything was begun; nothing was changed")]
    Cancelled,
    /// A program that we call.
    #[error("{message}")]
    Program {
        /// What is wrong.
        message: String,
    },
}

/// The large ones are boxed: an error is passed up through many small results.
macro_rules! boxed {
    ($($variant:ident: $error:ty),+) => {
        $(impl From<$error> for CommandError {
            fn from(error: $error) -> Self {
                Self::$variant(Box::new(error))
            }
        })+
    };
}

boxed!(Config: ConfigError, Source: SourceError, Service: ServiceError, Refused: Refusal, LocalServer: LocalServerError);

impl CommandError {
    /// A fault of the arguments.
    pub fn usage(message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Usage {
            message: message.into(),
            next: next.into(),
        }
    }

    /// For the shell.
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Usage { .. }
            | Self::Config(_)
            | Self::Source(_)
            | Self::Script(_)
            | Self::Graph { .. } => ExitStatus::Usage,
            // Neither a server nor the programs for one: something to configure or to install.
            Self::LocalServer(error)
                if matches!(
                    **error,
                    LocalServerError::Binaries(_) | LocalServerError::NotOurs { .. }
                ) =>
            {
                ExitStatus::Usage
            }
            Self::Service(error) => error.exit_status(),
            Self::Refused(_) => ExitStatus::Refused,
            Self::Stopped { status, .. } => *status,
            Self::Cancelled => ExitStatus::Cancelled,
            Self::LocalServer(_) => ExitStatus::Unavailable,
            Self::Io { .. } | Self::Program { .. } => ExitStatus::Failed,
        }
    }

    /// What to do next.
    pub fn next(&self) -> Option<String> {
        match self {
            Self::Usage { next, .. } | Self::Graph { next, .. } => Some(next.clone()),
            Self::Refused(refusal) => Some(refusal.next.clone()),
            Self::Service(error) => error.next(),
            Self::Stopped { next, .. } => next.clone(),
            Self::Cancelled => None,
            Self::Config(_)
            | Self::Source(_)
            | Self::Script(_)
            | Self::LocalServer(_)
            | Self::Io { .. }
            | Self::Program { .. } => Some(rerun("when that is corrected")),
        }
    }
}

/// An error with its chain, as people read it.
pub fn report_error(error: &CommandError, palette: Palette) -> String {
    // What the user asked for is no error.
    if matches!(error, CommandError::Cancelled) {
        return palette.paint(Role::Warning, &error.to_string());
    }
    let mut said = error.to_string();
    let mut text = format!("{} {}", palette.paint(Role::Bad, "error:"), clean(&said));
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let words = cause.to_string();
        if !said.contains(&words) {
            text.push_str(&format!("\n  because: {}", clean(&words)));
            said.push_str(&words);
        }
        source = cause.source();
    }
    if let Some(next) = error.next() {
        text.push_str(&format!("\n  next: {}", clean(&next)));
    }
    text
}
