//! Tables and foreign tables, without their columns.

use super::family::{Family, KindOf, Naming};
use super::sql::{acl, foreign_options, not_member, options, owner, tablespace, user_schema};
use crate::kind::Kind;

/// Tables (including partitioned tables and partitions) and foreign tables.
pub(super) fn families() -> Vec<Family> {
    vec![Family {
        catalog: "pg_class",
        kind: KindOf::Code(Kind::of_relation),
        naming: Naming::InSchema,
        class: 'r',
        attributes: &[
            "persistence", "access method", "options", "toast options", "replica identity", "row security", "tablespace",
            "partition key", "partition of", "partition bound", "inherits", "of type", "server", "server options", "constraint triggers",
        ],
        sql: format!(
            "SELECT c.oid, c.relkind AS code, n.nspname AS schema, c.relname AS name, {owner}, {acl},
                CASE c.relpersistence WHEN 'u' THEN 'unlogged' END AS persistence,
                CASE WHEN c.relam <> 0 THEN (SELECT NULLIF(m.amname, 'heap') FROM pg_am AS m WHERE m.oid = c.relam) END
                    AS \"access method\",
                {options} AS options, {toast_options} AS \"toast options\",
                CASE WHEN c.relkind <> 'f' THEN CASE c.relreplident WHEN 'n' THEN 'nothing' WHEN 'f' THEN 'full' END END
                    AS \"replica identity\",
                CASE WHEN c.relrowsecurity AND c.relforcerowsecurity THEN 'enabled, forced'
                    WHEN c.relrowsecurity THEN 'enabled' WHEN c.relforcerowsecurity THEN 'forced' END AS \"row security\",
                {tablespace} AS tablespace,
                CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END AS \"partition key\",
                CASE WHEN c.relispartition THEN {parents} END AS \"partition of\",
                CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END AS \"partition bound\",
                CASE WHEN NOT c.relispartition THEN {parents} END AS inherits,
                CASE WHEN c.reloftype <> 0 THEN c.reloftype::regtype::text END AS \"of type\",
                s.srvname AS server, {server_options} AS \"server options\",
                (SELECT string_agg(quote_ident(k.conname) || ' ' || p.proname || CASE g.tgenabled WHEN 'D' THEN ' disabled'
                        WHEN 'R' THEN ' replica' ELSE ' always' END, ', ' ORDER BY k.conname COLLATE \"C\", p.proname COLLATE \"C\")
                    FROM pg_trigger AS g JOIN pg_constraint AS k ON k.oid = g.tgconstraint JOIN pg_proc AS p ON p.oid = g.tgfoid
                    WHERE g.tgrelid = c.oid AND g.tgisinternal AND g.tgenabled <> 'O') AS \"constraint triggers\"
            FROM pg_class AS c
                JOIN pg_namespace AS n ON n.oid = c.relnamespace
                LEFT JOIN pg_class AS t ON t.oid = c.reltoastrelid AND c.reltoastrelid <> 0
                LEFT JOIN pg_foreign_table AS f ON f.ftrelid = c.oid AND c.relkind = 'f'
                LEFT JOIN pg_foreign_server AS s ON s.oid = f.ftserver
            WHERE c.relkind IN ('r', 'p', 'f') AND {user_schema} AND {not_member}",
            owner = owner("c.relowner"),
            acl = acl("c.relacl", "'r'", "c.relowner"),
            options = options("c.reloptions"),
            toast_options = options("t.reloptions"),
            server_options = foreign_options("f.ftoptions"),
            tablespace = tablespace("c.reltablespace"),
            parents = "(SELECT string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno)
                    FROM pg_inherits AS i WHERE i.inhrelid = c.oid)",
            user_schema = user_schema("n"),
            not_member = not_member("pg_class", "c.oid"),
        ),
    }]
}
