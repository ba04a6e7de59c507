//! Checks before a restore: whether the backup is intact and fits the server, and the effect of the restore. Writes nothing.

use pg_sql::quote_identifier;
use std::path::PathBuf;

use domain::{Refusal, RefusalKind, Version, called, commented, rerun};
use engine::inspect::{ServiceError, inspect};
use pg_session::ask_administrator;
use report::units::count;
use service_cli::command::Context;
use time::OffsetDateTime;

use super::RestoreOptions;
use super::check;
use super::choice::Restoration;
use super::error::RestoreError;
use super::event::PlannedRestore;
use super::program::{self, Contents};
use super::surroundings::{self, Database, ServerFacts};
use client_program::{ClientProgram, major};

/// The number of sessions that are listed; the rest is counted.
const NAMED: usize = 3;

/// Databases that we connect to in order to manage others.
const MAINTENANCE: [&str; 3] = ["postgres", "template0", "template1"];

/// The result of the checks of one restoration.
pub(super) struct Examined {
    pub program: ClientProgram,
    pub contents: Contents,
    pub server: ServerFacts,
    /// The database to replace, if it exists.
    pub live: Option<Database>,
    pub planned: PlannedRestore,
    pub warnings: Vec<String>,
}

/// Checks one restoration.
pub(super) async fn examine(
    context: &Context,
    restoration: &Restoration,
    options: &RestoreOptions,
) -> Result<Examined, RestoreError> {
    let (program, contents) = read_backup(restoration, context.globals.pg_bin.clone()).await?;
    let address = restoration.address();
    let connections = context.connections();
    let failed = |error| RestoreError::from(ServiceError::query(address, error));
    let keeper = connections
        .keep(address)
        .await
        .map_err(ServiceError::from)?;
    let server = surroundings::server(&keeper.client).await.map_err(failed)?;
    let live = surroundings::database(&keeper.client, address.database())
        .await
        .map_err(failed)?;
    refuse_unfit(restoration, &server, live)?;
    let mut warnings = Vec::new();
    let mut loses = Vec::new();
    let mut own = Vec::new();
    if let Some(live) = live {
        for member in &restoration.members {
            match inspect(&connections, &member.target).await {
                Ok(inspection) => {
                    own.extend(inspection.session.as_ref().map(|session| session.pid()));
                    let head = member.backup.head.as_ref().map(|head| head.version);
                    let applied = inspection.history.applied.iter().map(|row| row.version);
                    loses.extend(applied.filter(|version| Some(*version) > head));
                }
                // Only a warning: a damaged history may be the reason for the restore.
                Err(error) => warnings.push(format!(
                    "cannot read the applied migrations: {}",
                    error.diagnostic()
                )),
            }
        }
        let stays = surroundings::stays_behind(&keeper.client, live.oid)
            .await
            .map_err(failed)?;
        if !stays.is_empty() {
            warnings.push(format!(
                "{}: not part of a dump and stays with the old database; recreate it in the restored one",
                stays.join(", ")
            ));
        }
        let in_use = in_use(&keeper.client, restoration, &own, options).await;
        if let Some(refusal) = in_use.map_err(failed)? {
            if !options.dry_run {
                return Err(refusal.into());
            }
            warnings.push(refusal.message);
        }
    }
    for member in &restoration.members {
        if member.backup.history_table != member.target.history_table {
            warnings.push(format!(
                "the history table is {} in the backup, but {} in the configuration",
                member.backup.history_table, member.target.history_table
            ));
        }
    }
    if restoration.dump().database != address.database() {
        warnings.push(format!(
            "the backup is of another database, {} on {}",
            restoration.dump().database,
            restoration.dump().server
        ));
    }
    Ok(Examined {
        planned: planned(restoration, live.is_some(), loses, server.now),
        program,
        contents,
        server,
        live,
        warnings,
    })
}

/// Checks files, checksums and table of contents on a blocking thread.
async fn read_backup(
    restoration: &Restoration,
    pg_bin: Option<PathBuf>,
) -> Result<(ClientProgram, Contents), RestoreError> {
    let restoration = restoration.clone();
    let reading = move || {
        check::files(&restoration)?;
        let program = program::find(&restoration, pg_bin.as_deref())?;
        let contents = program::contents(&program, &restoration)?;
        if contents.entries == 0 && restoration.dump().head.is_some() {
            let message = "its table of contents is empty".to_owned();
            return Err(check::refusal(&restoration, message).into());
        }
        Ok((program, contents))
    };
    tokio::task::spawn_blocking(reading)
        .await
        .map_err(|_| RestoreError::Cancelled)?
}

