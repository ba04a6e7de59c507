//! Databases that are read-only, or lack the schema of the history.

use pg_session::ask_administrator;

use super::checks::Database;
use super::queries::WritesRefused;
use super::{Finding, Severity};
use domain::rerun;

pub(super) fn check(database: &Database<'_>) -> Vec<Finding> {
    let mut findings = refused(database);
    findings.extend(database.missing_schema.as_ref().map(|(schema, sql)| {
        let what = format!("schema \"{schema}\" does not exist: migrations cannot run");
        let next = ask_administrator(sql);
        database.finding("schema_missing", Severity::Error, what, next, None)
    }));
    findings
}

fn refused(database: &Database<'_>) -> Vec<Finding> {
    let Some(refused) = &database.rows.writes_refused else {
        return Vec::new();
    };
    let (what, next) = match refused {
        WritesRefused::Standby => (
            "the server is a read-only standby".to_owned(),
            rerun(format!(
                "with the address of the primary server (--server-url, or services.{}.url in the configuration)",
                database.name()
            )),
        ),
        WritesRefused::Setting { of, reset } => (
            format!("default_transaction_read_only is on for {of}: migrations cannot run"),
            format!("{reset} RESET default_transaction_read_only"),
        ),
    };
    vec![database.finding("read_only", Severity::Error, what, next, None)]
}
