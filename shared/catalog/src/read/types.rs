//! Types: enums, domains, composites, ranges, and base types with their shells.
//!
//! Array and multirange types are created and dropped with their types.

use super::family::{Family, KindOf, Naming};
use super::session::Server;
use super::sql::{acl, collation, named, not_member, owner, reference, user_schema};
use crate::kind::Kind;

/// All types except the row types of tables.
pub(super) fn families(server: &Server) -> Vec<Family> {
    vec![
        enums(),
        domains(server),
        composites(),
        ranges(),
        base_types(),
    ]
}

/// A family for one kind of type: further columns, joins and the condition.
fn family(
    kind: Kind,
    attributes: &'static [&'static str],
    columns: &str,
    joins: &str,
    condition: &str,
) -> Family {
    Family {
        catalog: "pg_type",
        kind: KindOf::All(kind),
        naming: Naming::InSchema,
        class: 'T',
        attributes,
        sql: format!(
            "SELECT t.oid, n.nspname AS schema, t.typname AS name, {owner}, {acl}, {columns}
            FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace {joins}
            WHERE {condition} AND {user_schema} AND {not_member}",
            owner = owner("t.typowner"),
            acl = acl("t.typacl", "'T'", "t.typowner"),
            user_schema = user_schema("n"),
            not_member = not_member("pg_type", "t.oid"),
        ),
    }
}

fn enums() -> Family {
    family(
        Kind::Enum,
        &["labels"],
        "(SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum AS e WHERE e.enumtypid = t.oid)
            AS labels",
        "",
        "t.typtype = 'e'",
    )
}

/// Domains. Since 18 their NOT NULL is a named constraint; the name is included only if it differs from the one that the
/// server would choose.
fn domains(server: &Server) -> Family {
    let null_facts = server.since(
        18,
        "NULLIF(k.conname::text, t.typname || '_not_null') AS \"not null constraint\",
        CASE WHEN k.oid IS NOT NULL THEN (SELECT s.description FROM pg_description AS s
            WHERE s.objoid = k.oid AND s.classoid = 'pg_constraint'::regclass) END AS \"not null comment\"",
        "NULL::text AS \"not null constraint\"",
    );
    let null_join = server.since(
        18,
        "LEFT JOIN pg_constraint AS k ON k.contypid = t.oid AND k.contype = 'n'",
        "",
    );
    let columns = format!(
        "format_type(t.typbasetype, t.typtypmod) AS type,
        CASE WHEN t.typnotnull THEN 'no' ELSE 'yes' END AS nullable,
        COALESCE(pg_get_expr(t.typdefaultbin, 'pg_type'::regclass), t.typdefault) AS \"default\",
        {} AS collation, {null_facts}",
        collation("t.typcollation", "b.typcollation"),
    );
    family(
        Kind::Domain,
        &[
            "type",
            "nullable",
            "default",
            "collation",
            "not null constraint",
            "not null comment",
        ],
        &columns,
        &format!("JOIN pg_type AS b ON b.oid = t.typbasetype {null_join}"),
        "t.typtype = 'd'",
    )
}

fn composites() -> Family {
    let columns = format!(
        "(SELECT string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod) || COALESCE(' COLLATE ' || {}, ''),
            ', ' ORDER BY a.attnum)
            FROM pg_attribute AS a JOIN pg_type AS y ON y.oid = a.atttypid
            WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) AS fields",
        collation("a.attcollation", "y.typcollation"),
    );
    family(
        Kind::Composite,
        &["fields"],
        &columns,
        "JOIN pg_class AS c ON c.oid = t.typrelid AND c.relkind = 'c'",
        "t.typtype = 'c'",
    )
}

fn ranges() -> Family {
    let columns = format!(
        "format_type(r.rngsubtype, NULL) AS subtype, {collation} AS collation,
        CASE WHEN NOT o.opcdefault THEN {operator_class} END AS \"operator class\",
        {canonical} AS canonical, {difference} AS \"subtype difference\", {multirange} AS multirange",
        collation = collation("r.rngcollation", "s.typcollation"),
        operator_class = reference("pg_opclass", "opc", "r.rngsubopc"),
        canonical = named("r.rngcanonical", "regproc"),
        difference = named("r.rngsubdiff", "regproc"),
        multirange = named("r.rngmultitypid", "regtype"),
    );
    family(
        Kind::Range,
        &[
            "subtype",
            "collation",
            "operator class",
            "canonical",
            "subtype difference",
            "multirange",
        ],
        &columns,
        "JOIN pg_range AS r ON r.rngtypid = t.oid JOIN pg_type AS s ON s.oid = r.rngsubtype
            JOIN pg_opclass AS o ON o.oid = r.rngsubopc",
        "t.typtype = 'r'",
    )
}

fn base_types() -> Family {
    let defined = |value: &str| format!("CASE WHEN t.typisdefined THEN {value} END");
    let functions: String = [
        ("typinput", "input"),
        ("typoutput", "output"),
        ("typreceive", "receive"),
        ("typsend", "send"),
        ("typmodin", "type modifier input"),
        ("typmodout", "type modifier output"),
        ("typanalyze", "analyze"),
        ("typsubscript", "subscript"),
    ]
    .iter()
    .map(|(column, name)| {
        format!("CASE WHEN t.typisdefined AND t.{column} <> 0 THEN t.{column}::regproc::text END AS \"{name}\", ")
    })
    .collect();
    let columns = format!(
        "{functions} CASE WHEN NOT t.typisdefined THEN 'yes' END AS shell,
        {length} AS length, {by_value} AS \"by value\", {alignment} AS alignment, {storage} AS storage, {category} AS category,
        {preferred} AS preferred, {delimiter} AS delimiter,
        CASE WHEN t.typisdefined AND t.typelem <> 0 THEN format_type(t.typelem, NULL) END AS element,
        CASE WHEN t.typcollation <> 0 THEN 'yes' END AS collatable,
        COALESCE(pg_get_expr(t.typdefaultbin, 0), t.typdefault) AS \"default\"",
        length = defined("t.typlen"),
        by_value = defined("t.typbyval::text"),
        alignment = defined("t.typalign::text"),
        storage = defined("t.typstorage::text"),
        category = defined("t.typcategory::text"),
        preferred = defined("t.typispreferred::text"),
        delimiter = defined("t.typdelim::text"),
    );
    family(
        Kind::BaseType,
        &[
            "input", "output", "receive", "send", "type modifier input", "type modifier output", "analyze", "subscript", "shell",
            "length", "by value", "alignment", "storage", "category", "preferred", "delimiter", "element", "collatable", "default",
        ],
        &columns,
        "",
        "(t.typtype = 'b' OR NOT t.typisdefined)
            AND NOT EXISTS (SELECT FROM pg_type AS m WHERE m.oid = t.typelem AND m.typarray = t.oid)",
    )
}
