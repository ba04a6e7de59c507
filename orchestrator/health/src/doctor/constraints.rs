//! Constraints that are `NOT VALID`: existing rows may violate them.

use super::checks::Database;
use super::{Finding, Remedy, Repair, Severity};

pub(super) fn check(database: &Database<'_>) -> Vec<Finding> {
    let constraints = database.rows.constraints.iter();
    constraints
        .map(|constraint| {
            let (table, name) = (&constraint.table, &constraint.name);
            let what =
                format!("constraint {name} on {table} is NOT VALID: older rows may violate it");
            let sql = format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name}");
            if let Some(resume) = database.resume() {
                return database.finding("not_valid", Severity::Warning, what, resume, None);
            }
            // Asks first: VALIDATE reads the whole table, and fails if a row violates the constraint.
            let remedy = Remedy::asks(Repair::Locked(sql.clone()));
            database.finding("not_valid", Severity::Warning, what, sql, Some(remedy))
        })
        .collect()
}
