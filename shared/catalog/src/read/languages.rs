//! Languages, transforms and access methods.

use super::family::{Family, KindOf, Naming};
use super::sql::{acl, made_later, named, not_member, owner, user_schema};
use crate::kind::Kind;

pub(super) fn families() -> Vec<Family> {
    vec![languages(), transforms(), access_methods()]
}

/// Languages. Follows `pg_dump`: the functions of a language are listed only if all of them are part of the schema;
/// otherwise its name refers to a template of the server.
fn languages() -> Family {
    let ours = |oid: &str| {
        format!(
            "({oid} = 0 OR EXISTS (SELECT FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
                WHERE p.oid = {oid} AND {} AND {}))",
            user_schema("n"),
            not_member("pg_proc", "p.oid"),
        )
    };
    Family {
        catalog: "pg_language",
        kind: KindOf::All(Kind::Language),
        naming: Naming::Plain,
        class: 'l',
        attributes: &["trusted", "call function", "inline function", "validator"],
        sql: format!(
            "SELECT l.oid, l.lanname AS name, {owner}, {acl},
                CASE WHEN o.ours THEN CASE WHEN l.lanpltrusted THEN 'yes' ELSE 'no' END END AS trusted,
                CASE WHEN o.ours THEN {call} END AS \"call function\",
                CASE WHEN o.ours THEN {inline} END AS \"inline function\",
                CASE WHEN o.ours THEN {validator} END AS validator
            FROM pg_language AS l
                CROSS JOIN LATERAL (SELECT l.lanplcallfoid <> 0 AND {call_ours} AND {inline_ours} AND {validator_ours} AS ours) AS o
            WHERE l.lanispl AND {later} AND {not_member}",
            owner = owner("l.lanowner"),
            acl = acl("l.lanacl", "'l'", "l.lanowner"),
            call = named("l.lanplcallfoid", "regproc"),
            inline = named("l.laninline", "regproc"),
            validator = named("l.lanvalidator", "regproc"),
            call_ours = ours("l.lanplcallfoid"),
            inline_ours = ours("l.laninline"),
            validator_ours = ours("l.lanvalidator"),
            later = made_later("l.oid"),
            not_member = not_member("pg_language", "l.oid"),
        ),
    }
}

fn transforms() -> Family {
    Family {
        catalog: "pg_transform",
        kind: KindOf::All(Kind::Transform),
        naming: Naming::AsWritten,
        class: ' ',
        attributes: &["from sql", "to sql"],
        sql: format!(
            "SELECT t.oid, 'for ' || format_type(t.trftype, NULL) || ' language ' || quote_ident(l.lanname) AS name,
                {from_sql} AS \"from sql\", {to_sql} AS \"to sql\"
            FROM pg_transform AS t JOIN pg_language AS l ON l.oid = t.trflang WHERE {later} AND {not_member}",
            from_sql = named("t.trffromsql", "regprocedure"),
            to_sql = named("t.trftosql", "regprocedure"),
            later = made_later("t.oid"),
            not_member = not_member("pg_transform", "t.oid"),
        ),
    }
}

fn access_methods() -> Family {
    Family {
        catalog: "pg_am",
        kind: KindOf::All(Kind::AccessMethod),
        naming: Naming::Plain,
        class: ' ',
        attributes: &["type", "handler"],
        sql: format!(
            "SELECT m.oid, m.amname AS name, CASE m.amtype WHEN 'i' THEN 'index' ELSE 'table' END AS type,
                m.amhandler::regproc::text AS handler
            FROM pg_am AS m WHERE {later} AND {not_member}",
            later = made_later("m.oid"),
            not_member = not_member("pg_am", "m.oid"),
        ),
    }
}
