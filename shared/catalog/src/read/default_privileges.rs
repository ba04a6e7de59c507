//! Default privileges: the privileges that future objects get.

use super::family::{Family, KindOf, Naming};
use crate::kind::Kind;

/// Per role, schema or all schemas, and object class. Those of a schema add to the defaults; the others replace the
/// built-in defaults.
pub(super) fn default_privileges() -> Family {
    Family {
        catalog: "pg_default_acl",
        kind: KindOf::All(Kind::DefaultPrivileges),
        naming: Naming::AsWritten,
        class: ' ',
        attributes: &[],
        sql: "SELECT d.oid, n.nspname AS schema, pg_get_userbyid(d.defaclrole) AS subject,
                COALESCE('in schema ' || quote_ident(n.nspname) || ' ', '') || 'on ' || CASE d.defaclobjtype
                    WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types'
                    WHEN 'n' THEN 'schemas' WHEN 'L' THEN 'large objects' ELSE d.defaclobjtype::text END AS name,
                CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype::text END AS class,
                array_to_string(d.defaclacl, E'\\n') AS acl,
                CASE WHEN d.defaclnamespace = 0 THEN array_to_string(
                    acldefault(CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END, d.defaclrole), E'\\n') END AS acl_base
            FROM pg_default_acl AS d LEFT JOIN pg_namespace AS n ON n.oid = d.defaclnamespace"
            .to_owned(),
    }
}
