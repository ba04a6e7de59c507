//! Talking to PostgreSQL: connections, sessions, the advisory lock, history and journal.
//!
//! Responsible for the engine's own statements; not for those of migration files (`runner`).

mod activity;
mod adoption;
mod advisory_lock;
mod attempt;
mod blocked;
mod bookkeeping;
mod certificate_verifier;
mod chain;
mod client;
mod compensation;
mod connect;
mod connect_error;
mod connection;
mod connections;
mod create_database;
mod error;
mod exported_snapshot;
mod foreign_code;
mod history;
mod hurry;
mod journal;
mod legacy_history;
pub mod local_server;
mod own_session;
mod pooler;
mod prepared;
mod progress;
mod quote;
mod reachability;
mod refinery_format;
mod release;
mod session;
mod session_observer;
mod session_state;
mod stall;
mod tls;
mod tls_connector;
mod tls_failure;

pub use activity::{LockWait, builder_on, end_orphan};
pub use adoption::{AdoptionState, appliers, read_adoption, record_adoption, remove_adoption};
pub use advisory_lock::{
    ADVISORY_LOCK_FUNCTIONS, ADVISORY_LOCK_KEY, GateHold, LockError, LockedSession, held_keys,
};
pub use blocked::recent_blockers;
pub use chain::{ChainRow, FORMAT, read_anchor, read_chain};
pub use client::Client;
pub use compensation::{RunTraces, forget_owed, read_traces, record_owed};
pub use connect::{ConnectOptions, connect};
pub(crate) use connect_error::ask_for_right;
pub use connect_error::{ConnectError, ask_administrator};
pub use connection::{CancelError, CancelHandle, Connection};
pub use connections::{Connections, Permit};
pub use error::{ServerError, is_connection_lost};
pub use exported_snapshot::export_snapshot;
pub use foreign_code::{ForeignCode, read_foreign_code};
pub use history::{install, missing_rights, read_history};
pub use hurry::{hurried, hurry};
pub use journal::{
    Attempt, AttemptOutcome, JournalRow, Recorded, RunIdentity, Written, durations, last_sqlstate,
    read_journal, read_recorded, record_done, record_failed, record_restored, run_succeeded,
};
pub use legacy_history::{
    LegacyRow, LegacyTable, hidden_legacy_table, read_legacy_tables, read_legacy_versions,
};
pub use own_session::OLDEST_SUPPORTED;
pub use prepared::{
    Gid, KnownRelations, PreparedSlots, finish_prepared, is_in_doubt, is_prepared,
    prepare_transaction, read_in_doubt, read_locks, read_prepared_slots, read_relations,
};
pub use progress::{
    Progress, ProgressState, clear_intent, read_progress, read_session, record_intent,
    record_statement,
};
pub use quote::quote_identifier;
pub use refinery_format::{DEFAULT_HISTORY_TABLE, checksum, create_history_table};
pub use release::{Participant, ReleaseRow, begin_release, decide, finish_release, read_release};
pub use session::{IDLE_TIMEOUTS, OWN_BEGIN, Session, SessionSettings};
pub use session_observer::SessionObserver;
pub use session_state::SessionState;
pub use stall::{NamedElsewhere, ServerActivity, SessionHandle};
pub use tls::TlsSetupError;
