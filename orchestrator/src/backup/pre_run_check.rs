//! A backup before a run: of exactly the databases that will change.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use shared::dispatch::{PreRunCheck, Say, Secured, Stopped, Stops};
use shared::domain::EventKind;
use uuid::Uuid;

use super::Backup;

impl PreRunCheck for Backup {
    fn take<'a>(
        &'a self,
        run_id: Uuid,
        secured: Vec<Secured>,
        say: &'a Say<'a>,
        stops: &'a Stops,
    ) -> BoxFuture<'a, Result<Option<String>, Stopped>> {
        async move {
            if secured.is_empty() {
                skip(say, None, "nothing is going to change");
            }
            let secured = worth_a_dump(secured, say);
            let manifest = self.of(run_id, secured, say, stops).await?;
            Ok(manifest.map(|path| path.display().to_string()))
        }
        .boxed()
    }

    fn announce(&self, databases: &[&str]) -> String {
        match databases {
            [] => "no backup would be taken: no database that exists would change".to_owned(),
            names => format!(
                "a backup would be taken first, below {}, of: {}",
                self.root.display(),
                names.join(", ")
            ),
        }
    }
}

/// Without what was created just now, and without what another run has changed in the meantime. Of a database in which one
/// service will change all services are kept.
fn worth_a_dump(secured: Vec<Secured>, say: &Say<'_>) -> Vec<Secured> {
    let changing: Vec<String> = secured
        .iter()
        .filter(|it| !it.is_done && !it.is_new)
        .map(|it| it.target.address.database_key())
        .collect();
    let (kept, rest): (Vec<_>, Vec<_>) = secured
        .into_iter()
        .partition(|it| changing.contains(&it.target.address.database_key()));
    for one in rest {
        let because = if one.is_new {
            "the database was created just now, and is empty"
        } else {
            "another run has brought it up to date in the meantime"
        };
        skip(say, Some(&one), because);
    }
    kept
}

fn skip(say: &Say<'_>, secured: Option<&Secured>, because: &str) {
    let because = because.to_owned();
    let service = secured.map(|it| &it.target.service.name);
    say(service, EventKind::BackupSkipped { because });
}
