//! Row security policies. Whether row security is enabled is an attribute of the table.

use super::family::{Family, KindOf, Naming};
use super::sql::{not_member, user_schema};
use crate::kind::Kind;

/// Policies; role 0 is `PUBLIC`.
pub(super) fn policies() -> Family {
    Family {
        catalog: "pg_policy",
        kind: KindOf::All(Kind::Policy),
        naming: Naming::InRelation,
        class: ' ',
        attributes: &["command", "permissive", "using", "with check"],
        sql: format!(
            "SELECT p.oid, n.nspname AS schema, c.relname AS relation, c.relkind, p.polname AS name,
                CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
                    ELSE 'ALL' END AS command,
                CASE WHEN p.polpermissive THEN 'yes' ELSE 'no' END AS permissive,
                (SELECT string_agg(CASE WHEN r = 0 THEN '' ELSE pg_get_userbyid(r)::text END, E'\\n') FROM unnest(p.polroles) AS r)
                    AS members,
                pg_get_expr(p.polqual, p.polrelid) AS \"using\", pg_get_expr(p.polwithcheck, p.polrelid) AS \"with check\"
            FROM pg_policy AS p
                JOIN pg_class AS c ON c.oid = p.polrelid
                JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE {user_schema} AND {not_member}",
            user_schema = user_schema("n"),
            not_member = not_member("pg_class", "c.oid"),
        )
    }
}
