//! Extended statistics.
//!
//! The definition is built here: `pg_get_statisticsobjdef` lists the columns in their physical order, which has no meaning.

use super::family::{Family, KindOf, Naming};
use super::sql::{not_member, owner, user_schema};
use crate::kind::Kind;

/// Statistics objects: parts of their table, with a schema of their own.
pub(super) fn statistics() -> Family {
    Family {
        catalog: "pg_statistic_ext",
        kind: KindOf::All(Kind::Statistics),
        naming: Naming::InSchema,
        class: ' ',
        attributes: &["definition", "target"],
        sql: format!(
            "SELECT s.oid, n.nspname AS schema, s.stxname AS name, {owner},
                concat_ws(' ', 'CREATE STATISTICS', quote_ident(n.nspname) || '.' || quote_ident(s.stxname), '(' || (
                    SELECT string_agg(CASE k WHEN 'd' THEN 'ndistinct' WHEN 'f' THEN 'dependencies' ELSE 'mcv' END, ', ' ORDER BY k)
                    FROM unnest(s.stxkind) AS k WHERE k <> 'e') || ')', 'ON', concat_ws(', ', (
                    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname COLLATE \"C\")
                    FROM pg_attribute AS a WHERE a.attrelid = s.stxrelid AND a.attnum = ANY (s.stxkeys::int2[])),
                    array_to_string(pg_get_statisticsobjdef_expressions(s.oid), ', ')),
                    'FROM', s.stxrelid::regclass::text) AS definition,
                NULLIF(s.stxstattarget, -1) AS target,
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
