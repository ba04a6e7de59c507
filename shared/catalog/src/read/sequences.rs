//! Sequences. The sequence of a serial column is part of the column; that of an identity column is an attribute of it.
//!
//! The current value of a sequence is data and is not read.

use std::collections::HashMap;

use super::family::{Family, KindOf, Naming};
use super::sql::{acl, not_member, owner, user_schema};
use crate::kind::Kind;
use crate::object::{Object, ObjectId};

/// All sequences. For an identity's sequence, the type and its default limits are omitted: `pg_dump` derives them from the
/// column. A sequence owned by an extension's table belongs to the extension.
pub(super) fn sequences() -> Family {
    Family {
        catalog: "pg_class",
        kind: KindOf::All(Kind::Sequence),
        naming: Naming::InSchema,
        class: 's',
        attributes: &[
            "type", "start", "increment", "minimum", "maximum", "cache", "cycle", "persistence", "owned by", "identity",
        ],
        sql: format!(
            "SELECT c.oid, n.nspname AS schema, c.relname AS name, {owner}, {acl},
                CASE WHEN d.deptype = 'i' THEN NULL ELSE format_type(s.seqtypid, NULL) END AS type,
                s.seqstart AS start, s.seqincrement AS increment,
                CASE WHEN d.deptype = 'i' AND s.seqmin = CASE WHEN s.seqincrement > 0 THEN 1 ELSE l.lowest END THEN NULL
                    ELSE s.seqmin END AS minimum,
                CASE WHEN d.deptype = 'i' AND s.seqmax = CASE WHEN s.seqincrement < 0 THEN -1 ELSE l.highest END THEN NULL
                    ELSE s.seqmax END AS maximum,
                s.seqcache AS cache,
                CASE WHEN s.seqcycle THEN 'yes' ELSE 'no' END AS cycle,
                CASE WHEN d.deptype = 'i' AND c.relpersistence = p.relpersistence THEN NULL
                    WHEN c.relpersistence = 'u' THEN 'unlogged' WHEN d.deptype = 'i' THEN 'logged' END AS persistence,
                CASE WHEN d.refobjid IS NOT NULL THEN d.refobjid::regclass::text || '.' || quote_ident(a.attname) END AS \"owned by\",
                CASE d.deptype WHEN 'i' THEN 'yes' END AS identity,
                pn.nspname AS parent_schema, p.relname AS parent_relation, a.attname AS parent_column
            FROM pg_class AS c
                JOIN pg_namespace AS n ON n.oid = c.relnamespace
                JOIN pg_sequence AS s ON s.seqrelid = c.oid
                JOIN (VALUES ('int2'::regtype, -32768::int8, 32767::int8), ('int4', -2147483648, 2147483647),
                    ('int8', -9223372036854775808, 9223372036854775807)) AS l (kind, lowest, highest) ON l.kind = s.seqtypid
                LEFT JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
                    AND d.deptype IN ('a', 'i') AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
                LEFT JOIN pg_class AS p ON p.oid = d.refobjid
                LEFT JOIN pg_namespace AS pn ON pn.oid = p.relnamespace
                LEFT JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
            WHERE c.relkind = 'S' AND {user_schema} AND {not_member}",
            owner = owner("c.relowner"),
            acl = acl("c.relacl", "'s'", "c.relowner"),
            user_schema = user_schema("n"),
            not_member = not_member("pg_class", "c.oid"),
        ),
    }
}

/// The parameters of an identity's sequence, in the order in which they are listed.
const PARAMETERS: [&str; 7] = [
    "start",
    "increment",
    "minimum",
    "maximum",
    "cache",
    "cycle",
    "persistence",
];

/// Moves the name and the parameters of identity sequences to their columns. Only annotations such as comments and
/// privileges remain with the sequence.
pub(super) fn folded(mut objects: Vec<Object>) -> Vec<Object> {
    let mut facts: HashMap<ObjectId, (String, String)> = HashMap::new();
    objects.retain_mut(|object| {
        if object.kind != Kind::Sequence || object.attributes.remove("identity").is_none() {
            return true;
        }
        let parameters: Vec<String> = PARAMETERS
            .iter()
            .filter_map(|name| Some(format!("{name} {}", object.attributes.remove(name)?)))
            .collect();
        object.attributes.remove("owned by");
        object.attributes.remove("owner");
        object.roles.owner = None;
        if let Some(column) = object.parent.clone() {
            facts.insert(column, (object.name.clone(), parameters.join(", ")));
        }
        !object.attributes.is_empty()
    });
    for object in objects
        .iter_mut()
        .filter(|object| object.kind == Kind::Column)
    {
        if let Some((name, parameters)) = facts.remove(&object.id()) {
            object.attributes.insert("identity sequence", name);
            object.attributes.insert("identity parameters", parameters);
        }
    }
    objects
}
