//! The modes of PostgreSQL's table locks, and what each blocks.
//!

use std::fmt;

/// A table lock mode, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockMode {
    /// `SELECT`.
    AccessShare,
    /// `SELECT … FOR UPDATE` and similar statements.
    RowShare,
    /// `INSERT`, `UPDATE`, `DELETE`.
    RowExclusive,
    /// `VALIDATE CONSTRAINT`, `CREATE INDEX CONCURRENTLY`.
    ShareUpdateExclusive,
    /// `CREATE INDEX`.
    Share,
    /// `CREATE TRIGGER`, `ADD FOREIGN KEY`.
    ShareRowExclusive,
    /// `REFRESH MATERIALIZED VIEW CONCURRENTLY`.
    Exclusive,
    /// Most forms of `ALTER TABLE`.
    AccessExclusive,
}

/// What a lock blocks, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blocks {
    /// `nextval` on a sequence.
    Nextval,
    /// `INSERT`, `UPDATE`, `DELETE`.
    Writes,
    /// Writes and `SELECT … FOR UPDATE`.
    WritesAndRowLocks,
    /// `SELECT` from a relation without writes.
    Reads,
    ReadsAndWrites,
}

impl LockMode {
    /// All modes, weakest first.
    pub const ALL: [Self; 8] = [
        Self::AccessShare,
        Self::RowShare,
        Self::RowExclusive,
        Self::ShareUpdateExclusive,
        Self::Share,
        Self::ShareRowExclusive,
        Self::Exclusive,
        Self::AccessExclusive,
    ];

    /// Parses a mode name from `pg_locks`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name)
    }

    /// The mode name in `pg_locks`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessShare => "AccessShareLock",
            Self::RowShare => "RowShareLock",
            Self::RowExclusive => "RowExclusiveLock",
            Self::ShareUpdateExclusive => "ShareUpdateExclusiveLock",
            Self::Share => "ShareLock",
            Self::ShareRowExclusive => "ShareRowExclusiveLock",
            Self::Exclusive => "ExclusiveLock",
            Self::AccessExclusive => "AccessExclusiveLock",
        }
    }

    /// What the mode blocks on a relation of this `pg_class.relkind`; `None` if at most other schema changes
    /// wait.
    pub fn blocks(self, relkind: char) -> Option<Blocks> {
        match (relkind, self) {
            (_, mode) if mode < Self::Share => None,
            ('m', Self::AccessExclusive) => Some(Blocks::Reads),
            // Applications do not write to a materialized view.
            ('m', _) => None,
            ('S', _) => Some(Blocks::Nextval),
            (_, Self::AccessExclusive) => Some(Blocks::ReadsAndWrites),
            (_, Self::Exclusive) => Some(Blocks::WritesAndRowLocks),
            (_, _) => Some(Blocks::Writes),
        }
    }
}

impl Blocks {
    /// The human text.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Nextval => "blocks nextval",
            Self::Writes => "blocks writes",
            Self::WritesAndRowLocks => "blocks writes and SELECT FOR UPDATE",
            Self::Reads => "blocks reads",
            Self::ReadsAndWrites => "blocks reads and writes",
        }
    }

    /// The human text, followed by the name of a relation.
    pub const fn words_before(self) -> &'static str {
        match self {
            Self::Nextval => "blocks nextval on",
            Self::Writes => "blocks writes to",
            Self::WritesAndRowLocks => "blocks writes and SELECT FOR UPDATE on",
            Self::Reads => "blocks reads of",
            Self::ReadsAndWrites => "blocks reads and writes to",
        }
    }
}

impl fmt::Display for LockMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mode_names_match_pg_locks() {
        for mode in LockMode::ALL {
            assert_eq!(LockMode::parse(mode.as_str()), Some(mode));
        }
        assert_eq!(LockMode::parse("SIReadLock"), None);
    }

    #[test]
    fn operations_that_do_not_exist_are_not_blocked() {
        assert_eq!(LockMode::Exclusive.blocks('m'), None);
        assert_eq!(LockMode::AccessExclusive.blocks('m'), Some(Blocks::Reads));
        assert_eq!(LockMode::ShareUpdateExclusive.blocks('r'), None);
    }
}
