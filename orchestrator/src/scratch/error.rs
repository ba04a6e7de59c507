//! Why migrations could not be replayed.

use shared::command::CommandError;
use shared::domain::{ExitStatus, Failure, Refusal, with_causes};
use shared::inspect::ServiceError;
use shared::postgres::{ConnectError, ServerError};

/// Why migrations could not be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    /// The scratch server cannot be reached.
    #[error("the scratch server cannot be used")]
    Connect(#[source] ConnectError),
    /// It does not let us make a database.
    #[error("no scratch database can be made on {server}: {message}")]
    MayNotCreate {
        /// The server.
        server: String,
        /// What it said.
        message: String,
    },
    /// A migration does not run there.
    #[error("the migrations of {service} cannot be replayed on an empty database: {trouble}")]
    Replay {
        /// The service.
        service: String,
        /// File, line, and what PostgreSQL said.
        trouble: String,
        /// The step that failed, where it was one.
        failure: Option<Box<Failure>>,
    },
    /// A migration would change more than its database.
    #[error(
        "{path}:{line}: {statement} reaches beyond its database, and would change the live server"
    )]
    ClusterWide {
        /// The file.
        path: String,
        /// The line of the statement, 1-based.
        line: u32,
        /// Its first words.
        statement: String,
    },
    /// What stands on a scratch database could not be found out.
    #[error("the scratch database cannot be looked at")]
    Look(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A statement of ours failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The choice of a server is not one.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl ScratchError {
    /// An error of a connection that is kept for looking after databases.
    pub(super) fn query(server: &str, error: &tokio_postgres::Error) -> Self {
        Self::MayNotCreate {
            server: server.to_owned(),
            message: ServerError::from_error(error)
                .map_or_else(|| error.to_string(), |error| error.to_string()),
        }
    }

    /// The whole chain in one line.
    pub fn chain(&self) -> String {
        with_causes(self)
    }

    /// What to do next.
    pub fn next(&self) -> Option<String> {
        match self {
            Self::Connect(_) | Self::MayNotCreate { .. } => Some(
                "choose another with --scratch-server: local, same, or a URL with the right to create databases"
                    .to_owned(),
            ),
            Self::Replay { .. } => Some(
                "mend what is missing there (an extension, a role), or choose a server like the live one with --scratch-server"
                    .to_owned(),
            ),
            Self::ClusterWide { .. } => {
                Some("replay it elsewhere: --scratch-server local, or a URL".to_owned())
            }
            Self::Look(_) => None,
            Self::Service(error) => error.next(),
            Self::Command(error) => error.next(),
        }
    }

    /// The step that failed because of its file: not because a server, a connection or a lock was not to be had.
    pub fn failure_of_file(&self) -> Option<&Failure> {
        /// The server stops, is full, or its machine fails.
        const NOT_OF_THE_FILE: [&str; 4] = ["57P", "53", "58", "XX"];
        match self {
            Self::Replay {
                failure: Some(failure),
                ..
            } => Some(failure.as_ref()).filter(|failure| {
                failure.exit_code == ExitStatus::Failed
                    && failure.sqlstate.as_ref().is_some_and(|code| {
                        !NOT_OF_THE_FILE.iter().any(|class| code.starts_with(class))
                    })
            }),
            _ => None,
        }
    }

    /// The refusal, where it is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Service(ServiceError::Refused(refusal)) => Some(refusal),
            _ => None,
        }
    }

    /// The exit code that it leads to.
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Connect(error) => error.exit_status(),
            Self::MayNotCreate { .. } | Self::Replay { .. } | Self::Look(_) => ExitStatus::Failed,
            Self::ClusterWide { .. } => ExitStatus::Refused,
            Self::Service(error) => error.exit_status(),
            Self::Command(error) => error.exit_status(),
        }
    }
}

impl From<ScratchError> for CommandError {
    fn from(error: ScratchError) -> Self {
        match error {
            ScratchError::Command(error) => error,
            error => Self::Stopped {
                message: with_causes(&error),
                next: error.next(),
                status: error.exit_status(),
            },
        }
    }
}

impl From<Refusal> for ScratchError {
    fn from(refusal: Refusal) -> Self {
        Self::Service(refusal.into())
    }
}
