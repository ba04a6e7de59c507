//! The journal under scrutiny: whether its rows are those that were written. Floor 4.
//!
//! Not responsible for writing rows (`shared::postgres`).

mod anchor_file;
mod finding;
mod judge;
mod verify;

pub use anchor_file::{AnchorFile, refuse_existing_anchor};
pub use finding::{Finding, FindingKind};
pub use judge::{Judgement, judge};
pub use verify::{Verification, verify};
