//! Indexes that do not belong to a constraint.
//!
//! Also provides the index attributes that a definition does not include, which constraints share.

use super::family::{Family, KindOf, Naming};
use super::session::Server;
use super::sql::{not_member, tablespace, user_schema};
use crate::kind::Kind;

/// The attributes that [`index_facts`] selects.
pub(super) const INDEX_FACTS: [&str; 5] = [
    "tablespace",
    "clustered",
    "replica identity",
    "attached to",
    "statistics",
];

/// The attributes that `pg_get_indexdef` omits, for an index `i` in `pg_index` and `x` in `pg_class`.
pub(super) fn index_facts(server: &Server) -> String {
    let has_target = server.since(
        17,
        "x_a.attstattarget IS NOT NULL",
        "x_a.attstattarget >= 0",
    );
    format!(
        "{tablespace} AS tablespace,
        CASE WHEN i.indisclustered THEN 'yes' END AS clustered,
        CASE WHEN i.indisreplident THEN 'yes' END AS \"replica identity\",
        CASE WHEN x.relispartition THEN (SELECT x_p.inhparent::regclass::text FROM pg_inherits AS x_p WHERE x_p.inhrelid = x.oid)
            END AS \"attached to\",
        CASE WHEN i.indexprs IS NOT NULL THEN (SELECT string_agg(x_a.attnum || ': ' || x_a.attstattarget, ', ' ORDER BY x_a.attnum)
            FROM pg_attribute AS x_a WHERE x_a.attrelid = x.oid AND {has_target}) END AS statistics",
        tablespace = tablespace("x.reltablespace"),
    )
}

/// Indexes of tables and materialized views. The validity of a partitioned table's index follows from its partitions.
pub(super) fn indexes(server: &Server) -> Family {
    const FACTS: &[&str] = &[
        "definition",
        "valid",
        INDEX_FACTS[0],
        INDEX_FACTS[1],
        INDEX_FACTS[2],
        INDEX_FACTS[3],
        INDEX_FACTS[4],
    ];
    Family {
        catalog: "pg_class",
        kind: KindOf::All(Kind::Index),
        naming: Naming::BesideRelation,
        class: ' ',
        attributes: FACTS,
        sql: format!(
            "SELECT x.oid, n.nspname AS schema, c.relname AS relation, c.relkind, x.relname AS name,
                pg_get_indexdef(x.oid) AS definition,
                CASE WHEN c.relkind <> 'p' THEN CASE WHEN i.indisvalid AND i.indisready THEN 'yes' ELSE 'no' END END AS valid,
                {facts}
            FROM pg_index AS i
                JOIN pg_class AS x ON x.oid = i.indexrelid
                JOIN pg_class AS c ON c.oid = i.indrelid
                JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p', 'm') AND {user_schema} AND {not_member}
                AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))",
            facts = index_facts(server),
            user_schema = user_schema("n"),
            not_member = not_member("pg_class", "c.oid"),
        ),
    }
}
