//! The two schemas of a service: what its migrations produce, and what its `schema.sql` declares.

use std::collections::BTreeSet;

use catalog::{Difference, compare};
use domain::{Migration, ServerError, Service};
use pg_address::DatabaseAddress;
use scratch::{Replay, ScratchError, ScratchServers};
use store::DEFAULT_HISTORY_TABLE;

use crate::database::Database;

/// A scratch database for each.
pub(crate) struct Both<'a> {
    pub(crate) current: Database<'a>,
    pub(crate) desired: Database<'a>,
}

impl<'a> Both<'a> {
    /// Runs the migrations, and loads `schema.sql`. The inner error is the server's answer to `schema.sql`.
    pub(crate) async fn prepare(
        scratch_servers: &ScratchServers<'a>,
        service: &Service,
        server: &DatabaseAddress,
        schema: &str,
    ) -> Result<Result<Self, String>, ScratchError> {
        let migrations: Vec<&Migration> = service.migrations.iter().collect();
        let preparing = Replay::prepare(scratch_servers, service, server, &[], &migrations);
        let replay = Box::pin(preparing).await?;
        Box::pin(replay.apply(service, DEFAULT_HISTORY_TABLE, &migrations)).await?;
        let current = Database { replay };
        let desired = Database {
            replay: current.replay.empty_beside().await?,
        };
        let both = Self { current, desired };
        if let Err(message) = both.desired.load(scratch_servers, schema).await? {
            both.finish().await;
            return Ok(Err(message));
        }
        Ok(Ok(both))
    }

    pub(crate) async fn finish(self) {
        self.desired.replay.finish().await;
        self.current.replay.finish().await;
    }
}

impl Database<'_> {
    /// Runs a `schema.sql`. The inner error is the server's answer.
    async fn load(
        &self,
        scratch_servers: &ScratchServers<'_>,
        schema: &str,
    ) -> Result<Result<(), String>, ScratchError> {
        let loading = format!("SET LOCAL check_function_bodies = off;\n{schema}");
        let mut made = BTreeSet::new();
        while let Err(error) = self.run(&loading).await? {
            // `schema.sql` may grant privileges to roles that only the live server has.
            let is_provided = match missing_role(&error).filter(|it| made.insert(it.clone())) {
                Some(role) => self.replay.provide_roles(scratch_servers, &[role]).await,
                None => false,
            };
            if !is_provided {
                return Ok(Err(error.to_string()));
            }
        }
        Ok(Ok(()))
    }
}

/// A scratch database with a schema. The inner error is the server's answer to a schema that does not load.
///
/// # Errors
/// When the scratch database cannot be used.
pub async fn load<'a>(
    scratch_servers: &ScratchServers<'a>,
    service: &Service,
    server: &DatabaseAddress,
    schema: &str,
) -> Result<Result<Replay<'a>, String>, ScratchError> {
    let replay = Box::pin(Replay::prepare(scratch_servers, service, server, &[], &[])).await?;
    let database = Database { replay };
    Ok(match database.load(scratch_servers, schema).await? {
        Ok(()) => Ok(database.replay),
        Err(message) => {
            database.replay.finish().await;
            Err(message)
        }
    })
}

/// The role in `role "soc_app" does not exist`.
fn missing_role(error: &ServerError) -> Option<String> {
    let (before, _) = error.message.split_once("\" does not exist")?;
    let role = before.strip_prefix("role \"")?;
    Some(role.to_owned())
}

/// The objects in which what the migrations produce (found) differs from what `schema.sql` declares (expected). The inner error is the
/// server's answer to a `schema.sql` that does not load.
///
/// # Errors
/// When the scratch databases cannot be used, or the migrations do not run.
pub async fn schema_differences(
    scratch_servers: &ScratchServers<'_>,
    service: &Service,
    server: &DatabaseAddress,
    schema: &str,
) -> Result<Result<Vec<Difference>, String>, ScratchError> {
    let both = match Both::prepare(scratch_servers, service, server, schema).await? {
        Ok(both) => both,
        Err(message) => return Ok(Err(message)),
    };
    let (expected, found) = (
        both.desired.snapshot().await?,
        both.current.snapshot().await?,
    );
    both.finish().await;
    Ok(Ok(compare(&expected, &found).differences))
}
