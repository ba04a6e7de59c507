//! SQL fragments that the families share.
//!
//! Defines once what belongs to a schema, how options and access lists are printed, and how aggregates are ordered
//! (always `COLLATE "C"`: the default order differs between databases).

/// Rows of user schemas; `pg_temp` and the like begin with `pg_` too.
pub(super) fn user_schema(alias: &str) -> String {
    format!("{alias}.nspname NOT LIKE 'pg\\_%' AND {alias}.nspname <> 'information_schema'")
}

/// Rows of `catalog` that do not belong to an extension.
pub(super) fn not_member(catalog: &str, oid: &str) -> String {
    format!("NOT {}", member(catalog, oid))
}

/// Rows of `catalog` that belong to an extension.
pub(super) fn member(catalog: &str, oid: &str) -> String {
    format!(
        "EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = 'pg_catalog.{catalog}'::regclass AND e.objid = {oid} \
         AND e.deptype = 'e')"
    )
}

/// Objects outside schemas that were not created by `initdb` (`FirstNormalObjectId`).
pub(super) fn made_later(oid: &str) -> String {
    format!("{oid} >= 16384")
}

/// The columns `acl` and `acl_base` for the object's access list, with a class as `acldefault` takes it.
pub(super) fn acl(list: &str, class: &str, owner: &str) -> String {
    format!(
        "array_to_string({list}, E'\\n') AS acl, \
         CASE WHEN {list} IS NOT NULL THEN array_to_string(acldefault({class}, {owner}), E'\\n') END AS acl_base"
    )
}

pub(super) fn owner(role: &str) -> String {
    format!("pg_get_userbyid({role}) AS owner")
}

/// An array of `name=value` options as one text, in the order in which they were set, as `pg_dump` prints them.
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

/// The qualified name of a collation, unless it is the default of the type.
pub(super) fn collation(oid: &str, usual: &str) -> String {
    format!(
        "CASE WHEN {oid} <> {usual} THEN {} END",
        reference("pg_collation", "coll", oid)
    )
}

/// `schema.name` of a row of a catalog whose columns have this prefix; NULL for 0.
pub(super) fn reference(catalog: &str, prefix: &str, oid: &str) -> String {
    format!(
        "(SELECT quote_ident(rn.nspname) || '.' || quote_ident(ro.{prefix}name) FROM {catalog} AS ro \
         JOIN pg_namespace AS rn ON rn.oid = ro.{prefix}namespace WHERE ro.oid = {oid})"
    )
}

/// The name of a tablespace other than the database's default.
pub(super) fn tablespace(oid: &str) -> String {
    format!(
        "CASE WHEN {oid} <> 0 THEN (SELECT s.spcname FROM pg_tablespace AS s WHERE s.oid = {oid}) END"
    )
}

/// A function, operator or type, printed through an alias type such as `regprocedure`; NULL for 0.
pub(super) fn named(oid: &str, alias: &str) -> String {
    format!("CASE WHEN {oid} <> 0 THEN {oid}::{alias}::text END")
}
