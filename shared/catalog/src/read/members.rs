//! Privileges on what is itself no part of the schema: objects of extensions and of the system.
//!
//! As `pg_dump` has it: told is what differs from the privileges that `initdb` or the extension's script left
//! (`pg_init_privs`). Third floor.

use super::family::{Family, KindOf, Naming};
use super::sql::member;
use crate::kind::Kind;

/// One family for each catalog that has access lists.
pub(super) fn families() -> Vec<Family> {
    vec![
        family(
            "pg_class",
            "rel",
            "CASE o.relkind WHEN 'S' THEN 's' ELSE 'r' END",
            RELATION,
            "o.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')",
        ),
        columns(),
        family("pg_proc", "pro", "'f'", "o.oid::regprocedure::text", "true"),
        family(
            "pg_type",
            "typ",
            "'T'",
            "o.oid::regtype::text",
            "o.typtype <> 'c'",
        ),
        family(
            "pg_namespace",
            "nsp",
            "'n'",
            "quote_ident(o.nspname)",
            "o.nspname <> 'public'",
        ),
        family(
            "pg_language",
            "lan",
            "'l'",
            "quote_ident(o.lanname)",
            "true",
        ),
        family(
            "pg_foreign_data_wrapper",
            "fdw",
            "'F'",
            "quote_ident(o.fdwname)",
            "true",
        ),
        family(
            "pg_foreign_server",
            "srv",
            "'S'",
            "quote_ident(o.srvname)",
            "true",
        ),
    ]
}

const RELATION: &str = "o.oid::regclass::text";

fn family(catalog: &'static str, prefix: &str, class: &str, name: &str, condition: &str) -> Family {
    let (schema, join, system) = match catalog {
        "pg_class" | "pg_proc" | "pg_type" => (
            "n.nspname",
            format!("JOIN pg_namespace AS n ON n.oid = o.{prefix}namespace"),
            "n.nspname = 'pg_catalog'",
        ),
        "pg_namespace" => ("NULL::name", String::new(), "o.nspname = 'pg_catalog'"),
        _ => ("NULL::name", String::new(), "o.oid < 16384"),
    };
    let class = format!("({class})::\"char\"");
    Family {
        catalog,
        kind: KindOf::All(Kind::Privileges),
        naming: Naming::AsWritten,
        class: ' ',
        attributes: &[],
        sql: format!(
            "SELECT {schema} AS schema, {name} AS name, {class} AS class, pg_get_userbyid(o.{prefix}owner) AS possessor,
                array_to_string(COALESCE(o.{prefix}acl, acldefault({class}, o.{prefix}owner)), E'\\n') AS acl,
                array_to_string(COALESCE(i.initprivs, acldefault({class}, o.{prefix}owner)), E'\\n') AS acl_base
            FROM {catalog} AS o {join}
                LEFT JOIN pg_init_privs AS i ON i.objoid = o.oid AND i.classoid = 'pg_catalog.{catalog}'::regclass AND i.objsubid = 0
            WHERE o.{prefix}acl IS DISTINCT FROM i.initprivs AND {condition} AND ({system} OR {member})",
            member = member(catalog, "o.oid"),
        ),
    }
}

fn columns() -> Family {
    Family {
        catalog: "pg_class",
        kind: KindOf::All(Kind::Privileges),
        naming: Naming::AsWritten,
        class: 'c',
        attributes: &[],
        sql: format!(
            "SELECT n.nspname AS schema, {RELATION} || '.' || quote_ident(a.attname) AS name, pg_get_userbyid(o.relowner) AS possessor,
                array_to_string(COALESCE(a.attacl, '{{}}'), E'\\n') AS acl, array_to_string(i.initprivs, E'\\n') AS acl_base
            FROM pg_attribute AS a
                JOIN pg_class AS o ON o.oid = a.attrelid
                JOIN pg_namespace AS n ON n.oid = o.relnamespace
                LEFT JOIN pg_init_privs AS i ON i.objoid = o.oid AND i.classoid = 'pg_class'::regclass AND i.objsubid = a.attnum
            WHERE a.attacl IS DISTINCT FROM i.initprivs AND (n.nspname = 'pg_catalog' OR {member})",
            member = member("pg_class", "o.oid"),
        ),
    }
}
