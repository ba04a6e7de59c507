//! Starts the tasks of a run. The tests of the dispatcher play them instead.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::super::gate_watch::GateWatch;
use super::super::lane::LaneTask;
use super::create::CreateTask;

/// The work that the dispatcher starts and hears from only through messages.
pub(super) trait Tasks: Send {
    /// The task of a service.
    fn lane(&self, task: LaneTask) -> BoxFuture<'static, ()>;

    /// The creation of a missing database.
    fn create(&self, task: CreateTask) -> BoxFuture<'static, ()>;

    /// The wait for a gate.
    fn gate(&self, watch: GateWatch) -> BoxFuture<'static, ()>;
}

/// Works on databases.
pub(super) struct OnDatabases;

impl Tasks for OnDatabases {
    fn lane(&self, task: LaneTask) -> BoxFuture<'static, ()> {
        task.run().boxed()
    }

    fn create(&self, task: CreateTask) -> BoxFuture<'static, ()> {
        task.run().boxed()
    }

    fn gate(&self, watch: GateWatch) -> BoxFuture<'static, ()> {
        watch.run().boxed()
    }
}
