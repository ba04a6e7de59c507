//! `history`: every attempt, from the journals.

use shared::command::{CommandError, Context, print_document, select};
use shared::domain::ExitStatus;
use shared::inspect::{ServiceError, inspect};
use shared::postgres::{JournalRow, read_journal};
use shared::report::Role;
use shared::report::table::{Align, Cell, columns};
use shared::report::units::duration;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator history policy
  orchestrator history --limit 5
  orchestrator history policy --output json")]
pub(super) struct Args {
    /// Names of services [default: all]
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// At most so many attempts of each service, the newest
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

#[derive(serde::Serialize)]
struct Document {
    schema: u32,
    attempts: Vec<JournalRow>,
}

pub(super) async fn history(context: &Context, args: &Args) -> Result<ExitStatus, CommandError> {
    let selected = select(&context.fleet, &super::or_all(&args.services), false)?;
    let targets = context.targets(&selected.names, &selected, false).await?;
    let connections = context.connections();
    let mut attempts = Vec::new();
    for target in targets.values() {
        if let Some(session) = inspect(&connections, target).await?.session {
            let rows = read_journal(&session, &target.service.name, args.limit.into())
                .await
                .map_err(|source| ServiceError::query(&target.address, source))?;
            attempts.extend(rows);
        }
    }
    attempts.sort_by(|a, b| (&a.started_at, a.id).cmp(&(&b.started_at, b.id)));
    if context.is_for_people() {
        super::print(&for_people(context, &attempts))?;
    } else {
        print_document(&Document {
            schema: 1,
            attempts,
        })?;
    }
    Ok(ExitStatus::Done)
}

fn for_people(context: &Context, attempts: &[JournalRow]) -> String {
    if attempts.is_empty() {
        return "no attempts yet\n".to_owned();
    }
    let rows: Vec<Vec<Cell>> = attempts
        .iter()
        .map(|row| {
            let role = match row.outcome.as_str() {
                "applied" | "adopted" => Role::Good,
                "reverted" => Role::Plain,
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
    columns(
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
