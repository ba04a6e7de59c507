//! Why migrations could not be replayed.

use shared::command::CommandError;
use shared::domain::{ExitStatus, Failure, Refusal, called, rerun, with_causes};
use shared::inspect::ServiceError;
use shared::postgres::{ConnectError, ServerError, is_connection_lost};
use tokio_postgres::error::SqlState;

/// Whether an error of a server passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passes {
    /// Not by itself.
    No,
    /// When the server can be reached again, or whoever stands in the way has ended.
    Later,
    /// When others give connections back.
    WithFewerConnections,
}

impl Passes {
    /// Of an attempt to connect.
    pub(super) fn of_connect(error: &ConnectError) -> Self {
        if error.is_transient() {
            Self::WithFewerConnections
        } else if error.is_unreachable() {
            Self::Later
        } else {
            Self::No
        }
    }

    /// Of a statement.
    pub(super) fn of(error: &tokio_postgres::Error) -> Self {
        // Lock timeout, database in use, out of resources.
        const LATER: [&str; 3] = ["55P03", "55006", "53"];
        let code = error.code().map(SqlState::code).unwrap_or_default();
        if is_connection_lost(error) || LATER.iter().any(|class| code.starts_with(class)) {
            Self::Later
        } else {
            Self::No
        }
    }
}

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
        /// Whether waiting can help, and for what.
        passes: Passes,
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
        /// The exit code that it led to.
        status: ExitStatus,
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
                .map_or_else(|| with_causes(error), |error| error.to_string()),
            passes: Passes::of(error),
        }
    }

    /// An error of making a database.
    pub(super) fn creating(server: &str, error: ConnectError) -> Self {
        match error {
            error @ ConnectError::Right { .. } => Self::Connect(error),
            error => Self::MayNotCreate {
                server: server.to_owned(),
                message: with_causes(&error),
                passes: Passes::of_connect(&error),
            },
        }
    }

    /// The whole chain in one line.
    pub fn chain(&self) -> String {
        with_causes(self)
    }

    /// What to do next.
    pub fn next(&self) -> Option<String> {
        match self {
            // The SQL ends in a comment.
            Self::Connect(error @ ConnectError::Right { .. }) => error
                .next()
                .map(|sql| format!("{sql}; or choose another server with --scratch-server")),
            Self::Connect(_) | Self::MayNotCreate { .. } => Some(rerun(
                "with another --scratch-server: local, same, or a URL with the right to create databases",
            )),
            Self::Replay { .. } => Some(rerun(
                "first fix what is missing there (an extension, a role), or give a server like the live one with --scratch-server",
            )),
            Self::ClusterWide { .. } => Some(
                called()
                    .without_option("--scratch-server")
                    .with(["--scratch-server", "local"])
                    .to_string(),
            ),
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

    /// Whether another attempt may find the connections that this one did not, once it has given its own back.
    pub fn wants_connections(&self) -> bool {
        match self {
            Self::Connect(error) | Self::Service(ServiceError::Connect(error)) => {
                error.is_transient()
            }
            Self::MayNotCreate { passes, .. } => *passes == Passes::WithFewerConnections,
            _ => false,
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
            Self::MayNotCreate { passes, .. } => match passes {
                Passes::No => ExitStatus::Failed,
                Passes::Later | Passes::WithFewerConnections => ExitStatus::Unavailable,
            },
            Self::Replay { status, .. } => *status,
            Self::Look(error) if is_lost(error.as_ref()) => ExitStatus::Unavailable,
            Self::Look(_) => ExitStatus::Failed,
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

/// Whether a lost connection is among the causes.
fn is_lost(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error
            .downcast_ref::<tokio_postgres::Error>()
            .is_some_and(is_connection_lost)
        {
            return true;
        }
        cause = error.source();
    }
    false
}
