//! Reads the existing relations, and the locks that a transaction holds on them.
//!
//! The queries run in the migration's own transaction: all names are qualified, no setting is changed, and only catalogs
//! are read.

use std::collections::BTreeMap;

use pg_session::Client;
use tokio_postgres::error::Error;

use super::LockMode;

/// The relations that existed before a migration, by OID.
pub(super) type ReconciledMigration = BTreeMap<u32, Relation>;

/// A relation that other sessions may use.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    /// Schema and name, quoted where required.
    pub(super) name: String,
    /// `pg_class.relkind`.
    pub(super) kind: char,
    /// The table of an index; otherwise the relation itself.
    pub(super) table: u32,
    /// The relfilenode; 0 if it has no file.
    pub(super) file: u32,
    /// The counters of the querying session.
    pub(super) counts: Counts,
}

impl Relation {
    /// Whether `LOCK TABLE` can take the lock that reading its rows takes.
    pub(super) fn is_table(&self) -> bool {
        matches!(self.kind, 'r' | 'p')
    }

    /// Whether a new file means that rows were rewritten: most changes to a sequence also create one.
    pub(super) fn has_rows(&self) -> bool {
        matches!(self.kind, 'r' | 'm')
    }

    pub(super) fn is_index(&self) -> bool {
        matches!(self.kind, 'i' | 'I')
    }
}

/// A transaction's lock on one relation, and what it did to it so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    pub(super) relation: u32,
    pub(super) mode: LockMode,
    /// The current relfilenode; `None` if the relation was dropped.
    pub(super) file: Option<u32>,
    pub(super) counts: Counts,
}

/// Counters of the session. They grow; the server resets them between transactions, never within one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// The number of full scans, by queries or by `ALTER TABLE`; for an index, the number of index scans.
    pub(super) scans: i64,
    /// The number of rows inserted, updated or deleted.
    pub(super) rows: i64,
}

/// Reads the existing relations, without temporary ones, which other sessions do not use, and without the engine's own tables.
pub(super) async fn read_standing(client: &Client) -> Result<ReconciledMigration, Error> {
    let rows = client
        .query_typed(
            "SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind::pg_catalog.text, \
               COALESCE(i.indrelid, c.oid), c.relfilenode, \
               COALESCE(pg_catalog.pg_stat_get_xact_numscans(c.oid), 0), \
               COALESCE(pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid) \
                 + pg_catalog.pg_stat_get_xact_tuples_updated(c.oid) \
                 + pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid), 0) \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid \
             WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'i', 'I') \
               AND c.relpersistence <> 't' AND n.nspname NOT IN ('orchestrator', 'pg_toast')",
            &[],
        )
        .await?;
    let mut standing = ReconciledMigration::new();
    for row in &rows {
        let kind: String = row.try_get(2)?;
        let relation = Relation {
            name: row.try_get(1)?,
            kind: kind.chars().next().unwrap_or_default(),
            table: row.try_get(3)?,
            file: row.try_get(4)?,
            counts: Counts {
                scans: row.try_get(5)?,
                rows: row.try_get(6)?,
            },
        };
        standing.insert(row.try_get(0)?, relation);
    }
    Ok(standing)
}

/// Reads the locks of the session's own transaction: every read or rewrite requires one.
pub(super) async fn read_holds(client: &Client) -> Result<Vec<Hold>, Error> {
    let rows = client
        .query_typed(
            "SELECT h.relation, h.modes, c.relfilenode, \
               COALESCE(pg_catalog.pg_stat_get_xact_numscans(h.relation), 0), \
               COALESCE(pg_catalog.pg_stat_get_xact_tuples_inserted(h.relation) \
                 + pg_catalog.pg_stat_get_xact_tuples_updated(h.relation) \
                 + pg_catalog.pg_stat_get_xact_tuples_deleted(h.relation), 0) \
             FROM (SELECT l.relation, pg_catalog.array_agg(l.mode) AS modes FROM pg_catalog.pg_locks l \
               WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.granted AND l.relation >= 16384 \
               GROUP BY l.relation) h \
             LEFT JOIN pg_catalog.pg_class c ON c.oid = h.relation",
            &[],
        )
        .await?;
    let mut holds = Vec::new();
    for row in &rows {
        let modes: Vec<String> = row.try_get(1)?;
        let strongest = modes.iter().filter_map(|mode| LockMode::parse(mode)).max();
        let Some(mode) = strongest else { continue };
        holds.push(Hold {
            relation: row.try_get(0)?,
            mode,
            file: row.try_get(2)?,
            counts: Counts {
                scans: row.try_get(3)?,
                rows: row.try_get(4)?,
            },
        });
    }
    Ok(holds)
}

/// Whether the server counts scans.
pub(super) async fn counts_scans(client: &Client) -> Result<bool, Error> {
    let rows = client
        .query_typed(
            "SELECT pg_catalog.current_setting('track_counts') = 'on'",
            &[],
        )
        .await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}
