//! Constraints that old rows may break: `NOT VALID`, never validated.

use super::checks::Database;
use super::{Finding, Remedy, Repair, Severity};

pub(super) fn check(database: &Database<'_>) -> Vec<Finding> {
    let constraints = database.rows.constraints.iter();
    constraints
        .map(|constraint| {
            let (table, name) = (&constraint.table, &constraint.name);
            let what =
                format!("constraint {name} on {table} is NOT VALID: rows from before may break it");
            let sql = format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name}");
            if let Some(resume) = database.resume() {
                return database.finding("not_valid", Severity::Warning, what, resume, None);
            }
            // It reads the whole table, and fails where a row breaks the constraint.
            let remedy = Remedy::asks(Repair::Locked(sql.clone()));
            database.finding("not_valid", Severity::Warning, what, sql, Some(remedy))
        })
        .collect()
}
