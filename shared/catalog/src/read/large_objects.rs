//! Large objects: their number, owners, privileges and comments.
//!
//! The server assigns their OIDs, as it does for rows, so two databases with the same migrations have different ones:
//! they are counted by owner and privileges. `pg_dump --schema-only` includes them only with `--large-objects`.

use super::family::{Family, KindOf, Naming};
use crate::kind::Kind;

pub(super) fn large_objects() -> Family {
    Family {
        catalog: "pg_largeobject_metadata",
        kind: KindOf::All(Kind::LargeObjects),
        naming: Naming::AsWritten,
        class: 'L',
        attributes: &["number", "comments"],
        sql: "SELECT pg_get_userbyid(m.lomowner) AS subject,
                CASE WHEN m.acl IS NULL THEN 'without grants' ELSE 'with grants ' || row_number() OVER (PARTITION BY m.lomowner,
                    m.acl IS NULL ORDER BY m.acl COLLATE \"C\") END AS name,
                m.acl, CASE WHEN m.acl IS NOT NULL THEN array_to_string(acldefault('L', m.lomowner), E'\\n') END AS acl_base,
                count(*) AS number, string_agg(quote_literal(d.description), ', ' ORDER BY d.description COLLATE \"C\") AS comments
            FROM (SELECT oid, lomowner, array_to_string(lomacl, E'\\n') AS acl FROM pg_largeobject_metadata) AS m
                LEFT JOIN pg_description AS d ON d.objoid = m.oid AND d.classoid = 'pg_catalog.pg_largeobject'::regclass
            GROUP BY m.lomowner, m.acl"
            .to_owned(),
    }
}
