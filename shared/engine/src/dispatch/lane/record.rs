//! Records what a compensation must undo in one database, under the lock and before any of its reverts begins.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::LaneTask;
use crate::inspect::ServiceError;
use crate::reconcile::reconcile;
use crate::revert;
use domain::History;
use domain::Version;
use pg_session::LockedSession;
use store::record_owed;

impl LaneTask {
    /// Records those of a run's migrations that are still applied. Refuses if another run has since applied migrations on top of them:
    /// the plan was made without the lock, when they may have been revertible.
    pub(super) async fn record(
        &self,
        locked: &mut LockedSession,
        history: &History,
        of_run: (Uuid, &str),
        versions: &BTreeSet<Version>,
    ) -> Result<(), ServiceError> {
        let target = &self.target;
        let reconciliation = reconcile(&target.service, history);
        let standing: Vec<Version> =
            revert::select_these(&target.service, &reconciliation, versions)?
                .iter()
                .map(|migration| migration.version)
                .collect();
        if standing.is_empty() {
            return Ok(());
        }
        let name = &target.service.name;
        let recording = record_owed(locked.session_mut(), name, of_run, &standing);
        match recording.await {
            Ok(()) => Ok(()),
            Err(error) => {
                Err(ServiceError::installing(locked.session(), &target.address, error).await)
            }
        }
    }
}
