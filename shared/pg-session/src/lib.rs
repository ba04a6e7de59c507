//! Connections and sessions of PostgreSQL, the advisory lock, and the state of a session.
//!
//! Responsible for sessions in which our own statements run safely; not for what is stored (`store`).

mod activity;
mod advisory_lock;
mod attempt;
mod backoff;
mod blocked;
mod bookkeeping;
mod certificate_verifier;
mod client;
mod connect;
mod connect_error;
mod connection;
mod connection_lost;
mod connections;
mod create_database;
mod exported_snapshot;
mod foreign_code;
mod ordinary;
mod own_session;
mod own_statements;
mod pooler;
mod prepared;
mod reachability;
mod session;
mod session_effects;
mod session_observer;
mod session_state;
mod shutdown_timeouts;
mod stall;
mod tls;
mod tls_connector;
mod tls_failure;

pub use activity::{LockWait, builder_on, end_orphan};
pub use advisory_lock::{
    ADVISORY_LOCK_FUNCTIONS, ADVISORY_LOCK_KEY, GateHold, LockError, LockedSession,
    advisory_unlock, held, held_and_others, held_keys, try_advisory_lock,
};
pub use backoff::{Backoff, within};
pub use blocked::recent_blockers;
pub use bookkeeping::split_name;
pub use client::Client;
pub use connect::{ConnectOptions, connect};
pub use connect_error::ask_for_right;
pub use connect_error::{ConnectError, ask_administrator};
pub use connection::{CancelError, CancelHandle, Connection};
pub use connection_lost::is_connection_lost;
pub use connections::{Connections, Permit};
pub use create_database::copy_strategy;
pub use exported_snapshot::export_snapshot;
pub use foreign_code::{ForeignCode, read_foreign_code};
pub use own_session::OLDEST_SUPPORTED;
pub use prepared::{
    Gid, KnownRelations, PreparedSlots, finish_prepared, is_in_doubt, is_prepared,
    prepare_transaction, read_in_doubt, read_locks, read_prepared_slots, read_relations,
};
pub use session::{IDLE_TIMEOUTS, Left, OWN_BEGIN, Session, SessionSettings};
pub use session_effects::{SessionEffects, read_session_effects};
pub use session_observer::SessionObserver;
pub use session_state::SessionState;
pub use shutdown_timeouts::{shorten_timeouts, shortened};
pub use stall::{NamedElsewhere, ServerActivity, SessionHandle};
pub use tls::TlsSetupError;
