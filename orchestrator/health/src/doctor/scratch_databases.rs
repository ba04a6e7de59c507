//! Scratch databases of killed commands.

use pg_sql::quote_identifier;

use super::checks::ServerFacts;
use super::{Finding, Remedy, Repair, Severity};

pub(super) fn check(server: &ServerFacts) -> Vec<Finding> {
    let dead = server.rows.dead_scratch.iter();
    dead.map(|database| {
        let what = format!("scratch database {database} is left from a killed command");
        let next = format!("DROP DATABASE {} WITH (FORCE)", quote_identifier(database));
        let repair = Repair::DropScratch(server.address.with_database(database.clone()));
        let remedy = Some(Remedy::safe(repair));
        server.finding("scratch_database", Severity::Warning, what, next, remedy)
    })
    .collect()
}
