//! Fragments of SQL that the families share.
//!
//! Responsible for saying once what belongs to a schema and what does not, how options and access lists
//! come out, and in which order aggregates stand (always `COLLATE "C"`: the database's own order differs
//! between databases). Third floor.

/// Rows of the schemas that people make; `pg_temp` and the like begin with `pg_` too.
pub(super) fn user_schema(alias: &str) -> String {
    format!("{alias}.nspname NOT LIKE 'pg\\_%' AND {alias}.nspname <> 'information_schema'")
}

/// Rows of `catalog` that no extension brought.
pub(super) fn not_member(catalog: &str, oid: &str) -> String {
    format!("NOT {}", member(catalog, oid))
}

/// Rows of `catalog` that an extension brought.
pub(super) fn member(catalog: &str, oid: &str) -> String {
    format!(
        "EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = 'pg_catalog.{catalog}'::regclass AND e.objid = {oid} \
         AND e.deptype = 'e')"
    )
}

/// Objects outside of schemas that were not there when the cluster was made (`FirstNormalObjectId`).
pub(super) fn made_later(oid: &str) -> String {
    format!("{oid} >= 16384")
}

/// The columns `acl` and `acl_base` for the object's access list, of a class as `acldefault` takes it.
pub(super) fn acl(list: &str, class: &str, owner: &str) -> String {
    format!(
        "array_to_string({list}, E'\\n') AS acl, \
         CASE WHEN {list} IS NOT NULL THEN array_to_string(acldefault({class}, {owner}), E'\\n') END AS acl_base"
    )
}

/// The column `owner`.
pub(super) fn owner(role: &str) -> String {
    format!("pg_get_userbyid({role}) AS owner")
}

/// An array of `name=value` options as one text, in the order that `pg_dump` prints: the one they were set
/// in.
pub(super) fn options(array: &str) -> String {
    format!("array_to_string({array}, ', ')")
}

/// The options of a foreign object as one text, by name, as `pg_dump` prints them.
pub(super) fn foreign_options(array: &str) -> String {
    format!(
        "CASE WHEN {array} IS NOT NULL THEN (SELECT string_agg(o.option_name || '=' || o.option_value, ', ' \
         ORDER BY o.option_name COLLATE \"C\") FROM pg_options_to_table({array}) AS o) END"
    )
}

/// The qualified name of a collation where it is not the one that the type has anyway.
pub(super) fn collation(oid: &str, usual: &str) -> String {
    format!(
        "CASE WHEN {oid} <> {usual} THEN {} END",
        reference("pg_collation", "coll", oid)
    )
}

/// `schema.name` of a row of a catalog whose columns have this prefix; nothing for 0.
pub(super) fn reference(catalog: &str, prefix: &str, oid: &str) -> String {
    format!(
        "(SELECT quote_ident(rn.nspname) || '.' || quote_ident(ro.{prefix}name) FROM {catalog} AS ro \
         JOIN pg_namespace AS rn ON rn.oid = ro.{prefix}namespace WHERE ro.oid = {oid})"
    )
}

/// The name of a tablespace that is not the database's own.
pub(super) fn tablespace(oid: &str) -> String {
    format!(
        "CASE WHEN {oid} <> 0 THEN (SELECT s.spcname FROM pg_tablespace AS s WHERE s.oid = {oid}) END"
    )
}

/// A function, operator or type by an alias type such as `regprocedure`; nothing for 0.
pub(super) fn named(oid: &str, alias: &str) -> String {
    format!("CASE WHEN {oid} <> 0 THEN {oid}::{alias}::text END")
}
