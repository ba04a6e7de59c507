//! The `restore` command.

mod lines;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use domain::{Diagnostic, ExitStatus, called, commented};
use report::units::{age, count};
use service_cli::command::{Context, confirm, select, watch_stops};
use time::OffsetDateTime;

use super::backup::backup_folder;
use backup::restore::{
    Restoration, RestoreOptions, Source, choose, drop_old, restore as restore_databases,
};
use lines::RestoreLines;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator restore policy --from latest --dry-run
  orchestrator restore policy --from latest
  orchestrator restore all --from backups/20261123T041500Z-01983f2a --terminate
  orchestrator restore all --drop-old

The backup is restored into a new database beside the old one and verified there; then both are renamed in one transaction. The
old one is kept as <database>_before_<time> until --drop-old. Data written since the backup is only in the old database. The
swap requires that no session is connected: restore refuses and lists the sessions, or ends them with --terminate.")]
pub(super) struct Args {
    /// Names of services, or `all`
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<String>,
    /// The backup: a manifest, its directory, or `latest`
    #[arg(
        long,
        value_name = "MANIFEST|latest",
        required_unless_present = "drop_old"
    )]
    from: Option<PathBuf>,
    /// The directory in which `latest` looks for backups [default: backups] [also: ORCHESTRATOR_BACKUP_FOLDER]
    #[arg(long, value_name = "DIR")]
    backup_folder: Option<PathBuf>,
    /// Show the effect of the restore without writing anything
    #[arg(long)]
    dry_run: bool,
    /// End the sessions that are connected to the databases
    #[arg(long)]
    terminate: bool,
    /// Drop the databases that earlier restores kept; with --from, the one that this restore replaces
    #[arg(long)]
    drop_old: bool,
    /// Number of pg_restore jobs per database
    #[arg(long, value_name = "N", default_value = "1")]
    restore_jobs: NonZeroUsize,
    /// Do not ask for confirmation in production
    #[arg(long, short)]
    yes: bool,
}

pub(super) async fn restore(context: &Context, args: &Args) -> Result<ExitStatus, Diagnostic> {
    let selected = select(&context.fleet, &args.services, false)?;
    let targets = context.targets(&selected.names, &selected, false).await?;
    let lines = RestoreLines::new(args.dry_run);
    let mut reporter = context.reporter_with(Some(Box::new(lines)));
    let Some(from) = &args.from else {
        if !args.dry_run {
            let services = count(targets.len(), "service");
            let what = format!("drop the former databases of {services}");
            confirm(context, args.yes, &what).await?;
        }
        let reporter = reporter.as_mut();
        let stops = watch_stops(Duration::ZERO);
        return Ok(drop_old(
            context,
            &targets,
            args.dry_run,
            args.terminate,
            reporter,
            stops,
        )
        .await);
    };
    let source = if from.as_os_str() == "latest" {
        Source::Latest(backup_folder(context, args.backup_folder.as_ref()))
    } else {
        Source::Manifest(from.clone())
    };
    let (restorations, without) = choose(&source, &selected, &targets)?;
    refuse_neighbours(context, &restorations)?;
    if !without.is_empty() {
        let names: Vec<&str> = without.iter().map(|name| name.as_str()).collect();
        tracing::warn!("no backup of {}: skipped", names.join(", "));
    }
    if !args.dry_run {
        confirm(
            context,
            args.yes,
            &what_it_does(&restorations, args.drop_old),
        )
        .await?;
    }
    let options = RestoreOptions {
        dry_run: args.dry_run,
        terminate: args.terminate,
        drop_old: args.drop_old,
        restore_jobs: args.restore_jobs,
    };
    Ok(restore_databases(
        context,
        restorations,
        &selected,
        &options,
        reporter.as_mut(),
        watch_stops(Duration::ZERO),
    )
    .await)
}

/// The confirmation prompt in production, with the data loss.
fn what_it_does(restorations: &[Restoration], drop_old: bool) -> String {
    let databases = count(restorations.len(), "database");
    let oldest = restorations.iter().map(Restoration::moment).min();
    let ago = oldest.map_or_else(String::new, |oldest| {
        let since = (OffsetDateTime::now_utc() - oldest).whole_seconds().max(0);
        format!(", taken {} ago", age(since))
    });
    let old = if drop_old {
        ", and drop everything written since"
    } else {
        ", without anything written since"
    };
    format!("restore {databases} from the backup{ago}{old}")
}

/// A database is restored as a whole, with all services in it.
fn refuse_neighbours(context: &Context, restorations: &[Restoration]) -> Result<(), Diagnostic> {
    for restoration in restorations {
        let members = &restoration.members;
        let database = &members[0].target.service.database;
        let neighbour = context.fleet.services().find(|service| {
            service.database == *database
                && members
                    .iter()
                    .all(|member| member.target.service.name != service.name)
        });
        if let Some(neighbour) = neighbour {
            return Err(Diagnostic::usage(
                format!(
                    "{} and {} share {}, which can only be restored as a whole",
                    restoration.service(),
                    neighbour.name,
                    restoration.address()
                ),
                commented(
                    called().with([neighbour.name.as_str()]).to_string(),
                    format!("include {}", neighbour.name),
                ),
            ));
        }
    }
    Ok(())
}
