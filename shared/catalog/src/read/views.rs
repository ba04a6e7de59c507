//! Views and materialized views.
//!
//! Whether a materialized view is populated is data, not schema: `pg_dump --schema-only` never prints it.

use super::family::{Family, KindOf, Naming};
use super::sql::{acl, not_member, options, owner, tablespace, user_schema};
use crate::kind::Kind;

pub(super) fn views() -> Family {
    Family {
        catalog: "pg_class",
        kind: KindOf::Code(Kind::of_relation),
        naming: Naming::InSchema,
        class: 'r',
        attributes: &["definition", "options", "toast options", "access method", "tablespace", "replica identity"],
        sql: format!(
            "SELECT c.oid, c.relkind AS code, n.nspname AS schema, c.relname AS name, {owner}, {acl},
                pg_get_viewdef(c.oid) AS definition,
                {options} AS options, {toast_options} AS \"toast options\",
                CASE WHEN c.relam <> 0 THEN (SELECT NULLIF(m.amname, 'heap') FROM pg_am AS m WHERE m.oid = c.relam) END
                    AS \"access method\",
                CASE WHEN c.relkind = 'm' THEN CASE c.relreplident WHEN 'n' THEN 'nothing' WHEN 'f' THEN 'full' END END
                    AS \"replica identity\",
                {tablespace} AS tablespace
            FROM pg_class AS c
                JOIN pg_namespace AS n ON n.oid = c.relnamespace
                LEFT JOIN pg_class AS t ON t.oid = c.reltoastrelid AND c.reltoastrelid <> 0
            WHERE c.relkind IN ('v', 'm') AND {user_schema} AND {not_member}",
            owner = owner("c.relowner"),
            acl = acl("c.relacl", "'r'", "c.relowner"),
            options = options("c.reloptions"),
            toast_options = options("t.reloptions"),
            tablespace = tablespace("c.reltablespace"),
            user_schema = user_schema("n"),
            not_member = not_member("pg_class", "c.oid"),
        ),
    }
}
