//! What a migration is held to: the rules of `check` and `rehearse`, their gravity, and what a file allows itself. Floor 3.
//!
//! Responsible for the list of rules and for turning what was seen into a finding. Not for seeing anything.

mod files;
mod guide;
mod load;
mod proof;
mod rule;
mod rulebook;

pub use rule::{RULES, Rule, is_proven, nearest, rule};
pub use rulebook::{Draft, Gravity, Rulebook};

/// The rules of each family.
pub mod slugs {
    pub use super::files::*;
    pub use super::guide::*;
    pub use super::load::*;
    pub use super::proof::*;
}
