//! Safe forms for partitioned tables: PostgreSQL refuses `CONCURRENTLY` there, and a key that uses an
//! existing index; it supports both on each partition.

/// An index. `sql` creates it on the partitioned table alone.
pub(super) fn index(sql: &str, unique: bool, index: Option<&str>) -> String {
    let index = index.unwrap_or("…");
    let unique = if unique { "UNIQUE " } else { "" };
    format!(
        "{sql}; then CREATE {unique}INDEX CONCURRENTLY on each partition, in a no-transaction migration; then ALTER INDEX {index} ATTACH PARTITION … for each"
    )
}

/// A unique or primary key.
pub(super) const KEY: &str = "ALTER TABLE ONLY … ADD CONSTRAINT on the partitioned table; CREATE UNIQUE INDEX CONCURRENTLY on each partition, in a \
    no-transaction migration; then ADD CONSTRAINT … USING INDEX and ALTER INDEX … ATTACH PARTITION for each";

/// A foreign key. `NOT VALID` is refused before PostgreSQL 18.
pub(super) const FOREIGN_KEY: &str = "ADD CONSTRAINT … NOT VALID on each partition; VALIDATE CONSTRAINT for each in the next migration; then ADD CONSTRAINT on \
    the partitioned table, which reuses theirs";

/// The drop of an index. The lock is held briefly, but may have to wait.
pub(super) const DROP_INDEX: &str = "PostgreSQL refuses CONCURRENTLY for a partitioned table: DROP INDEX in a separate migration, with \
    -- migration: lock-timeout 1s, and -- migration: allow index-drop-not-concurrent \"…\"";

/// The detach of a partition.
pub(super) const DETACH: &str = "PostgreSQL refuses CONCURRENTLY if there is a default partition: DETACH PARTITION in a separate migration, with \
    -- migration: lock-timeout 1s, and -- migration: allow partition-detach \"…\"";
