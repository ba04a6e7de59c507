//! Rules on what a migration does to live traffic.

use super::rule::rules;

rules! {
    /// An index on a table that may have rows is built without blocking writes.
    INDEX_NOT_CONCURRENT = Error "index-not-concurrent" from "require-concurrent-index-creation": "An index on an existing table is built CONCURRENTLY, in a no-transaction migration.";
}
