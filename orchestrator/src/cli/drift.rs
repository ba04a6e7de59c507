//! The `drift` command.

use std::path::{Path, PathBuf};

use domain::{Diagnostic, ExitStatus, rerun};
use futures_util::{StreamExt, stream};
use report::units::count;
use report::{Palette, Role, clean};
use service_cli::command::{Context, PerService, select, watch_signals};

use super::differences::{column_orders, differences};
use super::progress::with_progress;
use drift::{AcceptedDrift, DriftReport, ServiceDrift, detect, refuse_existing};
use scratch::{ScratchError, ScratchServerChoice, ScratchServers};

/// The number of concurrent replays: each uses a whole CPU.
const REPLAYS: usize = 4;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator drift
  orchestrator drift policy --output json
  orchestrator drift policy --scratch-server same

Replays the applied migrations on a scratch database and compares its schema with the live schema, object by object:
everything that pg_dump covers, extension versions, owners of extension members, disabled constraint triggers, and large
objects. The order of columns and the settings of the database are shown, but are not drift. Rows are not compared. Nothing is
written to the live database. The exit code is 4 when there is drift.")]
pub(super) struct Args {
    /// Names of services [default: all]
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    #[command(flatten)]
    scratch: ScratchArgs,
    /// Accept exactly the differences in this file
    #[arg(long, value_name = "FILE")]
    accept_drift: Option<PathBuf>,
    /// Write the differences to a new file for review
    #[arg(long, value_name = "FILE")]
    write_drift: Option<PathBuf>,
}

/// The server on which migrations are replayed.
#[derive(clap::Args, Debug)]
pub(super) struct ScratchArgs {
    /// Where to create scratch databases: local (the project's server), same (the live server), or a URL
    #[arg(
        long,
        value_name = "SERVER",
        default_value = "local",
        env = "ORCHESTRATOR_SCRATCH_SERVER",
        hide_env_values = true
    )]
    pub scratch_server: ScratchServerChoice,
}

pub(super) async fn drift(context: &Context, args: &Args) -> Result<ExitStatus, Diagnostic> {
    let accepted = accepted_drift(context, args.accept_drift.as_deref())?;
    if let Some(file) = &args.write_drift {
        refuse_existing(file)?;
    }
    let selected = select(&context.fleet, &super::or_all(&args.services), false)?;
    let scratch_servers = ScratchServers::new(context, &args.scratch.scratch_server)?;
    let targets = context.targets(&selected.names, &selected, false).await?;
    let (servers, accepted, replays) = (&scratch_servers, &accepted, REPLAYS.min(context.jobs()));
    let (names, compared) = (targets.keys().cloned().collect(), &targets);
    let detections = with_progress(
        context,
        ("drift", "comparing"),
        names,
        |events| async move {
            stream::iter(compared)
                .map(|(name, target)| events.within(name, detect(servers, target, accepted)))
                .buffered(replays)
                .collect::<Vec<_>>()
                .await
        },
    );
    let mut cancelled = watch_signals();
    let Some(found) = scratch_servers
        .until_cancelled(&mut cancelled, detections)
        .await
    else {
        return Ok(ExitStatus::Cancelled);
    };
    if let Some(file) = &args.write_drift {
        write_drift(file, &found)?;
    }
    let found = found.into_iter().map(|one| one.map_err(Into::into));
    let found = PerService(targets.keys().zip(found).collect());
    found.print(context, |name, report| {
        lines(name, report, context.terminal.out)
    })?;
    Ok(found.status(|report| match report.has_drift() {
        true => ExitStatus::Findings,
        false => ExitStatus::Done,
    }))
}

/// Reads a file of accepted drift. An unknown service in it is an error.
pub(super) fn accepted_drift(
    context: &Context,
    file: Option<&Path>,
) -> Result<AcceptedDrift, Diagnostic> {
    let Some(file) = file else {
        return Ok(AcceptedDrift::default());
    };
    let accepted = AcceptedDrift::read(file)?;
    for name in accepted.services() {
        if context.fleet.service(name).is_none() {
            return Err(Diagnostic::usage(
                format!("{}: unknown service {name}", file.display()),
                rerun(format!("first remove the section from {}", file.display())),
            ));
        }
    }
    Ok(accepted)
}

fn write_drift(file: &Path, found: &[Result<DriftReport, ScratchError>]) -> Result<(), Diagnostic> {
    let mut all = AcceptedDrift::default();
    for report in found.iter().flatten() {
        if let Some(version) = report.version
            && report.has_drift()
        {
            let differences = report
                .accepted
                .iter()
                .chain(&report.differences)
                .cloned()
                .collect();
            let drift = ServiceDrift {
                version,
                differences,
            };
            all.insert(report.name.clone(), drift);
        }
    }
    if all.is_empty() {
        Ok(())
    } else {
        all.write(file)
    }
}

fn lines(name: &str, report: &DriftReport, palette: Palette) -> String {
    let line = |role: Role, word: &str, rest: &str| {
        format!(
            "{}  {name}  {rest}\n",
            palette.paint(role, &format!("{word:<8}"))
        )
    };
    if !report.database_exists {
        return line(Role::Quiet, "absent", "the database does not exist yet");
    }
    let applied = match report.version {
        Some(version) => format!("{}, up to {version}", count(report.applied, "migration")),
        None => "nothing applied".to_owned(),
    };
    let accepted = match report.accepted.len() {
        0 => String::new(),
        number => format!(", {} accepted", count(number, "difference")),
    };
    let mut text = if report.has_drift() {
        let number = count(report.differences.len(), "difference");
        line(
            Role::Bad,
            "drift",
            &format!("{number} from {applied}{accepted}"),
        )
    } else {
        line(Role::Good, "no drift", &format!("{applied}{accepted}"))
    };
    text.push_str(&differences(&report.differences, palette));
    text.push_str(&column_orders(&report.column_order, palette));
    for index in &report.invalid_indexes {
        let line =
            format!("  {index} is INVALID: left by a failed CREATE INDEX CONCURRENTLY; drop it\n");
        text.push_str(&palette.paint(Role::Warning, &line));
    }
    if !report.database_settings.is_empty() {
        let head = "  settings of the database (not drift):\n";
        text.push_str(&palette.paint(Role::Quiet, head));
    }
    for setting in &report.database_settings {
        let role = match &setting.role {
            Some(role) => format!(" for {role}"),
            None => String::new(),
        };
        let line = clean(&format!("{}{role}: {}", setting.name, setting.value));
        text.push_str(&palette.paint(Role::Quiet, &format!("    {line}\n")));
    }
    text
}
