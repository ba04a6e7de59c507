//! Errors of replaying migrations on scratch databases.

use domain::{Diagnostic, ExitStatus, Failure, Refusal, called, rerun, with_causes};
use engine::inspect::ServiceError;
use pg_session::{ConnectError, ServerError, is_connection_lost};
use service_cli::command::CommandError;
use tokio_postgres::error::SqlState;

/// The exit code of a failed statement that creates or drops a database.
fn exit_status_of(error: &tokio_postgres::Error) -> ExitStatus {
    // Lock timeout, database in use, out of resources.
    const LATER: [&str; 3] = ["55P03", "55006", "53"];
    let code = error.code().map(SqlState::code).unwrap_or_default();
    if is_connection_lost(error) || LATER.iter().any(|class| code.starts_with(class)) {
        ExitStatus::Unavailable
    } else {
        ExitStatus::Failed
    }
}

/// Why migrations could not be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    /// The scratch server cannot be reached.
    #[error("cannot use the scratch server")]
    Connect(#[source] ConnectError),
    /// The scratch server refuses to create a database.
    #[error("cannot create a scratch database on {server}: {message}")]
    MayNotCreate {
        /// The address of the server.
        server: String,
        /// The error message of the server.
        message: String,
        /// The exit code of the cause.
        exit_code: ExitStatus,
        /// Whether the cause passes when other sessions close their connections.
        requires_connections: bool,
    },
    /// A migration fails on the scratch database.
    #[error("cannot replay the migrations of {service} on an empty database: {trouble}")]
    Replay {
        /// The service whose migrations were replayed.
        service: String,
        /// File, line, and PostgreSQL's message.
        trouble: String,
        /// The failed step, if a step failed.
        failure: Option<Box<Failure>>,
        /// The exit code of the replay.
        status: ExitStatus,
    },
    /// A migration would change the server outside its database.
    #[error(
        "{path}:{line}: {statement} affects the whole server, and replaying it would change the live server"
    )]
    ClusterWide {
        /// The path of the file.
        path: String,
        /// The line of the statement, 1-based.
        line: u32,
        /// The first words of the statement.
        statement: String,
    },
    /// A statement of the engine failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The configuration or `--scratch-server` is invalid.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl ScratchError {
    /// An error on the connection that creates and drops scratch databases.
    pub(super) fn query(server: &str, error: &tokio_postgres::Error) -> Self {
        Self::MayNotCreate {
            server: server.to_owned(),
            message: ServerError::from_error(error)
                .map_or_else(|| with_causes(error), |error| error.to_string()),
            exit_code: exit_status_of(error),
            requires_connections: false,
        }
    }

    /// An error of creating a database.
    pub(super) fn creating(server: &str, error: ConnectError) -> Self {
        match error {
            error @ ConnectError::Right { .. } => Self::Connect(error),
            error => Self::MayNotCreate {
                server: server.to_owned(),
                message: with_causes(&error),
                exit_code: error.exit_status(),
                requires_connections: error.is_transient(),
            },
        }
    }

    /// The error and its causes in one line.
    pub fn chain(&self) -> String {
        with_causes(self)
    }

    /// The next command.
    pub fn next(&self) -> Option<String> {
        match self {
            // The suggested SQL already ends in a comment.
            Self::Connect(error @ ConnectError::Right { .. }) => error
                .next()
                .map(|sql| format!("{sql}; or choose another server with --scratch-server")),
            Self::Connect(_) | Self::MayNotCreate { .. } => Some(rerun(
                "with another --scratch-server: local, same, or a URL whose role may create databases",
            )),
            Self::Replay { .. } => Some(rerun(
                "first add what is missing there (an extension, a role), or choose a server like the live one with --scratch-server",
            )),
            Self::ClusterWide { .. } => Some(
                called()
                    .without_option("--scratch-server")
                    .with(["--scratch-server", "local"])
                    .to_string(),
            ),
            Self::Service(error) => error.next(),
            Self::Command(error) => error.next(),
        }
    }

    /// The diagnostic, for an error that this one causes.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::Service(error) => error.diagnostic(),
            error => Diagnostic {
                message: error.chain(),
                next: error.next(),
                refusal: None,
                exit_code: error.exit_status(),
            },
        }
    }

    /// The step that failed because of its file, not because of a server, a connection or a lock.
    pub fn failure_of_file(&self) -> Option<&Failure> {
        /// The server shuts down, is out of resources, or has a system error.
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

    /// Whether a retry may get the connections that this attempt did not, after this attempt closes its own.
    pub fn requires_connections(&self) -> bool {
        match self {
            Self::Connect(error) | Self::Service(ServiceError::Connect(error)) => {
                error.is_transient()
            }
            Self::MayNotCreate {
                requires_connections,
                ..
            } => *requires_connections,
            _ => false,
        }
    }

    /// The exit code of the error.
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Connect(error) => error.exit_status(),
            Self::MayNotCreate { exit_code, .. } => *exit_code,
            Self::Replay { status, .. } => *status,
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
            error => error.diagnostic().into(),
        }
    }
}

impl From<Refusal> for ScratchError {
    fn from(refusal: Refusal) -> Self {
        Self::Service(refusal.into())
    }
}
