//! What a file does to live traffic and to the programs that run: squawk's rules, told what squawk cannot know. Floor 3.
//!
//! Responsible for: which tables are nobody's yet, what a revert only takes back, and our words. Not for: what only a database
//! can tell (`rehearsal`), nor for what the migration guide asks.

mod adopted;
mod defaults;
mod judge;
mod made;
mod names;
#[cfg(test)]
mod properties;
mod refine;
mod types;
mod understood;

pub(super) use judge::findings;
pub(super) use made::Standing;
pub use understood::runnable;
pub(super) use understood::too_deep_within;
