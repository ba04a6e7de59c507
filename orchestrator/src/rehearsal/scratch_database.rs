//! The scratch database that a service is rehearsed on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use catalog::Snapshot;
use shared::domain::{Direction, Migration};
use shared::inspect::ServiceError;
use shared::postgres::Client;
use shared::postgres::Connection;
use shared::runner::StepObserver;

use super::archive::{Archive, PourError};
use super::locks::LockObserver;
use super::pending::Work;
use crate::drift::without_bookkeeping;
use crate::scratch::{Replay, ScratchError, ScratchServers};

/// The scratch database that a service is rehearsed on, and a connection for looking at it.
pub(super) struct ScratchDatabase<'a> {
    replay: Replay<'a>,
    looking: Connection,
    locks: Arc<LockObserver>,
    work: &'a Work,
}

impl<'a> ScratchDatabase<'a> {
    /// A new database in which everything stands that comes before the migration of this index.
    pub(super) async fn set(
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

    /// Puts another database in the place of this one, in which everything stands that comes before the migration of this index.
    pub(super) async fn change(
        self,
        scratch_servers: &ScratchServers<'a>,
        replica: &mut Option<ReplicaDatabase<'a>>,
        index: usize,
    ) -> Result<Self, ScratchError> {
        let work = self.work;
        self.strike().await;
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
        let looking = replay
            .connections()
            .open_beside(replay.database())
            .await
            .map_err(ScratchError::Connect)?;
        let locks = LockObserver::new(replay.connections(), replay.database().clone());
        Ok(Self {
            locks,
            replay,
            looking,
            work,
        })
    }

    /// The session that looks: not the one that runs the migrations, and in no transaction.
    pub(super) fn client(&self) -> &Client {
        &self.looking.client
    }

    /// Sees what is locked.
    pub(super) fn locks(&self) -> Arc<LockObserver> {
        Arc::clone(&self.locks)
    }

    /// Takes a migration in one direction. Gives how long it took.
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

    /// The schema as it is now, without the engine's own tables.
    pub(super) async fn snapshot(&self) -> Result<Snapshot, ScratchError> {
        let client = self.client();
        let snapshot = client
            .lend(async |client| catalog::read(client).await)
            .await
            .map_err(|source| ServiceError::query(self.replay.database(), source))?;
        Ok(without_bookkeeping(snapshot, &self.work.history_tables()))
    }

    /// Drops the database.
    pub(super) async fn strike(self) {
        drop((self.looking, self.locks));
        self.replay.finish().await;
    }
}

/// A database that migrations are only applied to: what another goes on from where a revert has left it otherwise.
pub(super) struct ReplicaDatabase<'a> {
    replay: Replay<'a>,
    /// The migration of this index is the next.
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
    pub(super) async fn strike(self) {
        self.replay.finish().await;
    }
}

/// A new database in which everything stands that comes before the migration of this index.
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

/// A new database, filled with what the archive holds where there is one.
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
            // A backup does not say which roles it names: each is made when it is asked for, and all begins anew.
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
