//! Creates the missing databases of a run concurrently, ahead of their services.
//!
//! A service that waits for others finds its database, and a session in it, when its turn comes. A failure is reported when the service
//! needs the database.

use std::sync::Arc;

use domain::{EventKind, ServiceName};
use pg_session::{ConnectError, Connections, Session};
use tokio::sync::{mpsc, oneshot};

use super::super::lane::Message;
use super::Dispatcher;
use crate::inspect::Target;

/// Receives that a database exists, with a session in it if enough connections are free.
pub(in crate::dispatch) type Creation = oneshot::Receiver<Result<Option<Session>, ConnectError>>;

/// The creation of one database.
pub(in crate::dispatch) struct CreateTask {
    service: ServiceName,
    target: Arc<Target>,
    connections: Arc<Connections>,
    messages: mpsc::UnboundedSender<Message>,
    created: oneshot::Sender<Result<Option<Session>, ConnectError>>,
    /// Whether a session is opened in it.
    opens: bool,
}

impl Dispatcher<'_, '_> {
    pub(super) fn create_databases(&mut self) {
        // A session that waits for its turn occupies one of the connections, which another task may be waiting for.
        let opens = self.lanes.len() < self.connections.limit();
        for (service, lane) in &mut self.lanes {
            let steps = &self.board.plan().steps;
            let first = steps.iter().find(|step| step.service == *service);
            // A gate may stay closed: then nothing of the service has begun.
            let is_due = lane.is_absent
                && lane.target.may_create
                && lane.held.is_none()
                && first.is_some_and(|step| step.gates.is_empty());
            if !is_due {
                continue;
            }
            let (created, creation) = oneshot::channel();
            lane.creation = Some(creation);
            let task = CreateTask {
                service: service.clone(),
                target: Arc::clone(&lane.target),
                connections: Arc::clone(&self.connections),
                messages: self.sender.clone(),
                created,
                opens,
            };
            self.spawned.spawn(self.tasks.create(task));
        }
    }
}

impl CreateTask {
    pub(super) async fn run(self) {
        let created = self.create().await;
        // Without a receiver, the service was not started.
        let _ = self.created.send(created);
    }

    async fn create(&self) -> Result<Option<Session>, ConnectError> {
        let address = &self.target.address;
        if self.connections.create_database(address).await? {
            let database = address.database().to_owned();
            // The dispatcher receives until every task has ended, so this cannot fail.
            let _ = self.messages.send(Message::Happened {
                service: self.service.clone(),
                version: None,
                kind: EventKind::DatabaseCreated { database },
            });
        }
        if !self.opens {
            return Ok(None);
        }
        let table = &self.target.history_table;
        self.connections.session(address, table).await.map(Some)
    }
}
