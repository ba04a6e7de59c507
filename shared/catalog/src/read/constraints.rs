//! Constraints of tables and of domains.
//!
//! Follows `pg_dump`: an inherited CHECK belongs to the parent, and a partition's foreign key to the partitioned table.
//! NOT NULL is an attribute of the column, even on 18, where it is a constraint. A constraint's index is part of it.

use super::family::{Family, KindOf, Naming};
use super::indexes::{INDEX_FACTS, index_facts};
use super::session::Server;
use super::sql::{not_member, options, user_schema};
use crate::kind::Kind;

pub(super) fn families(server: &Server) -> Vec<Family> {
    vec![of_tables(server), of_domains()]
}

const TABLE_FACTS: &[&str] = &[
    "definition",
    "index options",
    "index comment",
    INDEX_FACTS[0],
    INDEX_FACTS[1],
    INDEX_FACTS[2],
    INDEX_FACTS[3],
    INDEX_FACTS[4],
];

fn of_tables(server: &Server) -> Family {
    Family {
        catalog: "pg_constraint",
        kind: KindOf::All(Kind::Constraint),
        naming: Naming::InRelation,
        class: ' ',
        attributes: TABLE_FACTS,
        sql: format!(
            "SELECT k.oid, n.nspname AS schema, c.relname AS relation, c.relkind, k.conname AS name,
                pg_get_constraintdef(k.oid) AS definition,
                {options} AS \"index options\",
                CASE WHEN x.oid IS NOT NULL THEN (SELECT s.description FROM pg_description AS s
                    WHERE s.objoid = x.oid AND s.classoid = 'pg_class'::regclass AND s.objsubid = 0) END AS \"index comment\",
                {facts}
            FROM pg_constraint AS k
                JOIN pg_class AS c ON c.oid = k.conrelid
                JOIN pg_namespace AS n ON n.oid = c.relnamespace
                LEFT JOIN pg_index AS i ON i.indexrelid = k.conindid AND k.contype IN ('p', 'u', 'x')
                LEFT JOIN pg_class AS x ON x.oid = i.indexrelid
            WHERE (k.contype IN ('p', 'u', 'x')
                    OR (k.contype = 'c' AND (k.conislocal OR c.relispartition))
                    OR (k.contype = 'f' AND k.conparentid = 0))
                AND c.relkind IN ('r', 'p', 'f') AND {user_schema} AND {not_member}",
            options = options("x.reloptions"),
            facts = index_facts(server),
            user_schema = user_schema("n"),
            not_member = not_member("pg_class", "c.oid"),
        ),
    }
}

fn of_domains() -> Family {
    Family {
        catalog: "pg_constraint",
        kind: KindOf::All(Kind::Constraint),
        naming: Naming::InRelation,
        class: ' ',
        attributes: &["definition"],
        sql: format!(
            "SELECT k.oid, n.nspname AS schema, t.typname AS relation, 'domain' AS relkind, k.conname AS name,
                pg_get_constraintdef(k.oid) AS definition
            FROM pg_constraint AS k
                JOIN pg_type AS t ON t.oid = k.contypid
                JOIN pg_namespace AS n ON n.oid = t.typnamespace
            WHERE k.contypid <> 0 AND k.contype = 'c' AND {user_schema} AND {not_member}",
            user_schema = user_schema("n"),
            not_member = not_member("pg_type", "t.oid"),
        ),
    }
}
