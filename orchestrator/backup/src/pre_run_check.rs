//! The backup before a run, of exactly the databases that will change.

use engine::dispatch::{DatabaseUnderLock, Events, PreRunCheck, Stopped, Stops};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::Backup;
use super::event::BackupEvent;

impl PreRunCheck for Backup {
    fn take<'a>(
        &'a self,
        run_id: Uuid,
        databases: Vec<DatabaseUnderLock>,
        events: &'a Events,
        stops: &'a Stops,
    ) -> BoxFuture<'a, Result<Option<String>, Stopped>> {
        async move {
            if databases.is_empty() {
                skip(events, None, "nothing is going to change");
            }
            let databases = worth_a_dump(databases, events);
            let manifest = self.of(run_id, databases, events, stops).await?;
            Ok(manifest.map(|path| path.display().to_string()))
        }
        .boxed()
    }

    fn announce(&self, databases: &[&str]) -> String {
        match databases {
            [] => "no backup would be taken: no existing database would change".to_owned(),
            names => format!(
                "a backup would be taken first, below {}, of: {}",
                self.root.display(),
                names.join(", ")
            ),
        }
    }
}

/// Excludes databases that were just created and those that another run has migrated meanwhile. A database is kept with all its
/// services if one of them will change.
fn worth_a_dump(databases: Vec<DatabaseUnderLock>, events: &Events) -> Vec<DatabaseUnderLock> {
    let changing: Vec<String> = databases
        .iter()
        .filter(|it| !it.is_done && !it.is_new)
        .map(|it| it.target.address.database_key())
        .collect();
    let (kept, rest): (Vec<_>, Vec<_>) = databases
        .into_iter()
        .partition(|it| changing.contains(&it.target.address.database_key()));
    for one in rest {
        let because = if one.is_new {
            "the database was created just now, and is empty"
        } else {
            "another run has brought it up to date in the meantime"
        };
        skip(events, Some(&one), because);
    }
    kept
}

fn skip(events: &Events, databases: Option<&DatabaseUnderLock>, because: &str) {
    let because = because.to_owned();
    let skipped = BackupEvent::BackupSkipped { because };
    match databases {
        Some(it) => events.service(&it.target.service.name, skipped),
        None => events.run(skipped),
    }
}
