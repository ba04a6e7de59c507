//! Creates the missing databases of a run ahead of their services, a few at a time, in the order in which they are needed.
//!
//! A service that waits for others finds its database, and a session in it, when its turn comes. A failure is reported when the service
//! needs the database.

use std::sync::{Arc, Mutex, PoisonError};

use domain::{EventKind, ServiceName};
use pg_session::{ConnectError, Connections, Session};
use tokio::sync::{mpsc, oneshot, watch};

use super::super::lane::Message;
use super::Dispatcher;
use crate::inspect::Target;

/// How many databases are created at a time. Creating one occupies a processor of the server: with more, those that the first services
/// wait for would be finished no earlier than the last ones.
const AT_A_TIME: usize = 2;

/// Receives that a database exists, with a session in it if enough connections are free.
pub(in crate::dispatch) type Creation = oneshot::Receiver<Result<Option<Session>, ConnectError>>;

/// A missing database.
struct Absent {
    service: ServiceName,
    target: Arc<Target>,
    created: oneshot::Sender<Result<Option<Session>, ConnectError>>,
}

/// Creates one missing database after another.
#[derive(Clone)]
pub(in crate::dispatch) struct CreateTask {
    /// Shared by the tasks.
    absent: Arc<Mutex<std::vec::IntoIter<Absent>>>,
    connections: Arc<Connections>,
    messages: mpsc::UnboundedSender<Message>,
    halted: watch::Receiver<u32>,
    /// Whether a session is opened in each.
    opens: bool,
}

impl Dispatcher<'_, '_> {
    pub(super) fn create_databases(&mut self) {
        let mut absent = Vec::new();
        let steps = &self.board.plan().steps;
        for (service, lane) in &mut self.lanes {
            let first = steps.iter().position(|step| step.service == *service);
            let Some(first) = first else { continue };
            // A gate may stay closed: then nothing of the service has begun.
            let is_due = lane.is_absent
                && lane.target.may_create
                && lane.held.is_none()
                && steps[first].gates.is_empty();
            if !is_due {
                continue;
            }
            let (created, creation) = oneshot::channel();
            lane.creation = Some(creation);
            let one = Absent {
                service: service.clone(),
                target: Arc::clone(&lane.target),
                created,
            };
            absent.push((first, one));
        }
        absent.sort_by_key(|(first, _)| *first);
        let tasks = absent.len().min(AT_A_TIME);
        let absent: Vec<Absent> = absent.into_iter().map(|(_, one)| one).collect();
        let task = CreateTask {
            absent: Arc::new(Mutex::new(absent.into_iter())),
            connections: Arc::clone(&self.connections),
            messages: self.sender.clone(),
            halted: self.halt.subscribe(),
            // A session that waits for its turn occupies one of the connections, which another task may be waiting for.
            opens: self.lanes.len() < self.connections.limit(),
        };
        for _ in 0..tasks {
            self.spawned.spawn(self.tasks.create(task.clone()));
        }
    }
}

impl CreateTask {
    pub(super) async fn run(self) {
        while *self.halted.borrow() == 0
            && let Some(absent) = self.next()
        {
            let created = self.create(&absent).await;
            // Without a receiver, the service was not started.
            let _ = absent.created.send(created);
        }
    }

    fn next(&self) -> Option<Absent> {
        let mut absent = self.absent.lock().unwrap_or_else(PoisonError::into_inner);
        absent.next()
    }

    async fn create(&self, absent: &Absent) -> Result<Option<Session>, ConnectError> {
        let address = &absent.target.address;
        if self.connections.create_database(address).await? {
            let database = address.database().to_owned();
            // The dispatcher receives until every task has ended, so this cannot fail.
            let _ = self.messages.send(Message::Happened {
                service: absent.service.clone(),
                version: None,
                kind: EventKind::DatabaseCreated { database },
            });
        }
        if !self.opens {
            return Ok(None);
        }
        let table = &absent.target.history_table;
        self.connections.session(address, table).await.map(Some)
    }
}
