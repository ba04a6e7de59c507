//! One service: its migrations, one after another.

use std::ops::Range;

use shared::domain::{Rehearsed, Reversibility, Version};

use super::migration::{Onward, Scene};
use super::onlooker::Onlooker;
use super::pending::Work;
use super::stage::Stage;
use crate::rules::Rulebook;
use crate::scratch::{ScratchError, Workshop};

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
    workshop: &Workshop<'_>,
    work: &Work,
    rulebook: &Rulebook,
    mut tell: impl FnMut(Version, &Rehearsed),
) -> Result<Rehearsal, ScratchError> {
    let number = work.pending.len();
    if !is_parted(workshop, work) {
        return part(workshop, work, rulebook, 0..number, tell).await;
    }
    // The more tables there are, the longer a look at them takes.
    let middle = number * 3 / 5;
    let (older, newer) = tokio::join!(
        part(workshop, work, rulebook, 0..middle, &mut tell),
        part(workshop, work, rulebook, middle..number, |_, _| {}),
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

fn is_parted(workshop: &Workshop<'_>, work: &Work) -> bool {
    let is_worth_it = work.pending.len() >= WORTH_PARTING && work.archive.is_none();
    is_worth_it
        && workshop.context().jobs() > 1
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
    workshop: &Workshop<'_>,
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
    let mut stage = Stage::set(workshop, work, indices.start).await?;
    let mut understudy = None;
    let mut onlooker = Onlooker::arrive(stage.client()).await?;
    let mut before = stage.snapshot().await?;
    for index in indices.clone() {
        let migration = migrations[index];
        let scene = Scene::new(&stage, work, rulebook, migration, &mut onlooker, None);
        let (mut rehearsed, mut onward) = scene.play(&before).await?;
        if let Onward::WithoutRows(stumble) = onward {
            stage = stage.change(workshop, &mut understudy, index).await?;
            onlooker = Onlooker::arrive(stage.client()).await?;
            before = stage.snapshot().await?;
            let stumbled = Some(stumble);
            let scene = Scene::new(&stage, work, rulebook, migration, &mut onlooker, stumbled);
            (rehearsed, onward) = scene.play(&before).await?;
        }
        tell(migration.version, &rehearsed);
        rehearsal.migrations.push((migration.version, rehearsed));
        let rest = &migrations[index + 1..indices.end];
        match onward {
            Onward::Here(schema) => before = *schema,
            _ if rest.is_empty() => break,
            Onward::Anew | Onward::WithoutRows(_) => {
                stage = stage.change(workshop, &mut understudy, index + 1).await?;
                onlooker = Onlooker::arrive(stage.client()).await?;
                before = stage.snapshot().await?;
            }
            Onward::Nowhere => {
                rehearsal.left_out = rest.iter().map(|it| it.version).collect();
                break;
            }
        }
    }
    stage.strike().await;
    if let Some(understudy) = understudy {
        understudy.strike().await;
    }
    Ok(rehearsal)
}
