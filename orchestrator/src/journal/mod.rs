//! The journal under scrutiny: whether its rows are those that were written, and whether the history agrees. Floor 4.
//!
//! Not responsible for the form of the rows (`shared::postgres`).

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
