//! Runs migrations on a scratch database with the engine itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::Reporter;
use domain::{
    Diagnostic, Direction, Event, EventKind, ExitStatus, Failure, Migration, Script, Service,
};
use engine::dispatch::{LaneInput, OnFailure, Run, Stops, dispatch};
use engine::inspect::{ServiceError, Target};
use engine::planning;
use engine::planning::{Chain, Order};
use engine::runner::StepObserver;
use pg_address::DatabaseAddress;
use pg_session::{Connections, Session};
use service_cli::command::Context;
use tokio::sync::{mpsc, watch};

use super::{ScratchError, ScratchServer, ScratchServers, cluster_wide, roles};

/// A scratch database on which migrations are replayed.
pub struct Replay<'a> {
    context: &'a Context,
    server: Arc<ScratchServer>,
    database: DatabaseAddress,
    /// Roles that the migrations create on the scratch server.
    created_roles: Vec<String>,
    /// Whether a session is kept from one run to the next.
    keeps_session: bool,
    /// That session. Like any, it counts toward the limit of connections.
    session: Mutex<Option<Session>>,
}

impl<'a> Replay<'a> {
    /// Creates an empty database for replaying `migrations`, for a service whose live database is at `address`. `roles` are the roles
    /// of the live server, if there is one.
    pub async fn prepare(
        scratch_servers: &ScratchServers<'a>,
        service: &Service,
        address: &DatabaseAddress,
        roles: &[String],
        migrations: &[&Migration],
    ) -> Result<Self, ScratchError> {
        let server = scratch_servers.server(service, address).await?;
        let mut created_roles = Vec::new();
        if scratch_servers.is_beside_the_live_ones() {
            cluster_wide::refuse(migrations.iter().map(|migration| &migration.script))?;
        } else {
            roles::provide(&server, roles, migrations).await?;
            created_roles = roles::to_be_created(&server, migrations).await?;
        }
        Ok(Self {
            context: scratch_servers.context(),
            database: server.create_database().await?,
            created_roles,
            keeps_session: false,
            session: Mutex::default(),
            server,
        })
    }

    /// Keeps a session from one run to the next: opening one takes longer than most migrations.
    pub fn keeping_session(self) -> Self {
        Self {
            keeps_session: true,
            ..self
        }
    }

