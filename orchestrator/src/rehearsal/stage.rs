//! The scratch database that a service is rehearsed on.

use std::sync::Arc;
use std::time::Duration;

use catalog::Snapshot;
use shared::domain::{Direction, Migration};
use shared::inspect::ServiceError;
use shared::postgres::Connection;
use shared::runner::Witness;
use tokio_postgres::Client;

use super::pending::Work;
use crate::drift::without_bookkeeping;
use crate::scratch::{Replay, ScratchError, Workshop};

/// The scratch database that a service is rehearsed on, and a connection for looking at it.
pub(super) struct Stage<'a> {
    replay: Replay<'a>,
    looking: Connection,
    work: &'a Work,
}

impl<'a> Stage<'a> {
    /// A new database in which everything stands that comes before the migration of this index.
    pub(super) async fn set(
        workshop: &Workshop<'a>,
        work: &'a Work,
        index: usize,
    ) -> Result<Self, ScratchError> {
        let all = work.all();
        let reverts = work
            .migrations()
            .into_iter()
            .filter_map(|it| it.revert.as_ref());
        Replay::refuse_reverts(workshop, reverts)?;
        let replay = Replay::prepare(workshop, &work.service, &work.address, &[], &all).await?;
        for resident in &work.below {
            resident.replay(&replay).await?;
        }
        let before = work.before(index);
        if !before.is_empty() {
            replay
                .apply(&work.service, &work.history_table, &before)
                .await?;
        }
        for resident in &work.beside {
            resident.replay(&replay).await?;
        }
        let looking = replay
            .connections()
            .open_beside(replay.database())
            .await
            .map_err(ScratchError::Connect)?;
        Ok(Self {
            replay,
            looking,
            work,
        })
    }

    /// The session that looks: not the one that runs the migrations, and in no transaction.
    pub(super) fn client(&self) -> &Client {
        &self.looking.client
    }

    /// Takes a migration in one direction. Gives how long it took.
    pub(super) async fn take(
        &self,
        migration: &Migration,
        direction: Direction,
        witness: Option<&Arc<dyn Witness>>,
    ) -> Result<Duration, ScratchError> {
        let (service, history_table) = (&self.work.service, &self.work.history_table);
        self.replay
            .take(service, history_table, &[migration], direction, witness)
            .await
    }

    /// The schema as it is now, without the engine's own tables.
    pub(super) async fn snapshot(&self) -> Result<Snapshot, ScratchError> {
        let snapshot = catalog::read(self.client())
            .await
            .map_err(|source| ServiceError::query(self.replay.database(), source))?;
        Ok(without_bookkeeping(snapshot, &self.work.history_tables()))
    }

    /// Drops the database.
    pub(super) async fn strike(self) {
        drop(self.looking);
        self.replay.finish().await;
    }
}
