//! The schema of a service that exists only as a database: as its `schema.sql`, and as it is compared.
//!
//! The source is only read. What is ours there, or the legacy tool's, is left out.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use catalog::{Difference, compare};
use client_program::{ClientProgram, major};
use domain::{Diagnostic, ExitStatus, Service, rerun};
use drift::{Live, read_live, read_replayed};
use engine::inspect::{ServiceError, Target};
use pg_address::DatabaseAddress;
use pg_session::split_name;
use pg_sql::quote_identifier as quote;
use scratch::{Replay, ScratchServers};
use service_cli::command::Context;
use store::{DEFAULT_HISTORY_TABLE, read_legacy_tables};

use crate::schema::normalize;

/// Where the schema is.
pub enum Source {
    /// In a database.
    Database(DatabaseAddress),
    /// In a file that pg_dump wrote.
    Dump(PathBuf),
}

/// The schema of a source.
pub struct Imported {
    /// The contents of `schema.sql`.
    pub schema: String,
    /// What `schema.sql` does not declare as the source has it.
    pub differences: Vec<Difference>,
}

impl Source {
    /// Reads the schema by way of a scratch database.
    ///
    /// # Errors
    /// When the source cannot be read or does not load, has no schema, or a scratch database cannot be used.
    pub async fn read(
        &self,
        context: &Context,
        scratch_servers: &ScratchServers<'_>,
        service: &Service,
        server: &DatabaseAddress,
    ) -> Result<Imported, Diagnostic> {
        let (raw, live) = match self {
            Self::Database(address) => {
                let live = read(context, service, address).await?;
                let pg_dump = program(context, "pg_dump", major(&live.server_version)).await?;
                let connections = context.connections();
                let options = ["--no-subscriptions"];
                let dump = ::generate::dump_database(&pg_dump, connections, address, &options);
                (as_text(dump.await?)?, Some(live))
            }
            Self::Dump(path) => (dumped(context, path).await?, None),
        };
        let load = async |text: &str| -> Result<Replay<'_>, Diagnostic> {
            let loaded = ::generate::load(scratch_servers, service, server, text).await?;
            loaded.map_err(|message| self.does_not_load(&message))
        };
        let replay = load(&normalize(&raw)).await?;
        let loaded = read(context, service, replay.database()).await?;
        let expected = live.as_ref().unwrap_or(&loaded).without_any_legacy();
        self.drop_legacy(context, service, &replay, &loaded).await?;
        let pg_dump = program(context, "pg_dump", major(&loaded.server_version)).await?;
        let schema = normalize(&as_text(
            ::generate::dump_schema(&pg_dump, &replay, &[]).await?,
        )?);
        replay.finish().await;
        if schema.trim().is_empty() {
            return Err(Diagnostic::new(
                ExitStatus::Refused,
                format!("{self} declares no schema"),
                rerun("with another source"),
            ));
        }
        let replay = load(&schema).await?;
        let found = read_replayed(&replay, &[DEFAULT_HISTORY_TABLE]).await?;
        replay.finish().await;
        Ok(Imported {
            differences: compare(&expected, &found).differences,
            schema,
        })
    }

    /// Drops the tables of the legacy tool, and a history with a name of its own, from a scratch database.
    async fn drop_legacy(
        &self,
        context: &Context,
        service: &Service,
        replay: &Replay<'_>,
        loaded: &Live,
    ) -> Result<(), Diagnostic> {
        let session = (context.connections())
            .session(replay.database(), DEFAULT_HISTORY_TABLE)
            .await
            .map_err(ServiceError::from)?;
        if let Some(history) = &service.history_table {
            let (schema, table) = split_name(history);
            let schema = quote(schema.unwrap_or("public"));
            let sql = format!("DROP TABLE IF EXISTS {schema}.{}", quote(table));
            let dropped = session.client().batch_execute(&sql).await;
            dropped.map_err(|source| self.does_not_load(&source.to_string()))?;
        }
        for (schema, table) in &loaded.legacy {
            let sql = format!("DROP TABLE {}.{}", quote(schema), quote(table));
            let dropped = session.client().batch_execute(&sql).await;
            dropped.map_err(|source| self.does_not_load(&source.to_string()))?;
            if schema != "public" {
                // Fails if it contains anything else, which is the reason to keep it.
                let sql = format!("DROP SCHEMA {}", quote(schema));
                let _ = session.client().batch_execute(&sql).await;
            }
        }
        Ok(())
    }

    fn does_not_load(&self, message: &str) -> Diagnostic {
        Diagnostic::new(
            ExitStatus::Failed,
            format!("cannot load {self} on a scratch database: {message}"),
            rerun("after correcting that"),
        )
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Database(address) => address.fmt(f),
            Self::Dump(path) => path.display().fmt(f),
        }
    }
}

