//! Text search parsers, templates, dictionaries and configurations.

use super::family::{Family, KindOf, Naming};
use super::sql::{made_later, named, not_member, owner, reference, user_schema};
use crate::kind::Kind;

pub(super) fn families() -> Vec<Family> {
    vec![parsers(), templates(), dictionaries(), configurations()]
}

/// One of the four catalogs: its name, its column prefix, and further columns.
fn family(
    kind: Kind,
    catalog: &'static str,
    prefix: &str,
    attributes: &'static [&'static str],
    columns: &str,
) -> Family {
    Family {
        catalog,
        kind: KindOf::All(kind),
        naming: Naming::InSchema,
        class: ' ',
        attributes,
        sql: format!(
            "SELECT o.oid, n.nspname AS schema, o.{prefix}name AS name, {columns}
            FROM {catalog} AS o JOIN pg_namespace AS n ON n.oid = o.{prefix}namespace
            WHERE {later} AND {user_schema} AND {not_member}",
            later = made_later("o.oid"),
            user_schema = user_schema("n"),
            not_member = not_member(catalog, "o.oid"),
        ),
    }
}

fn parsers() -> Family {
    let columns = format!(
        "{} AS start, {} AS \"get token\", {} AS \"end\", {} AS headline, {} AS \"token types\"",
        named("o.prsstart", "regproc"),
        named("o.prstoken", "regproc"),
        named("o.prsend", "regproc"),
        named("o.prsheadline", "regproc"),
        named("o.prslextype", "regproc"),
    );
    family(
        Kind::TextSearchParser,
        "pg_ts_parser",
        "prs",
        &["start", "get token", "end", "headline", "token types"],
        &columns,
    )
}

fn templates() -> Family {
    let columns = format!(
        "{} AS init, {} AS lexize",
        named("o.tmplinit", "regproc"),
        named("o.tmpllexize", "regproc")
    );
    family(
        Kind::TextSearchTemplate,
        "pg_ts_template",
        "tmpl",
        &["init", "lexize"],
        &columns,
    )
}

fn dictionaries() -> Family {
    let columns = format!(
        "{}, {} AS template, o.dictinitoption AS options",
        owner("o.dictowner"),
        reference("pg_ts_template", "tmpl", "o.dicttemplate"),
    );
    family(
        Kind::TextSearchDictionary,
        "pg_ts_dict",
        "dict",
        &["template", "options"],
        &columns,
    )
}

fn configurations() -> Family {
    let columns = format!(
        "{}, {} AS parser,
        (SELECT string_agg(g.token, '; ' ORDER BY g.token COLLATE \"C\") FROM (
            SELECT k.alias || ': ' || string_agg(m.mapdict::regdictionary::text, ', ' ORDER BY m.mapseqno) AS token
            FROM pg_ts_config_map AS m JOIN ts_token_type(o.cfgparser) AS k ON k.tokid = m.maptokentype
            WHERE m.mapcfg = o.oid GROUP BY k.alias) AS g) AS mappings",
        owner("o.cfgowner"),
        reference("pg_ts_parser", "prs", "o.cfgparser"),
    );
    family(
        Kind::TextSearchConfiguration,
        "pg_ts_config",
        "cfg",
        &["parser", "mappings"],
        &columns,
    )
}
