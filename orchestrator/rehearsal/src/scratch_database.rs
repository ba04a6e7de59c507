//! The scratch database that a service is rehearsed on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use catalog::Snapshot;
use domain::{Direction, Migration};
use engine::inspect::ServiceError;
use engine::runner::StepObserver;
use pg_session::Client;
use pg_session::Connection;

use super::archive::{Archive, PourError};
use super::locks::LockObserver;
use super::pending::Work;
use drift::without_bookkeeping;
use scratch::{Replay, ScratchError, ScratchServers};

/// The scratch database that a service is rehearsed on, and connections for checks.
pub(super) struct ScratchDatabase<'a> {
    replay: Replay<'a>,
    connection: Connection,
    /// Reads the catalog. Its queries stay prepared: a change of `session_replication_role`, as in checks of rows, discards all plans.
    catalog: Connection,
    locks: Arc<LockObserver>,
    work: &'a Work,
}

impl<'a> ScratchDatabase<'a> {
    /// Creates a database in the state before the migration at this index.
    pub(super) async fn create(
        scratch_servers: &ScratchServers<'a>,
        work: &'a Work,
        index: usize,
    ) -> Result<Self, ScratchError> {
        let reverts = work
            .migrations()
            .into_iter()
            .filter_map(|it| it.revert.as_ref());
        Replay::refuse_reverts(scratch_servers, reverts)?;
        Self::on(Box::pin(filled(scratch_servers, work, index)).await?, work).await
    }

    /// Replaces this database by a new one in the state before the migration at this index.
    pub(super) async fn replace(
        self,
        scratch_servers: &ScratchServers<'a>,
        replica: &mut Option<ReplicaDatabase<'a>>,
        index: usize,
    ) -> Result<Self, ScratchError> {
        let work = self.work;
        self.drop_database().await;
        let ready = match replica.take() {
            Some(known) => known.forward(work, index).await?,
            None => ReplicaDatabase {
                replay: Box::pin(filled(scratch_servers, work, index)).await?,
                index,
            },
        };
        let Some(copy) = ready.replay.copy().await? else {
            return Self::on(ready.replay, work).await;
        };
        *replica = Some(ready);
        Self::on(copy, work).await
    }

    async fn on(replay: Replay<'a>, work: &'a Work) -> Result<Self, ScratchError> {
        let connections = replay.connections();
        let open = || connections.open_beside(replay.database());
        let (connection, catalog) =
            tokio::try_join!(open(), open()).map_err(|error| ScratchError::connect(&error))?;
        let locks = LockObserver::new(replay.connections(), replay.database().clone());
        Ok(Self {
            locks,
            replay: replay.keeping_session(),
            connection,
            catalog,
            work,
        })
    }

    /// The session for checks: not the one that runs the migrations, and outside a transaction.
    pub(super) fn client(&self) -> &Client {
        &self.connection.client
    }

    /// The observer of locks.
    pub(super) fn locks(&self) -> Arc<LockObserver> {
        Arc::clone(&self.locks)
    }

    /// Runs a migration in one direction. Returns how long it took.
    pub(super) async fn take(
        &self,
        migration: &Migration,
        direction: Direction,
        observer: Option<&Arc<dyn StepObserver>>,
    ) -> Result<Duration, ScratchError> {
        let (service, history_table) = (&self.work.service, &self.work.history_table);
        self.replay
            .take(service, history_table, &[migration], direction, observer)
            .await
    }

    /// The current schema, without the engine's own tables.
    pub(super) async fn snapshot(&self) -> Result<Snapshot, ScratchError> {
        let snapshot = self
            .catalog
            .client
            .lend(async |client| catalog::read_prepared(client).await)
            .await
            .map_err(|source| ServiceError::query(self.replay.database(), source))?;
        Ok(without_bookkeeping(snapshot, &self.work.history_tables()))
    }

    /// Drops the database.
    pub(super) async fn drop_database(self) {
        drop((self.connection, self.catalog, self.locks));
        self.replay.finish().await;
    }
}

/// A database on which migrations are only applied, never reverted. It is the template for a new scratch database after a revert
/// that left differences.
pub(super) struct ReplicaDatabase<'a> {
    replay: Replay<'a>,
    /// The index of the next migration.
    index: usize,
}

impl ReplicaDatabase<'_> {
    async fn forward(self, work: &Work, index: usize) -> Result<Self, ScratchError> {
        let migrations = &work.migrations()[self.index..index];
        self.replay
            .apply(&work.service, &work.history_table, migrations)
            .await?;
        Ok(Self { index, ..self })
    }

    /// Drops the database.
    pub(super) async fn drop_database(self) {
        self.replay.finish().await;
    }
}

/// Creates a database in the state before the migration at this index.
async fn filled<'a>(
    scratch_servers: &ScratchServers<'a>,
    work: &Work,
    index: usize,
) -> Result<Replay<'a>, ScratchError> {
    let replay = prepare(scratch_servers, work, &work.all()).await?;
    for cohosted_service in &work.below {
        cohosted_service.replay(&replay).await?;
    }
    let before = work.before(index);
    if !before.is_empty() {
        let (service, history_table) = (&work.service, &work.history_table);
        replay.apply(service, history_table, &before).await?;
    }
    for cohosted_service in &work.beside {
        cohosted_service.replay(&replay).await?;
    }
    Ok(replay)
}

/// Creates a database, and restores the archive into it if there is one.
async fn prepare<'a>(
    scratch_servers: &ScratchServers<'a>,
    work: &Work,
    migrations: &[&Migration],
) -> Result<Replay<'a>, ScratchError> {
    let archive = work.archive.as_deref();
    let roles = archive.map_or(&[][..], Archive::roles);
    let mut made = BTreeSet::new();
    loop {
        let (service, address) = (&work.service, &work.address);
        let replay = Replay::prepare(scratch_servers, service, address, roles, migrations).await?;
        let Some(archive) = archive else {
            return Ok(replay);
        };
        replay.provide_roles(scratch_servers, roles).await;
        match archive.pour(&replay).await {
            Ok(()) => return Ok(replay),
            // A backup does not list the roles that it mentions: a missing one is created, and the restore starts over.
            Err(PourError::RoleMissing(role, error)) => {
                let is_new = made.insert(role.clone());
                let may = is_new && replay.provide_roles(scratch_servers, &[role]).await;
                replay.finish().await;
                if !may {
                    return Err(error);
                }
            }
            Err(PourError::Other(error)) => {
                replay.finish().await;
                return Err(error);
            }
        }
    }
}