/// The schema of a database, without our tables.
async fn read(
    context: &Context,
    service: &Service,
    address: &DatabaseAddress,
) -> Result<Live, Diagnostic> {
    let history_table = service.history_table.as_deref();
    let target = Target {
        service: Arc::new(service.clone()),
        address: address.clone(),
        history_table: history_table.unwrap_or(DEFAULT_HISTORY_TABLE).to_owned(),
        legacy_table: service.legacy_table.clone(),
        may_create: false,
    };
    let session = (context.connections())
        .session(address, &target.history_table)
        .await
        .map_err(ServiceError::from)?;
    let legacy = read_legacy_tables(&session, target.legacy_table.as_deref())
        .await
        .map_err(|source| ServiceError::query(address, source))?;
    let tables = [target.history_table.as_str(), DEFAULT_HISTORY_TABLE];
    Ok(read_live(&session, &target, &tables, &legacy).await?)
}

async fn program(
    context: &Context,
    name: &'static str,
    major: i32,
) -> Result<ClientProgram, Diagnostic> {
    let folder = context.globals.pg_bin.clone();
    let finding = move || ClientProgram::find(name, folder.as_deref(), major);
    let found = tokio::task::spawn_blocking(finding).await;
    Ok(found.map_err(|error| Diagnostic::failed(format!("cannot look for {name}"), &error))??)
}

/// The SQL in a file of pg_dump, in any of its formats.
async fn dumped(context: &Context, path: &Path) -> Result<String, Diagnostic> {
    let cannot_read = |source: std::io::Error| {
        let message = format!("cannot read {}", path.display());
        let next = rerun("with the path of a file that pg_dump wrote");
        Diagnostic::of(ExitStatus::Usage, &source, Some(next)).within(message)
    };
    let is_folder = std::fs::metadata(path).map_err(cannot_read)?.is_dir();
    let bytes = match is_folder {
        true => Vec::new(),
        false => std::fs::read(path).map_err(cannot_read)?,
    };
    if !is_folder && !bytes.starts_with(b"PGDMP") {
        return as_text(bytes);
    }
    let pg_restore = program(context, "pg_restore", 0).await?;
    let mut command = pg_restore.on_files();
    command
        .args(["--schema-only", "--no-owner", "--file=-", "--"])
        .arg(path);
    let ran = tokio::task::spawn_blocking(move || command.output()).await;
    let cannot_run = format!("cannot run {pg_restore}");
    let output: Output = ran
        .map_err(|error| Diagnostic::failed(cannot_run.clone(), &error))?
        .map_err(|error| Diagnostic::failed(cannot_run, &error))?;
    if output.status.success() {
        return as_text(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Diagnostic::usage(
        format!("cannot read {}: {}", path.display(), said.trim()),
        rerun("with the path of a file that pg_dump wrote"),
    ))
}

/// SQL that a migration can contain.
fn as_text(bytes: Vec<u8>) -> Result<String, Diagnostic> {
    let text = String::from_utf8(bytes)
        .ok()
        .filter(|it| !it.contains('\0'));
    text.ok_or_else(|| {
        Diagnostic::usage(
            "the dump is not text in UTF-8",
            rerun("with a source that pg_dump --encoding=UTF8 wrote"),
        )
    })
}
