//! Scratch databases of killed commands.

use super::checks::ServerFacts;
use super::{Finding, Remedy, Repair, Severity};

pub(super) fn check(server: &ServerFacts) -> Vec<Finding> {
    let dead = server.rows.dead_scratch.iter();
    dead.map(|database| {
        let what = format!("scratch database {database} is left from a killed command");
        let next = format!("DROP DATABASE \"{database}\" WITH (FORCE)");
        let repair = Repair::DropScratch(server.address.with_database(database.clone()));
        let remedy = Some(Remedy::safe(repair));
        server.finding("scratch_database", Severity::Warning, what, next, remedy)
    })
    .collect()
}
