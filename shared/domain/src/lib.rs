//! The domain types of the engine: services, migrations, plans, events and more.
//!
//! Nothing here reads a file, connects to a server or prints.

mod anchor;
mod causes;
mod checksum;
mod compensation;
mod diagnostic;
mod difference;
mod directive;
mod document;
mod event;
mod exit;
mod finding;
mod fleet;
mod history;
mod invocation;
mod migration;
mod millis;
mod outcome;
mod plan;
mod query;
mod refusal;
mod release;
mod reporter;
mod secrets;
mod server_error;
mod service;
mod stop;
mod timings;
mod version;

pub use anchor::Anchor;
pub use causes::with_causes;
pub use checksum::Checksum;
pub use compensation::{CatalogState, CompensationStop, DatabaseState};
pub use diagnostic::{Diagnostic, ErrorEntry};
pub use difference::{ColumnOrder, FactDifference, SchemaDifference};
pub use directive::{Allow, Directives, Requirement};
pub use document::Document;
pub use event::{
    Blocker, CommandEvent, EVENT_SCHEMA, ErrorObject, Event, EventKind, Failure, Holder, Resolved,
    ServiceOutcome, StatementProgress,
};
pub use exit::ExitStatus;
pub use finding::{Finding, Place, Severity};
pub use fleet::{Fleet, FleetError};
pub use history::{AppliedMigration, History, Interruption, OwedRevert};
pub use invocation::{
    Call, Invocation, begin, called, commented, in_sql, is_verbose, rerun, suggest,
};
pub use migration::{Migration, Script};
pub use millis::millis;
pub use outcome::{Totals, Verdict};
pub use plan::{Direction, Gate, Plan, Step};
pub use query::shown_query;
pub use refusal::{Refusal, RefusalKind};
pub use release::{Decision, HeldLock};
pub use reporter::Reporter;
pub use secrets::{MASK, is_secret_name, mask_key, mask_row, mask_secrets};
pub use server_error::{CHAIN_CONSTRAINT, ServerError};
pub use service::{Service, ServiceName, ServiceNameError};
pub use stop::StopCause;
pub use timings::{MeasuredPhase, Phase, PhaseTime, Timings, request_timings, timings};
pub use version::Version;
