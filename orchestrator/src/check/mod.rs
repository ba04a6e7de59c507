//! All that is held against the migrations of services, as one report. Floor 4.
//!
//! Responsible for putting together what the text shows (`lint`), what a rehearsal saw, what the directives say and what git knows, and for the forms in which
//! other programs want it. Not for the rules, nor for how a report is shown to people (`cli`).

mod allows;
mod combine;
mod github;
mod markdown;
mod merged;
mod paths;
mod rehearsed;
mod report;
mod sarif;
mod scope;

pub use allows::allows;
pub use combine::combine;
pub use github::annotations;
pub use markdown::job_summary;
pub use merged::merged;
pub use paths::Paths;
pub use rehearsed::{Proof, Rehearsals, Unrehearsed, rehearsals};
pub use report::{LeftOut, Report, Summary};
pub use sarif::sarif;
pub use scope::Scope;
