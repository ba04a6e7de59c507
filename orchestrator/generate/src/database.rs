//! One scratch database: its schema as a model and as a snapshot, and the SQL that runs on it.

use std::sync::Arc;

use catalog::Snapshot;
use client_program::{ClientProgram, ClientWatch, exit_status_of};
use domain::{Diagnostic, ExitStatus, ServerError, rerun};
use engine::inspect::ServiceError;
use pg_address::DatabaseAddress;
use pg_session::{Connection, Connections};
use scratch::{Replay, ScratchError};
use store::DEFAULT_HISTORY_TABLE;

use crate::archive;
use crate::facts;
use crate::model::Model;

/// A scratch database.
pub(crate) struct Database<'a> {
    pub(crate) replay: Replay<'a>,
}

impl Database<'_> {
    pub(crate) async fn connect(&self) -> Result<Connection, ScratchError> {
        let address = self.replay.database();
        let connection = self.replay.connections().open_beside(address).await;
        connection.map_err(|error| ScratchError::connect(&error))
    }

    /// Runs SQL in one transaction. The inner error is the server's answer to the SQL.
    pub(crate) async fn run(&self, sql: &str) -> Result<Result<(), ServerError>, ScratchError> {
        let connection = self.connect().await?;
        // As in a session of a migration.
        let text = format!("BEGIN; SET LOCAL search_path = \"$user\", public;\n{sql}\n;COMMIT;");
        match connection.client.batch_execute(&text).await {
            Ok(()) => Ok(Ok(())),
            Err(source) => match ServerError::from_error(&source) {
                Some(error) => Ok(Err(error)),
                None => Err(ServiceError::query(self.replay.database(), source).into()),
            },
        }
    }

    /// Runs statements one by one, each in a transaction of its own. The inner error is that of the first that fails.
    pub(crate) async fn run_apart(
        &self,
        statements: &[&str],
    ) -> Result<Result<(), ServerError>, ScratchError> {
        let connection = self.connect().await?;
        connection
            .client
            .batch_execute("SET search_path = \"$user\", public")
            .await
            .map_err(|source| ServiceError::query(self.replay.database(), source))?;
        for sql in statements {
            if let Err(source) = connection.client.batch_execute(sql).await {
                return match ServerError::from_error(&source) {
                    Some(error) => Ok(Err(error)),
                    None => Err(ServiceError::query(self.replay.database(), source).into()),
                };
            }
        }
        Ok(Ok(()))
    }

    /// The statements that fail when all that can run are run in one transaction, which is rolled back.
    pub(crate) async fn failing(&self, statements: &[&str]) -> Result<Vec<usize>, ScratchError> {
        let connection = self.connect().await?;
        let run = async |sql: &str| match connection.client.batch_execute(sql).await {
            Ok(()) => Ok(true),
            Err(source) if ServerError::from_error(&source).is_some() => Ok(false),
            Err(source) => Err(ServiceError::query(self.replay.database(), source)),
        };
        run("BEGIN; SET LOCAL search_path = \"$user\", public; SET LOCAL check_function_bodies = off")
            .await?;
        let mut failing = Vec::new();
        for (index, sql) in statements.iter().enumerate() {
            run("SAVEPOINT one").await?;
            if !run(sql).await? {
                failing.push(index);
                run("ROLLBACK TO one").await?;
            }
        }
        run("ROLLBACK").await?;
        Ok(failing)
    }

    /// The schema, as it is compared.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot, ScratchError> {
        drift::read_replayed(&self.replay, &[DEFAULT_HISTORY_TABLE]).await
    }

    /// The schema, as statements are made from it.
    pub(crate) async fn model(&self, pg_dump: &ClientProgram) -> Result<Model, ScratchError> {
        let entries = self.dump(pg_dump).await?;
        let connection = self.connect().await?;
        let facts = facts::read(&connection.client)
            .await
            .map_err(|source| ServiceError::query(self.replay.database(), source))?;
        Ok(Model::new(entries, facts))
    }

    async fn dump(&self, pg_dump: &ClientProgram) -> Result<Vec<archive::Entry>, ScratchError> {
        let options = ["--format=custom", "--no-subscriptions"];
        let archive = dump_schema(pg_dump, &self.replay, &options).await?;
        archive::read(&archive).ok_or_else(|| {
            let message = format!("cannot read the archive that {pg_dump} writes");
            Diagnostic::new(ExitStatus::Failed, message, rerun("after correcting that")).into()
        })
    }
}

/// What pg_dump writes for the schema of a scratch database, without what the engine keeps there.
///
/// # Errors
/// When pg_dump cannot be run, fails, or no longer gets an answer from the server.
pub async fn dump_schema(
    pg_dump: &ClientProgram,
    replay: &Replay<'_>,
    options: &[&str],
) -> Result<Vec<u8>, ScratchError> {
    let connections = replay.connections();
    Ok(dump_database(pg_dump, connections, replay.database(), options).await?)
}

/// What pg_dump writes for the schema of a database, without what the engine keeps there.
///
/// # Errors
/// When pg_dump cannot be run, fails, or no longer gets an answer from the server.
pub async fn dump_database(
    pg_dump: &ClientProgram,
    connections: Arc<Connections>,
    address: &DatabaseAddress,
    options: &[&str],
) -> Result<Vec<u8>, Diagnostic> {
    let watch = ClientWatch::new(connections, address, "schema");
    let mut command = pg_dump.against(&watch);
    command
        .args([
            "--schema-only",
            "--no-owner",
            "--exclude-schema=orchestrator",
        ])
        .args(options)
        .arg(format!("--exclude-table={DEFAULT_HISTORY_TABLE}"))
        .arg(format!(
            "--dbname={}",
            watch.address().libpq_connection_string()
        ));
    let output = watch
        .output(&mut command)
        .await
        .map_err(|source| Diagnostic::failed(format!("cannot run {pg_dump}"), &source))?
        .ok_or_else(|| ServiceError::silent(watch.address(), "pg_dump"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let message = format!("pg_dump failed: {}", said.trim());
    Err(Diagnostic::new(
        exit_status_of(&said),
        message,
        rerun("after correcting that"),
    ))
}