fn refuse_unfit(
    restoration: &Restoration,
    server: &ServerFacts,
    live: Option<Database>,
) -> Result<(), Refusal> {
    let address = restoration.address();
    let refusal = |kind, message: String, next: String| {
        Err(Refusal {
            kind,
            service: Some(restoration.service().clone()),
            message,
            next,
        })
    };
    if MAINTENANCE.contains(&address.database()) {
        return refusal(
            RefusalKind::Backup,
            format!("{address}: cannot replace a maintenance database"),
            rerun("first give the service a database of its own"),
        );
    }
    if server.in_recovery {
        return refusal(
            RefusalKind::ReadOnly,
            format!("{address} is a read-only standby"),
            rerun("with the address of the primary server"),
        );
    }
    let from = &restoration.dump().server_version;
    if server.major() < major(from) {
        return refusal(
            RefusalKind::Backup,
            format!(
                "the backup is of PostgreSQL {from}, but the server is older ({}) and may not support everything in it",
                server.version
            ),
            rerun(format!(
                "on a server with PostgreSQL {} or newer",
                major(from)
            )),
        );
    }
    if !server.may_create {
        return refusal(
            RefusalKind::Backup,
            format!(
                "{} lacks the privilege to create databases on {}",
                server.role,
                address.server_key()
            ),
            ask_administrator(&format!(
                "ALTER ROLE {} CREATEDB",
                quote_identifier(&server.role)
            )),
        );
    }
    if live.is_some_and(|live| !live.is_ours) {
        return refusal(
            RefusalKind::Backup,
            format!("{} cannot rename {address}: not its owner", server.role),
            ask_administrator(&format!(
                "ALTER DATABASE {} OWNER TO {}",
                quote_identifier(address.database()),
                quote_identifier(&server.role)
            )),
        );
    }
    Ok(())
}

/// The refusal with the sessions that use the database; `None` if there are none or they will be ended.
pub(super) async fn in_use(
    client: &pg_session::Client,
    restoration: &Restoration,
    own: &[i32],
    options: &RestoreOptions,
) -> Result<Option<Refusal>, tokio_postgres::Error> {
    let database = restoration.address().database();
    let prepared = surroundings::prepared(client, database).await?;
    let refusal = |message, next| Refusal {
        kind: RefusalKind::InUse,
        service: Some(restoration.service().clone()),
        message,
        next,
    };
    if !prepared.is_empty() {
        return Ok(Some(refusal(
            format!(
                "{} in {database} would be lost: {}",
                count(prepared.len(), "prepared transaction"),
                prepared.join(", ")
            ),
            rerun(format!(
                "first COMMIT PREPARED or ROLLBACK PREPARED in {database}"
            )),
        )));
    }
    if options.terminate {
        return Ok(None);
    }
    let users = surroundings::users(client, database, own).await?;
    if users.is_empty() {
        return Ok(None);
    }
    let mut named: Vec<&str> = users
        .iter()
        .take(NAMED)
        .map(|user| user.text.as_str())
        .collect();
    let more = format!("{} more", users.len().saturating_sub(NAMED));
    if users.len() > NAMED {
        named.push(&more);
    }
    Ok(Some(refusal(
        format!(
            "{} in {database}: {}",
            count(users.len(), "session"),
            named.join(", ")
        ),
        commented(
            called().with(["--terminate"]).to_string(),
            "ends its sessions; or stop what connects to it",
        ),
    )))
}

fn planned(
    restoration: &Restoration,
    exists: bool,
    mut loses: Vec<Version>,
    now: OffsetDateTime,
) -> PlannedRestore {
    loses.sort_unstable();
    let dump = restoration.dump();
    let taken_at = restoration.moment();
    PlannedRestore {
        database: restoration.address().database().to_owned(),
        exists,
        backup: restoration.manifest.backup.clone(),
        manifest: restoration.manifest_path().display().to_string(),
        taken_at,
        // Both times are from the server's clock.
        age_s: (now - taken_at).whole_seconds().max(0),
        bytes: dump.database_bytes,
        applied: restoration
            .members
            .iter()
            .map(|member| member.backup.applied)
            .sum(),
        head: dump.head.as_ref().map(|head| head.version),
        loses,
    }
}
