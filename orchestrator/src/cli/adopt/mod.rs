//! The `adopt` command.

mod lines;

use std::path::PathBuf;
use std::time::Duration;

use domain::{Diagnostic, ExitStatus, Version, commented, suggest};
use report::units::count;
use service_cli::command::{Context, Selected, confirm, one_service, select, watch_stops};

use super::drift::{ScratchArgs, accepted_drift};
use adopt::{Adoption, adopt as adopt_targets, undo_adoption};
use drift::refuse_existing;
use lines::AdoptLines;
use scratch::ScratchServers;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator adopt all --dry-run
  orchestrator adopt policy
  orchestrator adopt policy --write-drift policy.drift.toml
  orchestrator adopt policy --accept-drift policy.drift.toml
  orchestrator adopt policy --undo

The rows of TypeORM's history show which migrations ran. A replay of our migrations on a scratch database proves it: the newest
version that produces the live schema is adopted, and the rest stays pending. Nothing runs on the live database, and TypeORM's
table is not changed. Each service is adopted independently: a refused service does not block the others.")]
pub(super) struct Args {
    /// Names of services, or `all`
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<String>,
    /// Prove the adoption without writing anything
    #[arg(long, conflicts_with = "undo")]
    dry_run: bool,
    /// Adopt up to this version of a single service, regardless of the legacy history
    #[arg(long, value_name = "VERSION", conflicts_with = "undo")]
    baseline: Option<Version>,
    /// Accept exactly the differences in this file
    #[arg(long, value_name = "FILE", conflicts_with = "undo")]
    accept_drift: Option<PathBuf>,
    /// Write the differences that prevent adoption to a new file for review
    #[arg(long, value_name = "FILE", conflicts_with = "undo")]
    write_drift: Option<PathBuf>,
    /// Undo an adoption, unless migrations were applied since
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    scratch: ScratchArgs,
    /// Do not ask for confirmation in production
    #[arg(long, short)]
    yes: bool,
}

pub(super) async fn adopt(context: &Context, args: &Args) -> Result<ExitStatus, Diagnostic> {
    let selected = select(&context.fleet, &args.services, false)?;
    let accepted = accepted_drift(context, args.accept_drift.as_deref())?;
    if let Some(file) = &args.write_drift {
        refuse_existing(file)?;
    }
    if let Some(version) = args.baseline {
        refuse_unknown_baseline(context, &selected, version)?;
    }
    let scratch_servers = ScratchServers::new(context, &args.scratch.scratch_server)?;
    let targets = context.targets(&selected.names, &selected, false).await?;
    let services = count(targets.len(), "service");
    let lines = AdoptLines::new(context, args.dry_run, args.undo);
    let mut reporter = context.reporter_with(Some(Box::new(lines)));
    if args.undo {
        confirm(
            context,
            args.yes,
            &format!("undo the adoption of {services}"),
        )
        .await?;
        let stops = watch_stops(Duration::ZERO);
        return Ok(undo_adoption(&scratch_servers, &targets, reporter.as_mut(), stops).await);
    }
    if !args.dry_run {
        confirm(
            context,
            args.yes,
            &format!("write the history of {services}"),
        )
        .await?;
    }
    let adoption = Adoption {
        dry_run: args.dry_run,
        baseline: args.baseline,
        accepted,
        accepted_file: args.accept_drift.clone(),
    };
    let (status, drift) = adopt_targets(
        &scratch_servers,
        &targets,
        &adoption,
        reporter.as_mut(),
        watch_stops(Duration::ZERO),
    )
    .await;
    if let Some(file) = &args.write_drift
        && !drift.is_empty()
    {
        drift.write(file)?;
        if context.is_human() {
            super::print(&format!(
                "wrote {}: review it, then adopt with --accept-drift {}\n",
                file.display(),
                file.display()
            ))?;
        }
    }
    Ok(status)
}

fn refuse_unknown_baseline(
    context: &Context,
    selected: &Selected,
    version: Version,
) -> Result<(), Diagnostic> {
    let Some(service) = selected.only().and_then(|name| context.fleet.service(name)) else {
        return Err(Diagnostic::usage(
            "--baseline requires exactly one service",
            one_service(),
        ));
    };
    if service.migration(version).is_none() {
        return Err(Diagnostic::usage(
            format!("{} has no migration {version}", service.name),
            commented(
                suggest(["status", service.name.as_str()]),
                "lists its migrations",
            ),
        ));
    }
    Ok(())
}
