//! The rules of `check` and `rehearse`, their severities, and the `allow` directives of a file.
//!
//! Responsible for the list of rules and for turning a draft into a finding. Not for detecting violations.

mod files;
mod guide;
mod load;
mod proof;
mod rule;
mod rulebook;

pub use rule::{RULES, Rule, is_proven, is_textual, nearest, rule};
pub use rulebook::{ConfiguredSeverity, Draft, Rulebook};

/// The rules of each family.
pub mod slugs {
    pub use super::files::*;
    pub use super::guide::*;
    pub use super::load::*;
    pub use super::proof::*;
}
