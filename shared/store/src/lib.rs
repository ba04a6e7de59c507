//! What the engine keeps in each database: the history, the journal and its chain, and the progress of half-done files.
//!
//! Responsible for its own tables and the statements on them; not for sessions (`pg_session`) and decisions (`engine`).

mod adoption;
mod chain;
mod compensation;
mod history;
mod journal;
mod legacy_history;
mod progress;
mod refinery_format;
mod release;

pub use adoption::{AdoptionState, appliers, read_adoption, record_adoption, remove_adoption};
pub use chain::{ChainRow, FORMAT, read_anchor, read_chain};
pub use compensation::{RunTraces, forget_owed, read_traces, record_owed};
pub use history::{install, missing_rights, read_history};
pub use journal::{
    Attempt, AttemptOutcome, JournalRow, LockCheck, RecordStatement, Recorded, RunIdentity,
    Written, durations, last_sqlstate, read_journal, read_recorded, record_done, record_failed,
    record_restored, run_succeeded,
};
pub use legacy_history::{
    LegacyRow, LegacyTable, hidden_legacy_table, read_legacy_tables, read_legacy_versions,
};
pub use progress::{
    Progress, ProgressState, clear_intent, read_progress, read_session, record_intent,
    record_statement, recording,
};
pub use refinery_format::{DEFAULT_HISTORY_TABLE, checksum, create_history_table};
pub use release::{Participant, ReleaseRow, begin_release, decide, finish_release, read_release};
