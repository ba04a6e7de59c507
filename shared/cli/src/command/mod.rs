//! The commands that service binaries and the orchestrator share, so that both use the same engine.
//!
//! Responsible for turning arguments into a run: which services, which databases, which plan. Not responsible for the order
//! between services (the caller provides an [`Order`](engine::planning::Order)) and not for executing the plan (`dispatch`).

mod args;
mod compensation;
mod confirm;
mod context;
mod dry_run;
mod expected;
mod gather;
mod hazards;
mod in_doubt;
mod interrupt;
mod invocation;
mod print;
mod refuse;
mod revert;
mod run;
mod selection;
mod status;
mod unreachable;

pub use args::{GlobalArgs, LogFormat, OutputChoice};
pub use confirm::{answer, answer_is_yes, confirm};
pub use context::Context;
pub use dry_run::{PlanDocument, print_plan, print_sql};
pub use gather::{Gathered, gather, warn_in_doubt};
pub use hazards::Hazards;
pub use in_doubt::resolve_in_doubt;
pub use interrupt::{watch_signals, watch_stops};
pub use invocation::{meet, remember};
pub use print::{print_document, print_document_exact, print_exact, print_text};
pub use revert::{CheckedRevert, RevertArgs, planned_revert, revert};
pub use run::{
    FailureChoice, OutcomeChoice, Planned, PreRun, RunArgs, named_version, one_service,
    planned_run, run,
};
pub use selection::{Selected, select};
pub use status::{ServiceStatus, StatusArgs, status};
pub use unreachable::{
    OrUnreachable, PerService, Services, Unreachable, refuse_stopped, unreachable_lines,
};
