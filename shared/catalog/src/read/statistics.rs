//! Extended statistics.
//!
//! Third floor.

use super::family::{Family, KindOf, Naming};
use super::sql::{not_member, owner, user_schema};
use crate::kind::Kind;

/// Statistics objects: part of their table, in a schema of their own.
pub(super) fn statistics() -> Family {
    Family {
        catalog: "pg_statistic_ext",
        kind: KindOf::All(Kind::Statistics),
        naming: Naming::InSchema,
        class: ' ',
        attributes: &["definition", "target"],
        sql: format!(
            "SELECT s.oid, n.nspname AS schema, s.stxname AS name, {owner},
                pg_get_statisticsobjdef(s.oid) AS definition, NULLIF(s.stxstattarget, -1) AS target,
                cn.nspname AS parent_schema, c.relname AS parent_relation, c.relkind AS parent_kind
            FROM pg_statistic_ext AS s
                JOIN pg_namespace AS n ON n.oid = s.stxnamespace
                JOIN pg_class AS c ON c.oid = s.stxrelid
                JOIN pg_namespace AS cn ON cn.oid = c.relnamespace
            WHERE {user_schema} AND {not_member}",
            owner = owner("s.stxowner"),
            user_schema = user_schema("n"),
            not_member = not_member("pg_statistic_ext", "s.oid"),
        ),
    }
}
