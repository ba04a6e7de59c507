//! The services whose tables stand in one database, and what of each is applied there.

use std::sync::Arc;

use shared::command::Context;
use shared::domain::{Migration, Refusal, RefusalKind, Service, Version, commented, suggest};
use shared::inspect::{Target, inspect};
use shared::reconcile::{History, State, reconcile};

use super::neighbours::neighbours;
use crate::scratch::{Replay, ScratchError};

/// A service whose tables stand in a database.
#[derive(Clone, Debug)]
pub struct CohostedService {
    /// The service.
    pub service: Arc<Service>,
    /// Its history table.
    pub history_table: String,
    /// What is applied, oldest first.
    pub applied: Vec<Version>,
}

impl CohostedService {
    /// A target's own service.
    ///
    /// # Errors
    /// A refusal when nobody can say what its schema should be.
    pub fn of_target(target: &Target, history: &History) -> Result<Self, Refusal> {
        Ok(Self {
            service: Arc::clone(&target.service),
            history_table: target.history_table.clone(),
            applied: applied(&target.service, history)?,
        })
    }

    /// The other services in a target's database.
    ///
    /// # Errors
    /// As [`Self::of_target`], and when the database cannot be looked at.
    pub async fn beside(context: &Context, target: &Target) -> Result<Vec<Self>, ScratchError> {
        let mut cohosted = Vec::new();
        for (service, history_table) in neighbours(context, target) {
            let neighbour = Target {
                service,
                address: target.address.clone(),
                history_table,
                legacy_table: None,
                may_create: false,
            };
            let history = inspect(&context.connections(), &neighbour).await?.history;
            cohosted.push(Self::of_target(&neighbour, &history)?);
        }
        Ok(cohosted)
    }

    /// Its applied migrations, oldest first.
    pub fn migrations(&self) -> Vec<&Migration> {
        self.applied
            .iter()
            .filter_map(|version| self.service.migration(*version))
            .collect()
    }

    /// Replays what is applied.
    ///
    /// # Errors
    /// When a migration does not run there.
    pub async fn replay(&self, replay: &Replay<'_>) -> Result<(), ScratchError> {
        let migrations = self.migrations();
        if migrations.is_empty() {
            return Ok(());
        }
        replay
            .apply(&self.service, &self.history_table, &migrations)
            .await
    }
}

/// The applied migrations, where they can be replayed: each must be in the source as it was when it was applied.
fn applied(service: &Service, history: &History) -> Result<Vec<Version>, Refusal> {
    let reconciliation = reconcile(service, history);
    let mut applied = Vec::new();
    for standing in reconciliation.standings() {
        let (kind, what) = match standing.state {
            State::Applied => {
                applied.push(standing.version);
                continue;
            }
            State::Pending | State::OutOfOrder => continue,
            State::Divergent => (RefusalKind::Divergent, "was edited after it was applied"),
            State::Missing => (RefusalKind::Missing, "is applied and has no file"),
            State::Interrupted { .. } => (RefusalKind::Interrupted, "is half done"),
        };
        return Err(Refusal {
            kind,
            service: Some(service.name.clone()),
            message: format!(
                "{} {} {what}: nobody can say what the schema should be",
                standing.version, standing.name
            ),
            next: commented(
                suggest(["status", service.name.as_str()]),
                "settle that first",
            ),
        });
    }
    Ok(applied)
}
