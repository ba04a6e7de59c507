//! The rules of the migration guide, one topic per file: each rule is a function of the files' text.

mod columns;
mod data;
mod drafts;
mod drops;
mod enums;
mod foreign_keys;
mod mixed_case;
mod naming;
mod order;
mod revert;
#[cfg(test)]
mod tests;

pub(super) use drafts::drafts;
pub use order::order_against;
