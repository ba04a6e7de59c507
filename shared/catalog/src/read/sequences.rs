//! Sequences, those of identity and serial columns included: part of the column that owns them.
//!
//! Where a sequence stands is data, and not read. Third floor.

use super::family::{Family, KindOf, Naming};
use super::sql::{acl, not_member, owner, user_schema};
use crate::kind::Kind;

/// All sequences. A sequence owned by an extension's table is the extension's own.
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
                format_type(s.seqtypid, NULL) AS type, s.seqstart AS start, s.seqincrement AS increment,
                s.seqmin AS minimum, s.seqmax AS maximum, s.seqcache AS cache,
                CASE WHEN s.seqcycle THEN 'yes' ELSE 'no' END AS cycle,
                CASE c.relpersistence WHEN 'u' THEN 'unlogged' END AS persistence,
                CASE WHEN d.refobjid IS NOT NULL THEN d.refobjid::regclass::text || '.' || quote_ident(a.attname) END AS \"owned by\",
                CASE d.deptype WHEN 'i' THEN 'yes' END AS identity,
                pn.nspname AS parent_schema, p.relname AS parent_relation, a.attname AS parent_column
            FROM pg_class AS c
                JOIN pg_namespace AS n ON n.oid = c.relnamespace
                JOIN pg_sequence AS s ON s.seqrelid = c.oid
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
