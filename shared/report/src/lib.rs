//! The human and machine-readable output of a run: folds over its events.
//!
//! Responsible for lines, tables, progress bars and JSON Lines. Not for decisions: a reporter only receives events.

mod activity;
mod closing;
mod command_lines;
mod compensation;
pub mod failure;
mod heartbeat;
mod human_lines;
mod inline;
mod json;
mod live;
mod note;
pub mod output;
mod plain;
pub mod printable;
mod reporter;
mod same_failure;
mod screen;
mod snippet;
pub mod style;
pub mod table;
mod tally;
mod text;
mod timings;
pub mod units;

pub use activity::LiveLine;
pub use command_lines::CommandLines;
pub use human_lines::{HumanLines, Line};
pub use inline::{blockers, identities};
pub use json::JsonLines;
pub use live::LiveProgress;
pub use note::Note;
pub use plain::PlainLines;
pub use reporter::{Colored, Output, Verbosity, colored, progress, reporter};
pub use same_failure::SameFailures;
pub use snippet::Snippet;
pub use style::{Colour, Palette, Role, Terminal};
pub use text::{clean, hanging, one_line};

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
