//! The schema of a PostgreSQL database as data.
//!
//! [`read`] turns a connection into a [`Snapshot`]: everything that `pg_dump --schema-only` would print
//! (owners, comments and privileges included, and the versions of extensions in addition), one [`Object`]
//! for each thing. [`compare`] names what differs between two snapshots. Neither prints, neither writes to
//! the database.
//!
//! PostgreSQL 14 to 18. The measure is `pg_dump` itself: two snapshots differ exactly when the two dumps
//! do, apart from the order of columns, which is told separately. Beyond it go the triggers behind constraints that were
//! disabled, the owners of extensions' members, and large objects.
//!
//! One exception: `c IN ('a', 'b')` on a `varchar` is spelled in another way once it was dumped and restored. The two spellings
//! are the same here, so that a database does not drift because it came out of a backup.
//!
//! Limit: definitions that the server spells (views, rules, functions with a parsed body) are compared as
//! text. Between two *different* major versions the same view may be spelled differently (16 leaves out the
//! names of tables where 15 writes them).
//!
//! This crate stands on no other of the workspace.

mod compare;
mod definition;
mod identifier;
mod kind;
mod object;
mod order;
mod privileges;
mod read;
mod role;
mod snapshot;
mod spelling;
mod versions;

pub use compare::{AttributeDifference, ColumnOrder, Comparison, Difference, compare};
pub use identifier::{literal, quote};
pub use kind::Kind;
pub use object::{Object, ObjectId};
pub use privileges::{Effect, Grant};
pub use read::read;
pub use role::Role;
pub use snapshot::Snapshot;
