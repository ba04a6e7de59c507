//! The error of a command that fails before its run starts. `main` prints it once.

use domain::{Diagnostic, ExitStatus, Refusal, rerun, with_causes};
use engine::inspect::ServiceError;
use engine::planning::ScriptError;
use engine::source::SourceError;
use local_server::LocalServerError;
use report::{Palette, Role, clean};
use settings::ConfigError;

/// The error of a command that fails before its run starts.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The arguments are wrong or contradict each other.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do next.
        next: String,
    },
    /// The configuration is invalid.
    #[error(transparent)]
    Config(Box<ConfigError>),
    /// The services cannot be loaded.
    #[error(transparent)]
    Source(Box<SourceError>),
    /// A script cannot be run.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// A database cannot be inspected.
    #[error(transparent)]
    Service(Box<ServiceError>),
    /// The command would not be safe.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The local server cannot be started.
    #[error(transparent)]
    LocalServer(Box<LocalServerError>),
    /// The dependency graph has a cycle or another fault.
    #[error("{message}")]
    Graph {
        /// What is wrong.
        message: String,
        /// What to do next.
        next: String,
    },
    /// A file or a stream cannot be read or written.
    #[error("{what}")]
    Io {
        /// The operation that failed.
        what: String,
        /// The cause.
        source: std::io::Error,
    },
    /// An error that another one caused, or of another part of the program.
    #[error(transparent)]
    Diagnosed(#[from] Diagnostic),
    /// The user cancelled before the run started.
    #[error("cancelled before the run started; nothing was changed")]
    Cancelled,
    /// A task or a program that this command started.
    #[error("{message}")]
    Program {
        /// What is wrong.
        message: String,
    },
}

/// Large errors are boxed, to keep the many small results small.
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
    /// An error in the arguments.
    pub fn usage(message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Usage {
            message: message.into(),
            next: next.into(),
        }
    }

    /// The exit status of the process.
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Usage { .. }
            | Self::Config(_)
            | Self::Source(_)
            | Self::Script(_)
            | Self::Graph { .. } => ExitStatus::Usage,
            // The programs are missing, or the server belongs to another project: the user must configure or install something.
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
            Self::Diagnosed(diagnostic) => diagnostic.exit_code,
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
            Self::Diagnosed(diagnostic) => diagnostic.next.clone(),
            Self::Cancelled => None,
            Self::Config(_)
            | Self::Source(_)
            | Self::Script(_)
            | Self::LocalServer(_)
            | Self::Io { .. }
            | Self::Program { .. } => Some(rerun("after correcting that")),
        }
    }

    /// The diagnostic, for an error that this one causes.
    pub fn diagnostic(&self) -> Diagnostic {
        Diagnostic {
            message: with_causes(self),
            next: self.next(),
            refusal: match self {
                Self::Refused(refusal) => Some(refusal.clone()),
                _ => None,
            },
            exit_code: self.exit_status(),
        }
    }
}

/// Renders an error with its causes and `next` for human output.
pub fn report_error(error: &CommandError, palette: Palette) -> String {
    // A cancellation is not an error: the user asked for it.
    if matches!(error, CommandError::Cancelled) {
        return palette.paint(Role::Warning, &error.to_string());
    }
    let mut printed = error.to_string();
    let mut text = format!("{} {}", palette.paint(Role::Bad, "error:"), clean(&printed));
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !printed.contains(&cause_text) {
            text.push_str(&format!("\n  because: {}", clean(&cause_text)));
            printed.push_str(&cause_text);
        }
        source = cause.source();
    }
    if let Some(next) = error.next() {
        text.push_str(&format!("\n  next: {}", clean(&next)));
    }
    text
}
