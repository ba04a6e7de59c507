//! One service: its migrations, one after another.

use std::ops::Range;

use shared::domain::{Rehearsed, Reversibility, Version};

use super::migration::{Onward, RehearsalStep};
use super::pending::Work;
use super::row_probe::RowProbe;
use super::scratch_database::ScratchDatabase;
use crate::rules::Rulebook;
use crate::scratch::{ScratchError, ScratchServers};

/// What the rehearsal of a service came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rehearsal {
    /// The migrations that were rehearsed, oldest first.
    pub migrations: Vec<(Version, Rehearsed)>,
    /// Those that were not, because the one before them does not run.
    pub left_out: Vec<Version>,
}

/// From so many migrations on two parts are rehearsed at once.
const WORTH_PARTING: usize = 40;

/// Words of statements about roles, which belong to the whole server: two databases would be in each other's way.
const OF_ROLES: [&str; 3] = ["role ", "user ", "group "];

/// Rehearses a service's migrations, and tells each as soon as it and all before it are through.
///
/// # Errors
/// When the scratch database cannot be worked with. What the files are to blame for is a finding.
pub async fn rehearse_service(
    scratch_servers: &ScratchServers<'_>,
    work: &Work,
    rulebook: &Rulebook,
    mut tell: impl FnMut(Version, &Rehearsed),
) -> Result<Rehearsal, ScratchError> {
    let number = work.pending.len();
    if !is_parted(scratch_servers, work) {
        return part(scratch_servers, work, rulebook, 0..number, tell).await;
    }
    // The more tables there are, the longer a look at them takes.
    let middle = number * 3 / 5;
    let (older, newer) = tokio::join!(
        part(scratch_servers, work, rulebook, 0..middle, &mut tell),
        part(scratch_servers, work, rulebook, middle..number, |_, _| {}),
    );
    let mut rehearsal = older?;
    let last = rehearsal.migrations.last();
    if last.is_some_and(|(_, it)| it.reversibility == Reversibility::Unknown) {
        // Nor could the newer part be begun.
        rehearsal.left_out.extend(&work.pending[middle..]);
        return Ok(rehearsal);
    }
    let newer = newer?;
    for (version, rehearsed) in &newer.migrations {
        tell(*version, rehearsed);
    }
    rehearsal.migrations.extend(newer.migrations);
    rehearsal.left_out = newer.left_out;
    Ok(rehearsal)
}

fn is_parted(scratch_servers: &ScratchServers<'_>, work: &Work) -> bool {
    let is_worth_it = work.pending.len() >= WORTH_PARTING && work.archive.is_none();
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

/// Rehearses the migrations of these indices, on a stage of their own.
async fn part(
    scratch_servers: &ScratchServers<'_>,
    work: &Work,
    rulebook: &Rulebook,
    indices: Range<usize>,
    mut tell: impl FnMut(Version, &Rehearsed),
) -> Result<Rehearsal, ScratchError> {
    let mut rehearsal = Rehearsal::default();
    let migrations = work.migrations();
    if indices.is_empty() {
        return Ok(rehearsal);
    }
    let mut scratch_database = ScratchDatabase::set(scratch_servers, work, indices.start).await?;
    let mut replica = None;
    let mut probe = RowProbe::arrive(scratch_database.client()).await?;
    let mut before = scratch_database.snapshot().await?;
    for index in indices.clone() {
        let migration = migrations[index];
        let step = RehearsalStep::new(
            &scratch_database,
            work,
            rulebook,
            migration,
            &mut probe,
            None,
        );
        let (mut rehearsed, mut onward) = step.play(&before).await?;
        if let Onward::WithoutRows(stumble) = onward {
            scratch_database = scratch_database
                .change(scratch_servers, &mut replica, index)
                .await?;
            probe = RowProbe::arrive(scratch_database.client()).await?;
            before = scratch_database.snapshot().await?;
            let stumbled = Some(stumble);
            let step = RehearsalStep::new(
                &scratch_database,
                work,
                rulebook,
                migration,
                &mut probe,
                stumbled,
            );
            (rehearsed, onward) = step.play(&before).await?;
        }
        tell(migration.version, &rehearsed);
        rehearsal.migrations.push((migration.version, rehearsed));
        let rest = &migrations[index + 1..indices.end];
        match onward {
            Onward::Here(schema) => before = *schema,
            _ if rest.is_empty() => break,
            Onward::Anew | Onward::WithoutRows(_) => {
                scratch_database = scratch_database
                    .change(scratch_servers, &mut replica, index + 1)
                    .await?;
                probe = RowProbe::arrive(scratch_database.client()).await?;
                before = scratch_database.snapshot().await?;
            }
            Onward::Nowhere => {
                rehearsal.left_out = rest.iter().map(|it| it.version).collect();
                break;
            }
        }
    }
    scratch_database.strike().await;
    if let Some(replica) = replica {
        replica.strike().await;
    }
    Ok(rehearsal)
}
