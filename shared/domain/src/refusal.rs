//! A refusal: the engine could continue, but it would not be safe.

use schemars::JsonSchema;
use serde::Serialize;

use super::ServiceName;

/// The reason of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// An applied file was edited.
    Divergent,
    /// The history has a version that the source does not have.
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
    /// A compensation has started and is not finished.
    CompensationInterrupted,
    /// A newer migration is applied on top of what would be undone.
    OnTop,
    /// Another run changed what the plan depends on, while this one waited for the lock.
    StalePlan,
    /// Production requires a confirmation.
    Unconfirmed,
    /// The server is read-only.
    ReadOnly,
    /// Connected through a transaction-mode pooler.
    Pooler,
    /// A table with the name of one of our bookkeeping tables is not ours, or the role lacks privileges on it.
    Bookkeeping,
    /// Code of an untrusted role would run with our privileges.
    ForeignCode,
    /// The live schema differs from what the migrations produce.
    Drift,
    /// The previous tool's history does not match our migrations.
    LegacyHistory,
    /// The database already has a history of ours.
    HistoryPresent,
    /// The database is empty or does not exist.
    Empty,
    /// There is no adoption to undo, or newer migrations are applied on top of it.
    NotAdopted,
    /// The plan cannot be one atomic release.
    NotAtomic,
    /// An atomic release was interrupted, and its decision cannot be determined.
    ReleaseInDoubt,
    /// A backup is incomplete, or does not fit the server.
    Backup,
    /// Sessions or prepared transactions use what would be replaced.
    InUse,
}

/// One refusal, with what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error, JsonSchema)]
#[error("{}{message}", service.as_ref().map(|name| format!("{name}: ")).unwrap_or_default())]
pub struct Refusal {
    pub kind: RefusalKind,
    /// The service, if the refusal concerns one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// What is wrong, and where.
    pub message: String,
    /// What to do next.
    pub next: String,
}
