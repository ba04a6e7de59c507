//! The `history` command: every attempt, read from the journals.

pub(super) mod believe;
mod verify;

use std::path::PathBuf;

use domain::{Diagnostic, ExitStatus};
use engine::inspect::{ServiceError, Target, inspect};
use futures_util::{StreamExt, stream};
use pg_session::Connections;
use report::Role;
use report::table::{Align, Cell, columns_without};
use report::units::duration;
use service_cli::command::{Context, Unreachable, print_document, select, unreachable_lines};
use store::{JournalRow, read_journal};

use health::journal::Believed;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator history policy
  orchestrator history --limit 5
  orchestrator history policy --output json
  orchestrator history --anchor-out anchor-2026-11-22.json     record the journals' current state; keep it elsewhere
  orchestrator history --verify --anchor anchor-2026-11-22.json
  orchestrator history policy --believe journal                resolve a disagreement: the journal is right

--verify finds rows that were edited, removed, inserted or moved since they were written; the exit code is then 4. With an
anchor it also finds removal of the newest rows, and a rewritten journal with recomputed hashes.")]
pub(super) struct Args {
    /// Names of services [default: all]
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// Show at most the newest N attempts of each service
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Verify that no row was changed since it was written
    #[arg(long, conflicts_with = "limit")]
    verify: bool,
    /// An earlier state of the journals: a file from --anchor-out, or the JSON events of a run
    #[arg(long, value_name = "FILE", requires = "verify")]
    anchor: Option<PathBuf>,
    /// Resolve a disagreement of history and journal in favor of one; does not change the schema
    #[arg(long, value_name = "WHICH", conflicts_with_all = ["limit", "verify", "anchor_out"])]
    believe: Option<Believed>,
    /// Do not ask for confirmation in production
    #[arg(long, requires = "believe")]
    yes: bool,
    /// Write the current state of the journals to a new file; with --verify only if there are no findings
    #[arg(long, value_name = "FILE", conflicts_with = "limit")]
    anchor_out: Option<PathBuf>,
}

#[derive(serde::Serialize, schemars::JsonSchema)]
pub(super) struct Document {
    attempts: Vec<JournalRow>,
    unreachable: Vec<Unreachable>,
}

pub(super) async fn history(context: &Context, args: &Args) -> Result<ExitStatus, Diagnostic> {
    if args.verify {
        let services = super::or_all(&args.services);
        let (anchor, out) = (args.anchor.as_deref(), args.anchor_out.as_deref());
        return verify::verify_journals(context, &services, anchor, out).await;
    }
    if let Some(file) = &args.anchor_out {
        return verify::take_anchors(context, &super::or_all(&args.services), file).await;
    }
    if let Some(believed) = args.believe {
        return believe::believe_one(context, &args.services, believed, args.yes).await;
    }
    let selected = select(&context.fleet, &super::or_all(&args.services), false)?;
    let targets = context.targets(&selected.names, &selected, false).await?;
    let connections = context.connections();
    let read: Vec<_> = stream::iter(&targets)
        .map(|(name, target)| {
            let connections = &connections;
            async move { (name, attempts_of(connections, target, args.limit).await) }
        })
        .buffered(context.jobs().max(1))
        .collect()
        .await;
    let mut attempts = Vec::new();
    let mut unreachable = Vec::new();
    for (name, rows) in read {
        match rows {
            Ok(rows) => attempts.extend(rows),
            Err(error) => unreachable.push(Unreachable::new(name, error)),
        }
    }
    let status = unreachable.iter().fold(ExitStatus::Done, |worst, one| {
        worst.or_worse(one.error.0.exit_code)
    });
    attempts.sort_by(|a, b| (&a.started_at, a.id).cmp(&(&b.started_at, b.id)));
    if context.is_human() {
        let mut text = match attempts.is_empty() && !unreachable.is_empty() {
            true => String::new(),
            false => human(context, &attempts),
        };
        text.push_str(&unreachable_lines(&unreachable, context.terminal.out));
        super::print(&text)?;
    } else {
        print_document(&Document {
            attempts,
            unreachable,
        })?;
    }
    Ok(status)
}

async fn attempts_of(
    connections: &Connections,
    target: &Target,
    limit: u32,
) -> Result<Vec<JournalRow>, ServiceError> {
    match inspect(connections, target).await?.session {
        Some(session) => read_journal(&session, &target.service.name, limit.into())
            .await
            .map_err(|source| ServiceError::query(&target.address, source)),
        None => Ok(Vec::new()),
    }
}

fn human(context: &Context, attempts: &[JournalRow]) -> String {
    if attempts.is_empty() {
        return "no attempts yet\n".to_owned();
    }
    let rows: Vec<Vec<Cell>> = attempts
        .iter()
        .map(|row| {
            let role = match row.outcome.as_str() {
                "applied" | "adopted" | "recorded_applied" => Role::Good,
                "reverted" | "adoption_undone" | "recorded_reverted" => Role::Plain,
                _ => Role::Bad,
            };
            let why = [row.sqlstate.as_deref(), row.message.as_deref()];
            vec![
                row.started_at
                    .get(..19)
                    .unwrap_or(&row.started_at)
                    .replace('T', " ")
                    .into(),
                row.service.clone().into(),
                row.version.to_string().into(),
                row.name.clone().into(),
                Cell::new(role, row.outcome.clone()),
                duration(u64::try_from(row.duration_ms).unwrap_or_default()).into(),
                format!("{}@{}", row.client_user, row.client_host).into(),
                why.into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join(" ")
                    .into(),
            ]
        })
        .collect();
    columns_without(
        &[6, 5, 3, 0],
        &[
            "started (UTC)",
            "service",
            "version",
            "name",
            "outcome",
            "took",
            "by",
            "",
        ],
        &rows,
        &[
            Align::Left,
            Align::Left,
            Align::Left,
            Align::Left,
            Align::Left,
            Align::Right,
            Align::Left,
            Align::Left,
        ],
        context.terminal.out,
        context.terminal.width,
    )
}
