//! One service: its migrations, one after another.

use shared::domain::{Rehearsed, Version};

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

/// Rehearses a service's migrations, and tells each as soon as it is through.
///
/// # Errors
/// When the scratch database cannot be worked with. What the files are to blame for is a finding.
pub async fn rehearse_service(
    workshop: &Workshop<'_>,
    work: &Work,
    rulebook: &Rulebook,
    mut tell: impl FnMut(Version, &Rehearsed),
) -> Result<Rehearsal, ScratchError> {
    let mut rehearsal = Rehearsal::default();
    let migrations = work.migrations();
    if migrations.is_empty() {
        return Ok(rehearsal);
    }
    let mut stage = Stage::set(workshop, work).await?;
    let mut understudy = None;
    let mut onlooker = Onlooker::arrive(stage.client()).await?;
    let mut before = stage.snapshot().await?;
    for (index, migration) in migrations.iter().enumerate() {
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
        let rest = &migrations[index + 1..];
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
