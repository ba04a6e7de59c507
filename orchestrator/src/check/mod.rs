//! All findings about the migrations of services, as one report.
//!
//! Responsible for combining the findings of the text (`lint`), of a rehearsal, of the directives and of git, and for the formats that other
//! programs read. Not for the rules, nor for the human output (`cli`).

mod combine;
mod github;
mod markdown;
mod merged;
mod paths;
mod rehearsed;
mod report;
mod sarif;
mod schema_file;
mod scope;

pub use combine::combine;
pub use github::annotations;
pub use markdown::job_summary;
pub use merged::merged;
pub use paths::Paths;
pub use rehearsed::{Proof, Rehearsals, Unrehearsed, rehearsals};
pub use report::{LeftOut, Report, Summary};
pub use sarif::sarif;
pub use scope::Scope;
