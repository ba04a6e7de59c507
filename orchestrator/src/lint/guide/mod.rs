//! What the migration guide asks, one theme a file: each rule is a function of what the files say.

mod drafts;
mod order;
mod revert;

pub(super) use drafts::drafts;
pub use order::order_against;
