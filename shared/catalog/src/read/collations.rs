//! Collations and conversions.
//!
//! The version of a collation's library is not part of the schema: `pg_dump` prints it only for binary upgrades.

use super::family::{Family, KindOf, Naming};
use super::session::Server;
use super::sql::{made_later, not_member, owner, user_schema};
use crate::kind::Kind;

pub(super) fn families(server: &Server) -> Vec<Family> {
    vec![collations(server), conversions()]
}

/// The column with the locale changed twice: `collcollate` in 14, `colliculocale` in 15 and 16, `colllocale` since 17.
fn collations(server: &Server) -> Family {
    let locale = server.since(
        17,
        "COALESCE(c.colllocale, c.collcollate)",
        server.since(
            15,
            "COALESCE(c.colliculocale, c.collcollate)",
            "c.collcollate",
        ),
    );
    let rules = server.since(16, "c.collicurules", "NULL::text");
    Family {
        catalog: "pg_collation",
        kind: KindOf::All(Kind::Collation),
        naming: Naming::InSchema,
        class: ' ',
        attributes: &["provider", "deterministic", "locale", "character type", "rules"],
        sql: format!(
            "SELECT c.oid, n.nspname AS schema, c.collname AS name, {owner},
                CASE c.collprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'default' END AS provider,
                CASE WHEN c.collisdeterministic THEN 'yes' ELSE 'no' END AS deterministic,
                {locale} AS locale, CASE WHEN c.collprovider = 'c' THEN c.collctype END AS \"character type\", {rules} AS rules
            FROM pg_collation AS c JOIN pg_namespace AS n ON n.oid = c.collnamespace
            WHERE {later} AND {user_schema} AND {not_member}",
            owner = owner("c.collowner"),
            later = made_later("c.oid"),
            user_schema = user_schema("n"),
            not_member = not_member("pg_collation", "c.oid"),
        ),
    }
}

fn conversions() -> Family {
    Family {
        catalog: "pg_conversion",
        kind: KindOf::All(Kind::Conversion),
        naming: Naming::InSchema,
        class: ' ',
        attributes: &["from", "to", "function", "default"],
        sql: format!(
            "SELECT c.oid, n.nspname AS schema, c.conname AS name, {owner},
                pg_encoding_to_char(c.conforencoding) AS \"from\", pg_encoding_to_char(c.contoencoding) AS \"to\",
                c.conproc::regproc::text AS function, CASE WHEN c.condefault THEN 'yes' END AS \"default\"
            FROM pg_conversion AS c JOIN pg_namespace AS n ON n.oid = c.connamespace
            WHERE {later} AND {user_schema} AND {not_member}",
            owner = owner("c.conowner"),
            later = made_later("c.oid"),
            user_schema = user_schema("n"),
            not_member = not_member("pg_conversion", "c.oid"),
        ),
    }
}
