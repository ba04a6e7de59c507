//! All that is held against the migrations of services, as one report. Floor 4.
//!
//! Responsible for putting together what the text shows (`lint`) and what the directives say. Not for the rules, nor for how a
//! report is shown to people (`cli`).

mod allows;
mod report;

pub use allows::allows;
pub use report::{Report, Summary};
