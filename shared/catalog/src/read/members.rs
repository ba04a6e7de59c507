//! Privileges on objects outside the schema (of extensions and of the system), and the owners of extension members.
//!
//! Follows `pg_dump`: only differences from the privileges set by `initdb` or the extension's script
//! (`pg_init_privs`) are included. `pg_dump` ignores a changed owner of an extension member; it is included here unless it
//! is the extension's owner or the bootstrap superuser, who owns the members of a trusted extension.

use super::family::{Family, KindOf, Naming};
use crate::kind::Kind;

/// One family for each catalog with access lists.
pub(super) fn families() -> Vec<Family> {
    let mut families: Vec<Family> = OWNED
        .iter()
        .map(|(catalog, prefix)| owners(catalog, prefix))
        .collect();
    families.extend([
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
    ]);
    families
}

/// The catalogs with owners but without access lists, and the prefixes of their columns.
const OWNED: [(&str, &str); 8] = [
    ("pg_operator", "opr"),
    ("pg_opclass", "opc"),
    ("pg_opfamily", "opf"),
    ("pg_collation", "coll"),
    ("pg_conversion", "con"),
    ("pg_ts_dict", "dict"),
    ("pg_ts_config", "cfg"),
    ("pg_event_trigger", "evt"),
];

/// The changed owner of an extension member; NULL if unchanged.
fn given_owner(catalog: &str, owner: &str) -> String {
    format!(
        "(SELECT pg_get_userbyid({owner}) FROM pg_depend AS d JOIN pg_extension AS x ON x.oid = d.refobjid
            WHERE d.classid = 'pg_catalog.{catalog}'::regclass AND d.objid = o.oid AND d.objsubid = 0 AND d.deptype = 'e'
                AND {owner} NOT IN (x.extowner, 10))"
    )
}

/// Whether a row of a catalog belongs to an extension. The members of all extensions are found once: few rows of large catalogs are.
fn is_member(catalog: &str) -> String {
    format!(
        "o.oid IN (SELECT m.objid FROM pg_depend AS m WHERE m.refclassid = 'pg_catalog.pg_extension'::regclass
            AND m.classid = 'pg_catalog.{catalog}'::regclass AND m.deptype = 'e')"
    )
}

fn owners(catalog: &'static str, prefix: &str) -> Family {
    let owner = given_owner(catalog, &format!("o.{prefix}owner"));
    Family {
        catalog,
        kind: KindOf::All(Kind::Privileges),
        naming: Naming::AsWritten,
        class: ' ',
        attributes: &[],
        sql: format!(
            "SELECT pg_describe_object('pg_catalog.{catalog}'::regclass, o.oid, 0) AS name, {owner} AS owner
            FROM {catalog} AS o WHERE {member} AND {owner} IS NOT NULL",
            member = is_member(catalog),
        ),
    }
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
    let owner = given_owner(catalog, &format!("o.{prefix}owner"));
    Family {
        catalog,
        kind: KindOf::All(Kind::Privileges),
        naming: Naming::AsWritten,
        class: ' ',
        attributes: &[],
        sql: format!(
            "SELECT {schema} AS schema, {name} AS name, {class} AS class, {owner} AS owner,
                pg_get_userbyid(o.{prefix}owner) AS possessor,
                array_to_string(COALESCE(o.{prefix}acl, acldefault({class}, o.{prefix}owner)), E'\\n') AS acl,
                array_to_string(COALESCE(i.initprivs, acldefault({class}, o.{prefix}owner)), E'\\n') AS acl_base
            FROM {catalog} AS o {join}
                LEFT JOIN pg_init_privs AS i ON i.objoid = o.oid AND i.classoid = 'pg_catalog.{catalog}'::regclass AND i.objsubid = 0
            WHERE {condition} AND ((o.{prefix}acl IS DISTINCT FROM i.initprivs AND ({system} OR {member})) OR ({member} AND {owner} IS NOT NULL))",
            member = is_member(catalog),
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
            member = is_member("pg_class"),
        ),
    }
}
