//! Looking at a service's database: does it exist, and what does its history say. Writes nothing. Floor 3.

use std::sync::Arc;

use tokio_postgres::error::SqlState;

use crate::config::DatabaseAddress;
use crate::domain::{
    ExitStatus, Refusal, RefusalKind, Service, called, commented, rerun, with_causes,
};
use crate::postgres::{
    ADVISORY_LOCK_FUNCTIONS, ConnectError, Connections, LockError, Session, ask_administrator,
    ask_for_right, hidden_legacy_table, missing_rights, quote_identifier, read_adoption,
    read_history, read_legacy_versions,
};
use crate::reconcile::History;

/// What to do about a pooler in transaction mode.
const POOLER_NEXT: &str = "with the address of the server itself, or of a pool in session mode";

/// What to do about a connection that was lost.
const RUN_AGAIN: &str = "once the server can be reached";

/// One service and where its database is.
#[derive(Clone, Debug)]
pub struct Target {
    /// The service.
    pub service: Arc<Service>,
    /// Its database.
    pub address: DatabaseAddress,
    /// Its history table.
    pub history_table: String,
    /// The former tool's history table, where it has not the usual name.
    pub legacy_table: Option<String>,
    /// Whether a missing database may be created.
    pub may_create: bool,
}

/// What was found.
pub struct Inspection {
    /// Whether the database exists.
    pub exists: bool,
    /// What it says of the service's migrations.
    pub history: History,
    /// Whether something of an atomic release is prepared in it.
    pub in_doubt: bool,
    /// The session that was used, for whoever goes on with it.
    pub session: Option<Session>,
}

/// Looks at a target's database. A missing database has an empty history. A connection that is lost is opened again once:
/// looking changes nothing.
pub async fn inspect(
    connections: &Connections,
    target: &Target,
) -> Result<Inspection, ServiceError> {
    match inspect_once(connections, target).await {
        Err(error) if error.is_connection_lost() => inspect_once(connections, target).await,
        inspected => inspected,
    }
}

async fn inspect_once(
    connections: &Connections,
    target: &Target,
) -> Result<Inspection, ServiceError> {
    let session = match connections
        .session(&target.address, &target.history_table)
        .await
    {
        Ok(session) => session,
        Err(ConnectError::DatabaseMissing { .. }) => {
            return Ok(Inspection {
                exists: false,
                history: History::default(),
                in_doubt: false,
                session: None,
            });
        }
        Err(error) => return Err(error.into()),
    };
    let history = look(&session, target).await?;
    Ok(Inspection {
        exists: true,
        history,
        in_doubt: session.is_in_doubt(),
        session: Some(session),
    })
}

async fn look(session: &Session, target: &Target) -> Result<History, ServiceError> {
    let service = &target.service.name;
    let failed =
        |what: &'static str| move |source| ServiceError::unreadable(&target.address, what, source);
    let mut history = read_history(session, service, &target.history_table)
        .await
        .map_err(failed("the history"))?;
    if history.applied.is_empty() && history.interrupted.is_empty() {
        let adoption = read_adoption(session, service)
            .await
            .map_err(failed("the journal"))?;
        let legacy = target.legacy_table.as_deref();
        history.legacy = match read_legacy_versions(session, legacy).await {
            Ok(versions) => versions,
            Err(error) => {
                let error = failed("the former tool's history")(error);
                let hidden = hidden_legacy_table(session, legacy).await;
                return Err(match hidden.ok().flatten() {
                    Some(grant) => error.given_by(|| grant),
                    None => error,
                });
            }
        };
        // What was adopted and then reverted is ours: the former tool's rows say nothing about it any more. They do again
        // about what an undone adoption gave back.
        history.legacy.retain(|version| {
            !adoption.adopted.contains(version) && !adoption.touched.contains(version)
        });
    }
    Ok(history)
}

/// Whether a statement gave up waiting for a lock (`lock_timeout`, NOWAIT), or was one of those that waited for each other.
fn is_lock_timeout(error: &tokio_postgres::Error) -> bool {
    matches!(error.code().map(SqlState::code), Some("55P03" | "40P01"))
}

