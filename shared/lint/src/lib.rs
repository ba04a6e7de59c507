//! Checks the text of migrations, without a database.
//!
//! Responsible for parsing a service's files once and applying the rules. Not for what only a database can show
//! (`rehearsal`), nor for the output of findings (`cli`).

#[cfg(test)]
mod cases;
mod change;
mod context;
mod dynamic;
mod file;
mod first_mentions;
mod lifetimes;
mod line;
mod load;
mod mentions;
mod model;
mod names;
mod overlap;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod properties;
mod read;
mod remaining_keys;
pub mod rules;
mod service;
#[cfg(test)]
mod size;
mod squawk;
mod unfold;

pub use change::{
    Act, Change, Column, Compared, Comparison, Constraint, ConstraintKind, Index, Partition,
    RowChange, RowKind, Step, Unknown,
};
pub use context::{LintContext, Now};
pub use file::LintedFile;
pub use first_mentions::{FirstMentions, Place};
pub use line::line;
pub use mentions::Mentions;
pub use model::{Enum, Model, Table, View};
pub use names::span;
pub use overlap::{is_same, overlap};
pub use read::steps;
pub use remaining_keys::RemainingKeys;
pub use rules::{allows, order_against, runnable};
pub use service::lint;
