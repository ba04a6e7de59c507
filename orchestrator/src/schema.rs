//! `schema dump`: the schema that a service's migrations produce, as SQL. Floor 4.
//!
//! The migrations are run by the engine itself on a scratch database, which is dropped again whatever happens.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use shared::command::{CommandError, Context};
use shared::config::DatabaseAddress;
use shared::dispatch::{LaneInput, OnFailure, Recorder, Run, dispatch};
use shared::domain::{Direction, Event, EventKind, ExitStatus, Service};
use shared::inspect::Target;
use shared::planning::{self, Chain, Order};
use shared::postgres::RunIdentity;
use shared::report::Reporter;
use shared::source::DEFAULT_HISTORY_TABLE;
use tokio::sync::watch;
use uuid::Uuid;

/// The schema of a service at its newest version, normalised.
pub async fn dump(
    context: &Context,
    service: &Service,
    server: &DatabaseAddress,
    pg_dump: &Path,
) -> Result<String, CommandError> {
    let scratch = server.with_database(format!("orchestrator_scratch_{}", Uuid::now_v7().simple()));
    context
        .connections()
        .create_database(&scratch)
        .await
        .map_err(shared::inspect::ServiceError::from)?;
    let dumped = async {
        migrate(context, service, &scratch).await?;
        run_pg_dump(&scratch, pg_dump).await
    }
    .await;
    let dropped = context.connections().drop_database(&scratch).await;
    let text = dumped?;
    dropped.map_err(shared::inspect::ServiceError::from)?;
    Ok(normalise(&text))
}

/// Remembers the first thing that went wrong, and shows nothing.
#[derive(Default)]
struct FirstTrouble(Option<String>);

impl Reporter for FirstTrouble {
    fn report(&mut self, event: &Event) {
        let trouble = match &event.kind {
            EventKind::MigrationFailed(failure) => Some(format!(
                "{}:{}: {}",
                failure.file,
                failure.line.unwrap_or(1),
                failure.message
            )),
            EventKind::ServiceFailed { message, .. } => Some(message.clone()),
            _ => None,
        };
        self.0 = self.0.take().or(trouble);
    }
}

async fn migrate(
    context: &Context,
    service: &Service,
    scratch: &DatabaseAddress,
) -> Result<(), CommandError> {
    let steps = service
        .migrations
        .iter()
        .map(|migration| planning::step(service, migration, Direction::Up))
        .collect::<Result<Vec<_>, _>>()?;
    let identity = RunIdentity::of_this_process();
    let mut trouble = FirstTrouble::default();
    let mut recorder = Recorder::new(&mut trouble, identity.run_id);
    let target = Target {
        service: Arc::new(service.clone()),
        address: scratch.clone(),
        history_table: DEFAULT_HISTORY_TABLE.to_owned(),
        may_create: false,
    };
    let lane = LaneInput {
        target: Arc::new(target),
        session: None,
        run_again: format!("orchestrator schema dump {}", service.name),
    };
    let run = Run {
        command: "run",
        identity,
        plan: Chain.arrange(&context.fleet, steps, Direction::Up),
        lanes: [(service.name.clone(), lane)].into(),
        gate_targets: [].into(),
        unchanged: Vec::new(),
        stopped: Vec::new(),
        held_back: Vec::new(),
        jobs: 1,
        on_failure: OnFailure::Stop,
        wait: std::time::Duration::ZERO,
        meet_gate: Box::new(|_| String::new()),
        engine: *context.configuration.engine(),
        connections: context.connections(),
    };
    let (_keep, never) = watch::channel(0);
    let end = dispatch(run, &mut recorder, never).await;
    match end.status {
        ExitStatus::Done => Ok(()),
        status => Err(CommandError::Stopped {
            message: format!(
                "the migrations of {} do not run on an empty database: {}",
                service.name,
                trouble.0.unwrap_or_default()
            ),
            next: Some("mend the migration, and dump again".to_owned()),
            status,
        }),
    }
}

async fn run_pg_dump(database: &DatabaseAddress, pg_dump: &Path) -> Result<String, CommandError> {
    let mut command = tokio::process::Command::new(pg_dump);
    for variable in shared::config::address::LIBPQ_VARIABLES {
        command.env_remove(variable);
    }
    let output = command
        .args([
            "--schema-only",
            "--no-owner",
            "--no-privileges",
            "--exclude-schema=orchestrator",
        ])
        .arg(format!("--exclude-table={DEFAULT_HISTORY_TABLE}"))
        .envs(database.libpq_environment())
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(|source| CommandError::Io {
            what: format!("{} cannot be run", pg_dump.display()),
            source,
        })?;
    if !output.status.success() {
        return Err(CommandError::Program {
            message: format!(
                "pg_dump failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// pg_dump's output without what depends on the server, the moment or the reader: session settings, its own comments,
/// psql commands, and more than one empty line in a row.
fn normalise(dump: &str) -> String {
    let mut text = String::new();
    let mut in_quotes = false;
    for line in dump.lines() {
        // Inside a function body everything is the author's.
        if !in_quotes && is_noise(line) {
            continue;
        }
        if line.matches("$$").count() % 2 == 1 || line.matches("$_$").count() % 2 == 1 {
            in_quotes = !in_quotes;
        }
        if line.is_empty() && !in_quotes && (text.is_empty() || text.ends_with("\n\n")) {
            continue;
        }
        text.push_str(line);
        text.push('\n');
    }
    format!("{}\n", text.trim_end())
}

fn is_noise(line: &str) -> bool {
    line.starts_with("--")
        || line.starts_with("SET ")
        || line.starts_with("SELECT pg_catalog.set_config(")
        || line.starts_with("\\restrict")
        || line.starts_with("\\unrestrict")
        || line.starts_with("COMMENT ON EXTENSION ")
}

/// The `schema.sql` of a service in a folder of services.
pub fn path(services: &Path, service: &Service) -> PathBuf {
    services.join(service.name.as_str()).join("schema.sql")
}

#[cfg(test)]
mod tests {
    use super::normalise;

    #[test]
    fn what_changes_from_dump_to_dump_is_left_out_and_function_bodies_stay() {
        let dump = "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSET statement_timeout = 0;\n\
                    SELECT pg_catalog.set_config('search_path', '', false);\n\n\n--\n-- Name: f()\n--\n\n\
                    CREATE FUNCTION public.f() RETURNS void\n    AS $$\n-- a comment of the author's\n\n\nSET x = 1;\n$$;\n\n\n\
                    \n\\unrestrict abc\n";
        assert_eq!(
            normalise(dump),
            "CREATE FUNCTION public.f() RETURNS void\n    AS $$\n-- a comment of the author's\n\n\nSET x = 1;\n$$;\n"
        );
    }
}