/// Why a service cannot be looked at or gone on with, other than by a failed step.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// No connection.
    #[error(transparent)]
    Connect(ConnectError),
    /// No advisory lock.
    #[error("{address}: {source}")]
    Lock {
        /// The database.
        address: String,
        /// Why.
        source: Box<LockError>,
    },
    /// A statement of ours failed.
    #[error("{address}: {message}")]
    Query {
        /// The database.
        address: String,
        /// What the server said.
        message: String,
        /// Whether the connection was lost, rather than the statement refused.
        lost: bool,
    },
    /// A statement of ours did not get a lock in time.
    #[error("{address}: {message}")]
    Locked {
        /// The database.
        address: String,
        /// Who held it, where that was seen.
        message: String,
    },
    /// A right is missing, or the schema that our tables belong into, or nothing may be written.
    #[error("{address}: {message}")]
    Right {
        /// The database.
        address: String,
        /// What the server said.
        message: String,
        /// What gives the right.
        next: String,
    },
    /// The user cancelled while it was waited for.
    #[error("cancelled while connecting")]
    Cancelled,
    /// It would not be safe.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Whether it may be undone depends on a database that cannot be looked at.
    #[error("{message}")]
    Unsure {
        /// What depends on it.
        message: String,
        /// What to do next.
        next: String,
    },
    /// What was to be done before the first step failed.
    #[error("{message}")]
    PreRunCheck {
        /// What is wrong, and where.
        message: String,
        /// What to do next.
        next: String,
        /// The exit code that it leads to.
        exit_code: ExitStatus,
    },
    /// Its part of an atomic release could not be carried out.
    #[error("{message}")]
    Release {
        /// What is wrong, and where.
        message: String,
        /// What to do next.
        next: String,
        /// The exit code that it leads to.
        exit_code: ExitStatus,
    },
    /// The database does not exist, and may not be created.
    #[error("{address}: the database does not exist, and it is not created {why}")]
    MayNotCreate {
        /// The database.
        address: String,
        /// Under which circumstances.
        why: &'static str,
    },
}

impl From<ConnectError> for ServiceError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Pooled { .. } => Self::Refused(Refusal {
                kind: RefusalKind::Pooler,
                service: None,
                message: error.to_string(),
                next: rerun(POOLER_NEXT),
            }),
            ConnectError::Bookkeeping { ref next, .. } => Self::Refused(Refusal {
                kind: RefusalKind::Bookkeeping,
                service: None,
                next: next.clone(),
                message: error.to_string(),
            }),
            error => Self::Connect(error),
        }
    }
}

impl ServiceError {
    /// The error of a statement of ours.
    pub fn query(address: &DatabaseAddress, source: tokio_postgres::Error) -> Self {
        if is_lock_timeout(&source) {
            let held = crate::postgres::recent_blockers(address);
            return Self::locked(address, held);
        }
        let lost = crate::postgres::is_connection_lost(&source);
        let said = crate::postgres::ServerError::from_error(&source);
        let message = match &said {
            Some(error) => error.to_string(),
            None if lost => format!("the connection was lost ({source})"),
            // What the server sent is not what was asked for: a value that is no UTF-8, for instance.
            None => with_causes(&source),
        };
        let address_text = address.to_string();
        match said.map(|said| said.sqlstate).as_deref() {
            Some("42501") => Self::Right {
                address: address_text,
                message,
                next: ask_for_right(address.user()),
            },
            Some("25006") => Self::Right {
                address: address_text,
                message,
                next: rerun("with the address of the primary, as a role that may write"),
            },
            // No memory, disk or connections left, or cancelled by somebody: our statements have no time limit.
            Some(code) if !lost && (code.starts_with("53") || code == "57014") => {
                Self::PreRunCheck {
                    message: format!("{address}: {message}"),
                    next: match code {
                        "57014" => rerun("first find out who cancels its statements"),
                        _ => rerun("first free what the server lacks"),
                    },
                    exit_code: ExitStatus::Unavailable,
                }
            }
            _ => Self::Query {
                address: address_text,
                message,
                lost,
            },
        }
    }

    /// The error of a lock that was not obtained in time, and who held it, where that was seen.
    pub fn locked(address: &DatabaseAddress, held: Option<String>) -> Self {
        Self::Locked {
            address: address.to_string(),
            message: match held {
                Some(who) => format!("cannot acquire a lock: held by {who}"),
                None => "cannot acquire a lock in time".to_owned(),
            },
        }
    }

    /// The error of a client program that gets no answer from a server any more.
    pub fn silent(address: &DatabaseAddress, program: &str) -> Self {
        Self::Query {
            address: address.to_string(),
            message: format!("the connection of {program} fell silent, and it was ended"),
            lost: true,
        }
    }

    /// The error of making our tables: names the rights that are missing, and how to give them.
    pub async fn installing(
        session: &Session,
        address: &DatabaseAddress,
        source: tokio_postgres::Error,
    ) -> Self {
        let is_right = [
            SqlState::INSUFFICIENT_PRIVILEGE,
            SqlState::INVALID_SCHEMA_NAME,
        ]
        .iter()
        .any(|code| source.code() == Some(code));
        let grants = match is_right {
            true => missing_rights(session).await.unwrap_or_default(),
            false => String::new(),
        };
        match Self::query(address, source) {
            Self::Query {
                address,
                message,
                lost: false,
            }
            | Self::Right {
                address, message, ..
            } if !grants.is_empty() => Self::Right {
                address,
                message,
                next: ask_administrator(&grants),
            },
            error => error,
        }
    }

