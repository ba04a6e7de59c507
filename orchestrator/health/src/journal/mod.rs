//! Verification of the journal: whether its rows are unchanged, and whether the history agrees with it.
//!
//! The format of the rows is defined in `pg_session`.

mod anchor_file;
mod believe;
mod finding;
mod judge;
mod verify;

pub use anchor_file::{AnchorFile, refuse_existing_anchor};
pub use believe::{Believed, believe};
pub use finding::{Finding, FindingKind};
pub use judge::{Judgement, judge};
pub use verify::{Verification, verify};
