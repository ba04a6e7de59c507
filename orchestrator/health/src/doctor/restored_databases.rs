//! Databases left by restores: replaced ones, and those of killed restores.

use domain::{commented, suggest};
use pg_sql::quote_identifier;
use report::units::age;
use time::OffsetDateTime;

use super::checks::ServerFacts;
use super::{Finding, Remedy, Repair, Severity};

pub(super) fn check(server: &ServerFacts) -> Vec<Finding> {
    let dead = server.dead_restores.iter().map(|database| {
        let what = format!("database {database} is left from a killed restore");
        let next = format!("DROP DATABASE {} WITH (FORCE)", quote_identifier(database));
        let repair = Repair::DropScratch(server.address.with_database(database.clone()));
        let remedy = Some(Remedy::safe(repair));
        server.finding("dead_restore", Severity::Warning, what, next, remedy)
    });
    let kept = server.kept.iter().map(|(service, kept)| {
        let since = (OffsetDateTime::now_utc() - kept.since)
            .whole_seconds()
            .max(0);
        let what = format!(
            "database {} ({} MB) was replaced by a restore of {service} {} ago",
            kept.name,
            kept.bytes / 1_000_000,
            age(since)
        );
        let next = commented(
            suggest(["restore", service.as_str(), "--drop-old"]),
            "when it is no longer needed",
        );
        server.finding("kept_database", Severity::Note, what, next, None)
    });
    dead.chain(kept).collect()
}
