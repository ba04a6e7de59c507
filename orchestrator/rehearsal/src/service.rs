//! Rehearses the migrations of one service in order.

use std::ops::Range;

use domain::{Finding, Version};

use super::event::{Rehearsed, Reversibility};
use super::migration::{Continuation, RehearsalStep};
use super::pending::Work;
use super::row_probe::RowProbe;
use super::scratch_database::ScratchDatabase;
use lint::rules::Rulebook;
use scratch::{ScratchError, ScratchServers};

/// The result of the rehearsal of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rehearsal {
    /// The migrations that were rehearsed, oldest first.
    pub migrations: Vec<(Version, Rehearsed)>,
    /// Versions that were not rehearsed, because the one before them does not run.
    pub left_out: Vec<Version>,
}

/// The number of migrations from which two parts are rehearsed concurrently.
const MIN_FOR_TWO_PARTS: usize = 40;

/// Words of statements about roles. Roles belong to the whole server, so two databases would conflict.
const OF_ROLES: [&str; 3] = ["role ", "user ", "group "];

/// Rehearses a service's migrations, and reports each as soon as it and all before it are done. `predicted` are the findings in the
/// text of its files.
///
/// # Errors
/// When the scratch database cannot be used. A fault of the files is a finding.
pub async fn rehearse_service(
    scratch_servers: &ScratchServers<'_>,
    work: &Work,
    rulebook: &Rulebook,
    predicted: &[Finding],
    mut report: impl FnMut(Version, &Rehearsed),
) -> Result<Rehearsal, ScratchError> {
    let rules = (rulebook, predicted);
    let number = work.pending.len();
    if !is_parted(scratch_servers, work) {
        return part(scratch_servers, work, rules, 0..number, report).await;
    }
    // The older part is larger: checks take longer the more tables exist.
    let middle = number * 3 / 5;
    let (older, newer) = tokio::join!(
        part(scratch_servers, work, rules, 0..middle, &mut report),
        part(scratch_servers, work, rules, middle..number, |_, _| {}),
    );
    let mut rehearsal = older?;
    let last = rehearsal.migrations.last();
    if last.is_some_and(|(_, it)| it.reversibility == Reversibility::Unknown) {
        // The newer part builds on a migration that does not run.
        rehearsal.left_out.extend(&work.pending[middle..]);
        return Ok(rehearsal);
    }
    let newer = newer?;
    for (version, rehearsed) in &newer.migrations {
        report(*version, rehearsed);
    }
    rehearsal.migrations.extend(newer.migrations);
    rehearsal.left_out = newer.left_out;
    Ok(rehearsal)
}

fn is_parted(scratch_servers: &ScratchServers<'_>, work: &Work) -> bool {
    let is_worth_it = work.pending.len() >= MIN_FOR_TWO_PARTS && work.archive.is_none();
    is_worth_it
        && scratch_servers.context().jobs() > 1
        && !work.all().into_iter().any(|migration| {
            [Some(&migration.script), migration.revert.as_ref()]
                .into_iter()
                .flatten()
                .any(|script| {
                    let text = script.text.to_ascii_lowercase();
                    let makes = |verb: &str| {
                        OF_ROLES
                            .iter()
                            .any(|what| text.contains(&format!("{verb} {what}")))
                    };
                    makes("create") || makes("drop")
                })
        })
}

/// Rehearses the migrations at these indices on a scratch database of their own.
async fn part(
    scratch_servers: &ScratchServers<'_>,
    work: &Work,
    rules: (&Rulebook, &[Finding]),
    indices: Range<usize>,
    mut report: impl FnMut(Version, &Rehearsed),
) -> Result<Rehearsal, ScratchError> {
    let mut rehearsal = Rehearsal::default();
    let migrations = work.migrations();
    if indices.is_empty() {
        return Ok(rehearsal);
    }
    let mut scratch_database =
        ScratchDatabase::create(scratch_servers, work, indices.start).await?;
    let mut replica = None;
    let mut probe = RowProbe::start(scratch_database.client()).await?;
    let mut before = scratch_database.snapshot().await?;
    for index in indices.clone() {
        let migration = migrations[index];
        let mut rows_failure = None;
        let (rehearsed, continuation) = loop {
            let is_retry = rows_failure.is_some();
            let step = RehearsalStep::new(
                &scratch_database,
                work,
                rules,
                migration,
                &mut probe,
                rows_failure.take(),
            );
            match step.run(&before).await? {
                // Once more on a fresh database, without generated rows.
                (_, Continuation::WithoutRows(failure)) if !is_retry => {
                    scratch_database = scratch_database
                        .replace(scratch_servers, &mut replica, index)
                        .await?;
                    probe = RowProbe::start(scratch_database.client()).await?;
                    before = scratch_database.snapshot().await?;
                    rows_failure = Some(failure);
                }
                ended => break ended,
            }
        };
        report(migration.version, &rehearsed);
        rehearsal.migrations.push((migration.version, rehearsed));
        let rest = &migrations[index + 1..indices.end];
        match continuation {
            Continuation::SameDatabase(schema) => before = *schema,
            _ if rest.is_empty() => break,
            Continuation::NewDatabase | Continuation::WithoutRows(_) => {
                scratch_database = scratch_database
                    .replace(scratch_servers, &mut replica, index + 1)
                    .await?;
                probe = RowProbe::start(scratch_database.client()).await?;
                before = scratch_database.snapshot().await?;
            }
            Continuation::Stop => {
                rehearsal.left_out = rest.iter().map(|it| it.version).collect();
                break;
            }
        }
    }
    scratch_database.drop_database().await;
    if let Some(replica) = replica {
        replica.drop_database().await;
    }
    Ok(rehearsal)
}
