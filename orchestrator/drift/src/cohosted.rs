//! The services in one database, and their applied migrations.

use std::sync::Arc;

use domain::History;
use domain::{Migration, Refusal, RefusalKind, Service, Version, commented, suggest};
use engine::inspect::{Target, inspect};
use engine::reconcile::{State, reconcile};
use service_cli::command::Context;

use super::neighbors::neighbors;
use scratch::{Replay, ScratchError};

/// A service in a database.
#[derive(Clone, Debug)]
pub struct CohostedService {
    /// The service itself.
    pub service: Arc<Service>,
    pub history_table: String,
    /// Applied versions, oldest first.
    pub applied: Vec<Version>,
}

impl CohostedService {
    /// The service of a target.
    ///
    /// # Errors
    /// A refusal when the expected schema is unknown.
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
    /// As [`Self::of_target`], and when the database cannot be read.
    pub async fn beside(context: &Context, target: &Target) -> Result<Vec<Self>, ScratchError> {
        let mut cohosted = Vec::new();
        for (service, history_table) in neighbors(context, target) {
            let neighbor = Target {
                service,
                address: target.address.clone(),
                history_table,
                legacy_table: None,
                may_create: false,
            };
            let history = inspect(&context.connections(), &neighbor).await?.history;
            cohosted.push(Self::of_target(&neighbor, &history)?);
        }
        Ok(cohosted)
    }

    /// The applied migrations, oldest first.
    pub fn migrations(&self) -> Vec<&Migration> {
        self.applied
            .iter()
            .filter_map(|version| self.service.migration(*version))
            .collect()
    }

    /// Replays the applied migrations.
    ///
    /// # Errors
    /// When a migration fails on the scratch database.
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

/// The applied versions. Refuses if they cannot be replayed: each file must be as it was when it was applied.
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
            State::Missing => (RefusalKind::Missing, "is applied but has no file"),
            State::Interrupted { .. } => (RefusalKind::Interrupted, "is half done"),
        };
        return Err(Refusal {
            kind,
            service: Some(service.name.clone()),
            message: format!(
                "{} {} {what}, so the expected schema is unknown",
                standing.version, standing.name
            ),
            next: commented(
                suggest(["status", service.name.as_str()]),
                "shows its state; resolve it first",
            ),
        });
    }
    Ok(applied)
}
