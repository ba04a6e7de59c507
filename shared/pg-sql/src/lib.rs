//! Reads PostgreSQL's SQL just deeply enough to run a file statement by statement.
//!
//! Splits a file into statements, classifies each, finds what the engine cannot run, and converts between
//! offsets and lines. Does not parse expressions, check correctness (the server does) or use a catalog.

mod alike;
mod classify;
mod comments;
mod cursor;
mod depth;
mod lasting;
mod lexer;
mod literal;
mod name;
mod position;
#[cfg(test)]
mod properties;
mod quote;
mod reading;
mod runnable;
mod setting;
mod split;
mod statement;
mod unpreparable;

pub use alike::are_alike;
pub use classify::classify;
pub use comments::{Comment, comments};
pub use depth::too_deep;
pub use lasting::{Lasting, LastingChange, is_repeatable, lasting_change};
pub use lexer::{Problem, SplitError};
pub use name::Name;
pub use position::{Lines, Position, leading_comment_lines, position_at, position_of_character};
pub use quote::{quote_identifier, quote_literal};
pub use reading::{ReadingSetting, changes_reading};
pub use runnable::{Unrunnable, runnable};
pub use setting::{changed_setting, dotted_names, mentions};
pub use split::split;
pub use statement::{ReindexTarget, Statement, StatementKind};
pub use unpreparable::unpreparable;
