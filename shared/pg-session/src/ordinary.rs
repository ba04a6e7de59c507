//! Recognizes the usual state of our tables by a question that is cheap to plan: a session that only finds out that nothing is pending
//! spends most of its time on planning. It is part of the first message on a connection.
//!
//! Responsible for the answer "all of them are ordinary tables of this role". Anything else is judged by
//! `bookkeeping`, which also reports what is wrong.

use tokio_postgres::SimpleQueryMessage;

use super::bookkeeping::{Bookkeeping, INDEXES, SCHEMA, TABLES, split_name};
use super::prepared;
use pg_sql::quote_literal;

/// The index of the journal's key. That of an older journal, whose rows are not chained, has another name.
const CHAIN: &str = "journal_chain";

/// The number of columns of the second answer, which is one row.
const FACTS: usize = 5;

/// The relations with our names in any schema, and whether each is an ordinary table of this role, as is its schema; then facts about
/// the session. Two statements: planning them as one takes longer.
///
/// The flags of `pg_class` may be set without a cause, but are never missing, and a generated column has a default. `to_regtype`
/// requires USAGE on the schema.
pub(super) fn question(history_table: &str) -> String {
    let (_, history) = split_name(history_table);
    let names = [history, CHAIN].into_iter().chain(TABLES);
    let names: Vec<String> = names.map(quote_literal).collect();
    let types = TABLES.map(|table| format!("pg_catalog.to_regtype('{SCHEMA}.{table}') IS NULL"));
    format!(
        "SELECT n.nspname, c.relname, pg_catalog.pg_get_userbyid(c.relowner) = CURRENT_USER \
             AND c.relkind = 'r' AND c.relpersistence = 'p' AND NOT c.relrowsecurity AND NOT c.relforcerowsecurity \
             AND NOT c.relhastriggers AND NOT c.relhasrules AND NOT c.relhassubclass AND NOT c.relispartition AND c.relchecks = 0 \
             AND (c.relacl IS NULL \
               OR pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_table_privilege(c.oid, 'INSERT') \
                 AND pg_catalog.has_table_privilege(c.oid, 'UPDATE') AND pg_catalog.has_table_privilege(c.oid, 'DELETE')) \
             AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') \
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND (a.attinhcount > 0 OR a.atthasdef \
               OR a.attnum > 0 AND NOT a.attisdropped AND a.atttypid >= 16384)) \
             AND NOT {INDEXES}, n.nspowner = c.relowner \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname IN ({}); \
         SELECT pg_catalog.current_setting('role'), \
           pg_catalog.pg_is_in_recovery() OR pg_catalog.current_setting('default_transaction_read_only') = 'on', {}, \
           pg_catalog.to_regnamespace('{SCHEMA}') IS NULL, \
           CASE WHEN pg_catalog.has_schema_privilege(pg_catalog.to_regnamespace('{SCHEMA}')::oid, 'USAGE') THEN ARRAY[{}] END",
        names.join(", "),
        prepared::in_doubt(),
        types.join(", ")
    )
}

/// What the answers show.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) role: String,
    pub(super) read_only: bool,
    pub(super) in_doubt: bool,
    pub(super) journal_chained: bool,
    /// Our tables, if history and journal exist and everything is as usual.
    pub(super) complete: Option<Bookkeeping>,
    /// Whether nothing has one of our names, except possibly a type with the name of the history.
    pub(super) is_empty: bool,
}

/// Judges the answers. The history is expected in the first of `schemas` that has it.
pub(super) fn judge(answers: &[SimpleQueryMessage], schemas: &[&str], history_table: &str) -> Seen {
    let (_, history) = split_name(history_table);
    let mut seen = Seen::default();
    let mut found = Bookkeeping::default();
    let mut place: Option<usize> = None;
    let (mut is_usual, mut has_namesake, mut has_no_schema) = (true, false, false);
    let mut free_names = String::new();
    let rows = answers.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    for row in rows {
        let text = |index| row.get(index).unwrap_or_default();
        let is = |index| row.get(index) == Some("t");
        if row.len() == FACTS {
            seen.role = text(0).to_owned();
            (seen.read_only, seen.in_doubt, has_no_schema) = (is(1), is(2), is(3));
            text(4).clone_into(&mut free_names);
            continue;
        }
        let (schema, name) = (text(0), text(1));
        let is_ours = schema == SCHEMA && TABLES.contains(&name);
        if is_ours {
            is_usual &= is(2) && is(3);
            found.has_schema = true;
            found.tables.insert(name.to_owned());
        }
        if schema == SCHEMA && name == CHAIN {
            seen.journal_chained = true;
        }
        // The server shortens a longer name.
        if history.starts_with(name) {
            match schemas.iter().position(|searched| *searched == schema) {
                Some(index) if name == history => {
                    is_usual &= is(2);
                    place = Some(place.map_or(index, |known| known.min(index)));
                }
                _ => has_namesake = true,
            }
        }
    }
    // A type with the name of a table that is missing would prevent its creation.
    let free_names = free_names.trim_matches(['{', '}']).split(',');
    is_usual &= !TABLES
        .iter()
        .zip(free_names)
        .any(|(table, free)| free == "f" && !found.tables.contains(*table));
    seen.is_empty = has_no_schema && !has_namesake && place.is_none();
    let place = place.and_then(|index| schemas.get(index));
    found.history_schema = place.map(|schema| (*schema).to_owned());
    let is_complete = is_usual && place.is_some() && found.tables.contains("journal");
    seen.complete = is_complete.then_some(found);
    seen
}