    fn spare_session(&self) -> Option<Session> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.take()
    }

    /// Copies the database. `None` if its migrations created roles, which a copy would not include.
    ///
    /// # Errors
    /// When the server does not create the copy.
    pub async fn copy(&self) -> Result<Option<Self>, ScratchError> {
        if !self.created_roles.is_empty() {
            return Ok(None);
        }
        self.copy_beside().await.map(Some)
    }

    /// Copies the database, for a time that ends before this database: its roles are used by the copy too.
    ///
    /// # Errors
    /// When the server does not create the copy.
    pub async fn copy_beside(&self) -> Result<Self, ScratchError> {
        // The server copies only a database without sessions.
        drop(self.spare_session());
        let copy = self.server.copy_database(&self.database).await?;
        Ok(self.beside(copy))
    }

    /// Creates an empty database on the same server, for a time that ends before this database.
    ///
    /// # Errors
    /// When the server does not create it.
    pub async fn empty_beside(&self) -> Result<Self, ScratchError> {
        let database = self.server.create_database().await?;
        Ok(self.beside(database))
    }

    fn beside(&self, database: DatabaseAddress) -> Self {
        Self {
            context: self.context,
            database,
            server: Arc::clone(&self.server),
            created_roles: Vec::new(),
            keeps_session: false,
            session: Mutex::default(),
        }
    }

    /// Refuses reverts that would change the live server, if the scratch databases are on it:
    /// [`Self::prepare`] checks only the migrations.
    pub fn refuse_reverts(
        scratch_servers: &ScratchServers<'_>,
        reverts: impl IntoIterator<Item = &'a Script>,
    ) -> Result<(), ScratchError> {
        if scratch_servers.is_beside_the_live_ones() {
            cluster_wide::refuse(reverts)?;
        }
        Ok(())
    }

    /// Creates missing roles, without login or privileges, unless the scratch server is the live server. Returns whether
    /// it is allowed to.
    pub async fn provide_roles(
        &self,
        scratch_servers: &ScratchServers<'_>,
        roles: &[String],
    ) -> bool {
        let may = !scratch_servers.is_beside_the_live_ones();
        if may {
            self.server.provide_roles(roles).await;
        }
        may
    }

    /// The connections of the command.
    pub fn connections(&self) -> Arc<Connections> {
        self.context.connections()
    }

    /// The address of the database.
    pub fn database(&self) -> &DatabaseAddress {
        &self.database
    }

    /// The version of the scratch server, such as `15.18`.
    pub async fn server_version(&self) -> Result<String, ScratchError> {
        self.server.version().await
    }

    /// Applies migrations of a service, in this order, after those already applied. Gates are not checked: the
    /// databases of other services are not on the scratch server.
    pub async fn apply(
        &self,
        service: &Service,
        history_table: &str,
        migrations: &[&Migration],
    ) -> Result<(), ScratchError> {
        self.take(service, history_table, migrations, Direction::Up, None)
            .await
            .map(drop)
    }

    /// Runs migrations of a service in one direction, in this order, with an observer. Returns how long they took.
    pub async fn take(
        &self,
        service: &Service,
        history_table: &str,
        migrations: &[&Migration],
        direction: Direction,
        observer: Option<&Arc<dyn StepObserver>>,
    ) -> Result<Duration, ScratchError> {
        let steps = migrations
            .iter()
            .map(|migration| planning::step(service, migration, direction))
            .collect::<Result<Vec<_>, _>>()
            .map_err(Diagnostic::from)?;
        let mut outcome = ReplayOutcome::default();
        let target = Target {
            service: Arc::new(service.clone()),
            address: self.database.clone(),
            history_table: history_table.to_owned(),
            legacy_table: None,
            may_create: false,
        };
        // The server ends a session that was idle for too long.
        let kept = self
            .spare_session()
            .filter(|session| !session.client().is_closed());
        let session = match kept {
            Some(session) => session,
            // Opened here, so that a server without free connections is reported as such.
            None => self
                .connections()
                .session(&self.database, history_table)
                .await
                .map_err(ServiceError::from)?,
        };
        let (sender, mut spare_sessions) = mpsc::unbounded_channel();
        let lane = LaneInput {
            is_absent: false,
            target: Arc::new(target),
            session: Some(session),
            rerun_command: String::new(),
            held: None,
        };
        let run = Run {
            command: match direction {
                Direction::Up => "run",
                Direction::Down => "revert",
            },
            plan: Chain.arrange(&self.context.fleet, steps, direction),
            lanes: [(service.name.clone(), lane)].into(),
            unchanged: Vec::new(),
            stopped: Vec::new(),
            held_back: Vec::new(),
            jobs: 1,
            on_failure: OnFailure::Stop,
            wait: Duration::ZERO,
            pre_run_check: None,
            observer: observer.cloned(),
            spare_session: self.keeps_session.then_some(sender),
            dependency_gates: None,
            atomic: false,
            resolved: Vec::new(),
            engine: *self.context.configuration.engine(),
            connections: self.context.connections(),
            reverts: None,
        };
        let (_keep, never) = watch::channel(0);
        let status = dispatch(run, &mut outcome, Stops::counted(never)).await;
        if let Ok(session) = spare_sessions.try_recv() {
            *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
        }
        match status {
            ExitStatus::Done => Ok(Duration::from_millis(outcome.took_ms)),
            _ => Err(ScratchError::Replay {
                service: service.name.to_string(),
                trouble: outcome.trouble.unwrap_or_default(),
                failure: outcome.failure,
                status,
            }),
        }
    }

    /// Drops the database, and the roles that were created with it.
    pub async fn finish(self) {
        drop(self.spare_session());
        if self.created_roles.is_empty() {
            return self.server.discard_database(&self.database).await;
        }
        // A role with objects cannot be dropped.
        self.server.drop_database(&self.database).await;
        roles::remove(&self.server, &self.created_roles).await;
    }
}

/// Records the first failure and the duration of the steps; prints nothing.
#[derive(Default)]
struct ReplayOutcome {
    trouble: Option<String>,
    failure: Option<Box<Failure>>,
    took_ms: u64,
}

impl Reporter for ReplayOutcome {
    fn report(&mut self, event: &Event) {
        match &event.kind {
            EventKind::MigrationFailed(failure) if self.trouble.is_none() => {
                let line = failure.line.unwrap_or(1);
                self.trouble = Some(format!("{}:{line}: {}", failure.file, failure.message));
                self.failure = Some(failure.clone());
            }
            EventKind::ServiceFailed(diagnostic) if self.trouble.is_none() => {
                self.trouble = Some(diagnostic.to_string());
            }
            EventKind::MigrationApplied { duration_ms, .. }
            | EventKind::MigrationReverted { duration_ms, .. } => self.took_ms += duration_ms,
            _ => {}
        }
    }
}
