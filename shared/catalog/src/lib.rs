//! The schema of a PostgreSQL database as data.
//!
//! [`read`] reads a [`Snapshot`] through a connection: everything that `pg_dump --schema-only` would print (including
//! owners, comments and privileges) and the versions of extensions, with one [`Object`] per schema object. [`compare`]
//! lists the differences between two snapshots. Neither prints anything or writes to the database.
//!
//! Supports PostgreSQL 14 to 18. The reference is `pg_dump`: two snapshots differ exactly when their dumps differ,
//! except for the order of columns, which is reported separately. The snapshot also covers disabled constraint
//! triggers, the owners of extension members, and large objects.
//!
//! One exception: after a dump and restore, the server prints `c IN ('a', 'b')` on a `varchar` differently. The two
//! forms count as equal, so that restoring a backup does not cause drift.
//!
//! Limitation: definitions that the server prints (views, rules, functions with a parsed body) are compared as text.
//! Two *different* major versions may print the same view differently (16 omits table names that 15 prints).

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
pub use kind::Kind;
pub use object::{Object, ObjectId};
pub use privileges::{Effect, Grant};
pub use read::{read, read_prepared};
pub use role::Role;
pub use snapshot::Snapshot;
pub use spelling::same_sql;
