//! Dumps the schema of a live database.
//!
//! Only the rows of our own tables are dumped, never application data.

use domain::{Diagnostic, ExitStatus, Refusal, RefusalKind, suggest};
use engine::inspect::{ServiceError, Target};
use pg_session::{ForeignCode, Session, read_foreign_code, recent_blockers};
use service_cli::command::Context;

use super::{Archive, Dump, ended, failed, interrupted, next_after};
use backup::Facts;
use client_program::ClientWatch;
use client_program::{ClientProgram, exit_status_of, without_right};
use scratch::ScratchError;

/// How long `pg_dump` waits for a table lock, in milliseconds: sessions that drop or rewrite a table go first.
const LOCK_WAIT_MS: u32 = 10_000;

impl Archive {
    /// Dumps the schema of a live database. `history_tables` are those of all services in it.
    ///
    /// # Errors
    /// When the database is unreachable, or no `pg_dump` is as new as its server.
    pub(crate) async fn of_live(
        context: &Context,
        target: &Target,
        history_tables: &[&str],
    ) -> Result<Self, ScratchError> {
        let mut session = context
            .connections()
            .session(&target.address, &target.history_table)
            .await
            .map_err(ServiceError::from)?;
        let query = |error| ServiceError::query(&target.address, error);
        let facts = Facts::read(session.client()).await.map_err(query)?;
        let major = u32::try_from(facts.major).unwrap_or_default();
        let foreign = read_foreign_code(session.client(), major)
            .await
            .map_err(query)?;
        if let Some(foreign) = foreign {
            return Err(ServiceError::from(refusal(target, &foreign)).into());
        }
        let own = own_tables(&mut session, history_tables)
            .await
            .map_err(query)?;
        drop(session);
        let folder = context.globals.pg_bin.clone();
        let found = tokio::task::spawn_blocking(move || {
            let pg_dump = ClientProgram::find("pg_dump", folder.as_deref(), facts.major)?;
            let pg_restore = ClientProgram::find("pg_restore", folder.as_deref(), pg_dump.major)?;
            Ok::<_, Diagnostic>((pg_dump, pg_restore))
        });
        let (pg_dump, pg_restore) = found.await.map_err(|error| interrupted(&error))??;
        let watch = ClientWatch::new(context.connections(), &target.address, "rehearsal");
        let mut dumps = vec![dump(&pg_dump, &watch, &["--schema-only".to_owned()]).await?];
        if !own.is_empty() {
            let mut arguments = vec!["--data-only".to_owned()];
            arguments.extend(own.iter().map(|table| format!("--table={table}")));
            dumps.push(dump(&pg_dump, &watch, &arguments).await?);
        }
        Ok(Self {
            what: format!("the schema of {}", target.address),
            server_version: facts.server_version,
            pg_restore,
            dumps,
            roles: facts.roles,
            backup: None,
        })
    }
}

/// Refuses code of other roles: rows are written to the copy, and its triggers, checks and defaults run with the privileges of the rehearsing role.
fn refusal(target: &Target, foreign: &ForeignCode) -> Refusal {
    let ForeignCode { object, owner } = foreign;
    let service = &target.service.name;
    Refusal {
        kind: RefusalKind::ForeignCode,
        service: Some(service.clone()),
        message: format!(
            "{}: {object} belongs to {owner}, and a rehearsal on the live schema would run its code with the privileges of another role: the \
             owner is neither the migrating role, nor a role that it is a member of, nor the owner of the database, nor a superuser",
            target.address
        ),
        next: suggest(["rehearse", service.as_str()]),
    }
}

/// The existing tables of the engine, as `pg_dump` patterns.
async fn own_tables(
    session: &mut Session,
    history_tables: &[&str],
) -> Result<Vec<String>, tokio_postgres::Error> {
    let mut own = Vec::new();
    for table in history_tables {
        session.refresh(table).await?;
        let name = session.qualified_history(table);
        let is_there = "SELECT pg_catalog.to_regclass($1) IS NOT NULL";
        let row = session.client().query_one(is_there, &[&name]).await?;
        if row.try_get(0)? {
            own.push(name);
        }
    }
    let client = session.client();
    let row = client
        .query_one(
            "SELECT pg_catalog.to_regclass('orchestrator.journal') IS NOT NULL",
            &[],
        )
        .await?;
    if row.try_get(0)? {
        own.push("orchestrator.*".to_owned());
    }
    Ok(own)
}

async fn dump(
    program: &ClientProgram,
    watch: &ClientWatch,
    arguments: &[String],
) -> Result<Dump, ScratchError> {
    let mut command = program.against(watch);
    command
        .args(["--format=custom", "--no-password", "--no-subscriptions"])
        .arg(format!("--lock-wait-timeout={LOCK_WAIT_MS}"))
        .arg(format!(
            "--dbname={}",
            watch.address().libpq_connection_string()
        ))
        .args(arguments);
    match watch.output(&mut command).await {
        Ok(None) => Err(ServiceError::silent(watch.address(), "pg_dump").into()),
        Ok(Some(output)) if output.status.success() => Ok(Dump::InMemory(output.stdout)),
        Ok(Some(output)) => {
            // The message of `pg_dump` does not distinguish a lock timeout from a statement timeout.
            if let Some(who) = recent_blockers(watch.address()) {
                return Err(ServiceError::locked(watch.address(), Some(who)).into());
            }
            let output = String::from_utf8_lossy(&output.stderr);
            let output: Vec<&str> = output
                .lines()
                .map(|line| line.trim_start_matches("pg_dump: "))
                .collect();
            let output = output.join("; ");
            let message = format!("{}: pg_dump failed: {output}", watch.address());
            Err(match without_right(&output, watch.address()) {
                Some(next) => ended(message, &next, ExitStatus::Refused),
                None => {
                    let status = exit_status_of(&output);
                    ended(message, next_after(status), status)
                }
            })
        }
        Err(error) => Err(failed(
            format!("cannot run {program}: {error}"),
            "with another folder of client programs: --pg-bin FOLDER",
        )),
    }
}