    /// Where a right is missing, the SQL that gives it.
    #[must_use]
    pub fn given_by(self, grant: impl FnOnce() -> String) -> Self {
        match self {
            Self::Right {
                address, message, ..
            } => Self::Right {
                address,
                message,
                next: ask_administrator(&grant()),
            },
            error => error,
        }
    }

    /// The error of an advisory lock that was not obtained.
    pub fn lock(target: &Target, source: LockError) -> Self {
        match source {
            LockError::Lost(source) if !crate::postgres::is_connection_lost(&source) => {
                let user = quote_identifier(target.address.user());
                Self::query(&target.address, source).given_by(|| {
                    format!("GRANT EXECUTE ON FUNCTION {ADVISORY_LOCK_FUNCTIONS} TO {user}")
                })
            }
            source => Self::Lock {
                address: target.address.to_string(),
                source: Box::new(source),
            },
        }
    }

    /// Whether the server was reached, and refused.
    pub fn is_of_the_server(&self) -> bool {
        matches!(
            self,
            Self::Query { lost: false, .. } | Self::Locked { .. } | Self::Right { .. }
        )
    }

    /// Whether the connection was lost, rather than something refused.
    pub fn is_connection_lost(&self) -> bool {
        match self {
            Self::Lock { source, .. } => matches!(**source, LockError::Lost(_)),
            Self::Query { lost, .. } => *lost,
            Self::Connect(_)
            | Self::Locked { .. }
            | Self::Cancelled
            | Self::Refused(_)
            | Self::Unsure { .. }
            | Self::PreRunCheck { .. }
            | Self::Release { .. }
            | Self::Right { .. }
            | Self::MayNotCreate { .. } => false,
        }
    }

    /// The error of reading a table of ours that somebody may have changed.
    fn unreadable(address: &DatabaseAddress, what: &str, source: tokio_postgres::Error) -> Self {
        match Self::query(address, source) {
            Self::Right {
                address,
                message,
                next,
            } => Self::Right {
                address,
                message: format!("{what} cannot be read: {message}"),
                next,
            },
            Self::Query {
                address,
                message,
                lost: false,
            } => Self::Query {
                address,
                message: format!("{what} cannot be read: {message}"),
                lost: false,
            },
            Self::Locked { address, message } => Self::Locked {
                address,
                message: format!("{what} cannot be read: {message}"),
            },
            error => error,
        }
    }

    /// The exit code that it leads to.
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Connect(error) => error.exit_status(),
            Self::Cancelled => ExitStatus::Cancelled,
            Self::Lock { source, .. } if matches!(**source, LockError::Cancelled) => {
                ExitStatus::Cancelled
            }
            Self::Lock { .. } | Self::Locked { .. } | Self::Unsure { .. } => {
                ExitStatus::Unavailable
            }
            Self::Query { lost: true, .. } => ExitStatus::Unavailable,
            Self::Query { lost: false, .. } => ExitStatus::Failed,
            Self::Refused(_) | Self::Right { .. } | Self::MayNotCreate { .. } => {
                ExitStatus::Refused
            }
            Self::PreRunCheck { exit_code, .. } | Self::Release { exit_code, .. } => *exit_code,
        }
    }

    /// What to do next, where there is more to say than the message does.
    pub fn next(&self) -> Option<String> {
        match self {
            Self::Refused(refusal) => Some(refusal.next.clone()),
            Self::Unsure { next, .. }
            | Self::Right { next, .. }
            | Self::PreRunCheck { next, .. }
            | Self::Release { next, .. } => Some(next.clone()),
            Self::Lock { source, .. } if matches!(**source, LockError::TimedOut { .. }) => {
                Some(rerun("when the other run has ended"))
            }
            Self::Lock { source, .. } if matches!(**source, LockError::Lost(_)) => {
                Some(rerun(RUN_AGAIN))
            }
            Self::Query { lost: true, .. } => Some(rerun(RUN_AGAIN)),
            Self::Locked { .. } => Some(rerun("when that session has ended")),
            Self::Connect(error) => error.next(),
            Self::MayNotCreate { address, .. } => Some(match called().to_string() {
                call if call.contains("--create-databases") => {
                    commented(call, format!("an administrator creates {address} first"))
                }
                _ => commented(
                    called().with(["--create-databases"]).to_string(),
                    "creates it; in production an administrator does",
                ),
            }),
            _ => None,
        }
    }

    /// The whole chain in one line.
    pub fn chain(&self) -> String {
        with_causes(self)
    }
}
