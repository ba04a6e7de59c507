//! Columns of tables, and those columns of views and composite types that have a comment or other annotation.
//!
//! Inherited columns are included with their own values: they follow their parents, so they differ when the parents do.

use super::family::{Family, KindOf, Naming};
use super::session::Server;
use super::sql::{collation, foreign_options, not_member, options, user_schema};
use crate::kind::Kind;

/// Columns, with the NOT NULL constraints of 18 as attributes. A constraint's name is included only if it differs from
/// the one that the server would choose.
pub(super) fn columns(server: &Server) -> Family {
    let named_null = server.since(
        18,
        "CASE WHEN k.conislocal OR c.relispartition THEN NULLIF(k.conname::text, c.relname || '_' || a.attname || '_not_null') END",
        "NULL::text",
    );
    let null_facts = server.since(
        18,
        "NULLIF(concat_ws(', ', CASE WHEN k.connoinherit THEN 'NO INHERIT' END, CASE WHEN NOT k.convalidated THEN 'NOT VALID' END), '')",
        "NULL::text",
    );
    let null_comment = server.since(
        18,
        "CASE WHEN k.oid IS NOT NULL THEN (SELECT s.description FROM pg_description AS s
            WHERE s.objoid = k.oid AND s.classoid = 'pg_constraint'::regclass) END",
        "NULL::text",
    );
    let null_join = server.since(
        18,
        "LEFT JOIN pg_constraint AS k ON k.conrelid = a.attrelid AND k.contype = 'n' AND k.conkey[1] = a.attnum",
        "",
    );
    // Before 18, a child could lack its parent's NOT NULL. `pg_dump` cannot express that and omits it.
    let parent_null = server.since(
        18,
        "false",
        "NOT a.attislocal AND NOT c.relispartition AND EXISTS (SELECT FROM pg_inherits AS h
            JOIN pg_attribute AS p ON p.attrelid = h.inhparent AND p.attname = a.attname AND p.attnotnull WHERE h.inhrelid = c.oid)",
    );
    // Since 17, a partition shares the identity of its root, which alone owns the sequence.
    let identity = format!(
        "CASE WHEN {} THEN CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END END",
        server.since(17, "NOT c.relispartition", "true"),
    );
    Family {
        catalog: "pg_class",
        kind: KindOf::All(Kind::Column),
        naming: Naming::InRelation,
        class: 'c',
        attributes: &[
            "type", "nullable", "not null constraint", "not null options", "not null comment", "default", "generated", "identity",
            "collation", "storage", "compression", "statistics target", "options", "server options", "inherited",
        ],
        sql: format!(
            "SELECT a.attrelid AS oid, a.attnum AS subid, a.attnum AS position, n.nspname AS schema, c.relname AS relation,
                c.relkind, a.attname AS name,
                CASE WHEN t.own THEN format_type(a.atttypid, a.atttypmod) END AS type,
                CASE WHEN t.own THEN CASE WHEN a.attnotnull OR {parent_null} THEN 'no' ELSE 'yes' END END AS nullable,
                {named_null} AS \"not null constraint\", {null_facts} AS \"not null options\",
                {null_comment} AS \"not null comment\",
                CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END AS \"default\",
                CASE a.attgenerated WHEN 's' THEN '(' || pg_get_expr(d.adbin, d.adrelid) || ') STORED'
                    WHEN 'v' THEN '(' || pg_get_expr(d.adbin, d.adrelid) || ') VIRTUAL' END AS generated,
                {identity} AS identity,
                CASE WHEN t.own THEN {collation} END AS collation,
                CASE WHEN c.relkind <> 'c' AND c.relkind <> 'v' AND a.attstorage <> y.typstorage THEN
                    CASE a.attstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'x' THEN 'extended' ELSE 'main' END
                    END AS storage,
                CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END AS compression,
                NULLIF(a.attstattarget, -1) AS \"statistics target\",
                {options} AS options, {server_options} AS \"server options\",
                CASE WHEN NOT a.attislocal AND NOT c.relispartition THEN 'yes' END AS inherited,
                array_to_string(a.attacl, E'\\n') AS acl, pg_get_userbyid(c.relowner) AS possessor
            FROM pg_class AS c
                JOIN pg_namespace AS n ON n.oid = c.relnamespace
                CROSS JOIN LATERAL (SELECT c.relkind IN ('r', 'p', 'f') AS own) AS t
                JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                JOIN pg_type AS y ON y.oid = a.atttypid
                LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                {null_join}
            WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'c') AND {user_schema} AND {not_member}",
            collation = collation("a.attcollation", "y.typcollation"),
            options = options("a.attoptions"),
            server_options = foreign_options("a.attfdwoptions"),
            user_schema = user_schema("n"),
            not_member = not_member("pg_class", "c.oid"),
        ),
    }
}
