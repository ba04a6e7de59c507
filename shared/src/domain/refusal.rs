//! A refusal: the engine could go on, and does not, because it would not be safe.

use serde::Serialize;

use super::ServiceName;

/// Why something is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// An applied file was edited.
    Divergent,
    /// History holds a version that the source does not have.
    Missing,
    /// A pending version is older than an applied one.
    OutOfOrder,
    /// A cross-service requirement is not met.
    Gate,
    /// History and journal contradict each other.
    JournalDisagrees,
    /// A migration cannot be undone.
    Irreversible,
    /// Another service's applied migration requires what would be undone.
    Required,
    /// A half-done migration was edited, or is half-done in the other direction.
    Interrupted,
    /// A compensation has begun and has reverts left to do.
    CompensationInterrupted,
    /// A newer migration stands on what would be undone.
    OnTop,
    /// While the lock was waited for, another run changed what the plan counts on.
    StalePlan,
    /// Production wants a confirmation.
    Unconfirmed,
    /// The server takes no writes.
    ReadOnly,
    /// A pooler in transaction mode stands in between.
    Pooler,
    /// What has the name of one of our tables is not ours, or the role may not read or write it.
    Bookkeeping,
    /// Code of a role that is not trusted would run with our rights.
    ForeignCode,
    /// The live schema differs from what migrations produce.
    Drift,
    /// The former tool's history is not that of our migrations.
    LegacyHistory,
    /// There is a history of ours already.
    HistoryPresent,
    /// There is nothing in the database, or no database.
    Empty,
    /// There is no adoption to undo, or more stands on it.
    NotAdopted,
    /// It cannot be one atomic release.
    NotAtomic,
    /// An atomic release was interrupted, and it cannot be found out here what was decided on it.
    ReleaseInDoubt,
    /// A backup is not whole, or does not fit the server.
    Backup,
    /// Sessions or prepared transactions use what would be replaced.
    InUse,
}

/// One refusal, with the way out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{}{message}", service.as_ref().map(|name| format!("{name}: ")).unwrap_or_default())]
pub struct Refusal {
    /// Why.
    pub kind: RefusalKind,
    /// The service, where one is concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// What is wrong, and where.
    pub message: String,
    /// What to do next.
    pub next: String,
}
