//! The two phases: prepares everywhere, decides, and commits everywhere or rolls back everywhere.

use std::time::Instant;

use futures_util::future::BoxFuture;
use tokio::task::JoinSet;

use super::participant::{Decided, Participant};
use super::release::Release;
use crate::inspect::ServiceError;
use domain::{
    Decision, Diagnostic, EventKind, ExitStatus, ServiceName, called, commented, millis, suggest,
    with_causes,
};
use pg_session::Gid;
use store::{Participant as Recorded, begin_release};

/// An operation on one database.
type Act =
    fn(Participant, Gid, String) -> BoxFuture<'static, (Participant, Result<(), ServiceError>)>;

impl Release<'_> {
    /// Whether several databases take part, which requires two phases.
    fn is_distributed(&self) -> bool {
        self.idle.len() > 1
    }

    /// The service whose database records the decision: the first in plan order. That database takes part in the release, so this run can
    /// reach it and has locked it, and no further server is needed.
    fn coordinator(&self) -> Option<(ServiceName, String)> {
        let first = self.order.first()?;
        Some((first.clone(), self.database_of.get(first)?.clone()))
    }

    /// Records the release in the coordinator's database, before anything is prepared.
    pub(super) async fn announce(&mut self) {
        let Some((service, key)) = self.coordinator().filter(|_| self.is_distributed()) else {
            return;
        };
        let mut participants: Vec<Recorded> = self
            .idle
            .values()
            .map(|it| Recorded {
                number: it.number,
                database: it.place(),
                services: it.services.clone(),
            })
            .collect();
        participants.sort_by_key(|it| it.number);
        let gid = self.gid(usize::MAX);
        if !gid.as_ref().is_some_and(Gid::is_short_enough) {
            let error = Diagnostic::new(
                ExitStatus::Refused,
                format!(
                    "the service name {service} is too long for the identifier of a prepared transaction"
                ),
                commented(
                    called().without_flag("--atomic").to_string(),
                    "or shorten the name to at most 120 characters",
                ),
            );
            return self.stopped(&service, &error.into());
        }
        let run_id = self.operation.run_id();
        let Some(coordinator) = self.idle.get_mut(&key) else {
            return;
        };
        let beginning = begin_release(coordinator.session_mut(), run_id, &participants);
        let begun = beginning.await;
        if let Err(error) = begun {
            let session = coordinator.session_mut();
            let address = session.address().clone();
            let error = ServiceError::installing(session, &address, error).await;
            self.stopped(&service, &error);
        }
    }

    fn gid(&self, number: usize) -> Option<Gid> {
        Some(Gid {
            run_id: self.operation.run_id(),
            number,
            coordinator: self.coordinator()?.0,
        })
    }

    /// Commits or rolls back, once no further file will run.
    pub(super) async fn settle(&mut self) {
        let times = *self.operation.stops().times.borrow();
        self.cancel(times);
        if self.doomed.is_some() {
            return self.roll_back_all().await;
        }
        if !self.is_distributed() {
            self.check_gates().await;
            return match self.doomed {
                Some(_) => self.roll_back_all().await,
                None => self.commit_alone().await,
            };
        }
        if self.idle.values().all(|it| it.ran.is_empty()) {
            return self.note_end().await;
        }
        let failed = self.on_those_at_work(prepare).await;
        for (service, error) in &failed {
            self.stopped(service, error);
        }
        self.check_gates().await;
        // This is the last moment at which the release can be rolled back.
        let times = *self.operation.stops().times.borrow();
        self.cancel(times);
        if self.doomed.is_some() {
            return self.roll_back_all().await;
        }
        match self.decide(Decision::Commit).await {
            Some(Decided::As(Decision::Commit)) => self.commit_all().await,
            Some(Decided::As(Decision::Rollback)) => {
                self.fenced();
                self.roll_back_all().await;
            }
            Some(Decided::Not(error)) => {
                self.coordinator_stopped(&error);
                self.roll_back_all().await;
            }
            // Prepared transactions stay prepared, because the decision may have been recorded.
            Some(Decided::Unknown(error)) => self.coordinator_stopped(&error),
            None => {}
        }
    }

    /// Dooms the release if a gate was lost: another run may have reverted a required migration since.
    async fn check_gates(&mut self) {
        let mut lost = Vec::new();
        for (service, held) in &self.gates {
            for gate in &held.gates {
                if !gate.is_held().await {
                    lost.push((service.clone(), gate.session().address().to_string()));
                }
            }
        }
        for (service, address) in lost {
            let error = Diagnostic::new(
                ExitStatus::Unavailable,
                format!(
                    "lost the connection to {address}, which held the gate that keeps the requirements of {service} from being reverted"
                ),
                called().to_string(),
            );
            self.stopped(&service, &error.into());
        }
    }

    /// Another run found the lock of this one released, assumed that it was dead, and made the decision.
    fn fenced(&mut self) {
        let error = Diagnostic::new(
            ExitStatus::Unavailable,
            "another run found this release without its locks and decided to roll it back",
            called().to_string(),
        );
        self.coordinator_stopped(&error.into());
    }

    fn coordinator_stopped(&mut self, error: &ServiceError) {
        if let Some((service, _)) = self.coordinator() {
            self.stopped(&service, error);
        }
    }

    async fn decide(&mut self, decision: Decision) -> Option<Decided> {
        let (coordinator, key) = self.coordinator()?;
        let decided = self.idle.get_mut(&key)?.decide(decision).await;
        if let Decided::As(decision) = decided {
            self.operation.run(EventKind::ReleaseDecided {
                decision,
                coordinator,
            });
        }
        Some(decided)
    }

    async fn commit_all(&mut self) {
        self.outage.restart();
        let began = Instant::now();
        let databases = self.at_work();
        let failed = self.on_those_at_work(commit).await;
        let window = began.elapsed();
        if failed.is_empty() {
            self.operation.run(EventKind::ReleaseCommitted {
                databases,
                window_ms: millis(window),
            });
            return self.note_end().await;
        }
        let done: Vec<&str> = self
            .order
            .iter()
            .filter(|name| !failed.iter().any(|(failed, _)| failed == *name))
            .map(ServiceName::as_str)
            .collect();
        let done = done.join(", ");
        for (service, error) in &failed {
            let next = commented(
                suggest(["doctor", "--fix"]),
                "commits it once the server is reachable; so does the next run",
            );
            let cause = error.diagnostic().within(format!(
                "{service}: the release is decided and committed in {done}, but not yet in this database"
            ));
            self.stopped(service, &cause.with_next(next).into());
        }
    }

    async fn commit_alone(&mut self) {
        let failed = self.on_those_at_work(commit_alone).await;
        for (service, error) in &failed {
            self.stopped(service, error);
        }
        if !failed.is_empty() {
            self.roll_back_all().await;
        }
    }

    async fn roll_back_all(&mut self) {
        let key = self.coordinator().map(|(_, key)| key);
        if self.idle.values().any(Participant::may_be_prepared) {
            // If recording this fails, the rollback is still safe: nothing commits without a recorded decision.
            self.decide(Decision::Rollback).await;
        } else if self.is_distributed()
            && let Some(coordinator) = key.and_then(|key| self.idle.get_mut(&key))
        {
            coordinator.note_rollback().await;
        }
        let failed = self.on_those_at_work(roll_back).await;
        for (service, error) in &failed {
            let next = commented(
                suggest(["doctor", "--fix"]),
                "rolls it back once the server is reachable; so does the next run",
            );
            let cause = error.diagnostic().within(format!(
                "{service}: the release is rolled back, but its transaction is still prepared in this database"
            ));
            self.stopped(service, &cause.with_next(next).into());
        }
        if failed.is_empty() {
            self.note_end().await;
        }
    }

    async fn note_end(&mut self) {
        if !self.is_distributed() {
            return;
        }
        let coordinator = self.coordinator();
        if let Some(coordinator) = coordinator.and_then(|(_, key)| self.idle.get(&key)) {
            coordinator.note_end().await;
        }
    }

    fn at_work(&self) -> usize {
        let all = self.idle.values();
        all.filter(|participant| participant.is_at_work()).count()
    }

    /// Runs an operation on all databases with work, concurrently. Returns the errors.
    async fn on_those_at_work(&mut self, act: Act) -> Vec<(ServiceName, ServiceError)> {
        let because = self.doomed.clone().unwrap_or_default();
        let mut tasks = JoinSet::new();
        for (key, participant) in std::mem::take(&mut self.idle) {
            let gid = self.gid(participant.number);
            match gid.filter(|_| participant.is_at_work()) {
                Some(gid) => {
                    let acting = act(participant, gid, because.clone());
                    tasks.spawn(async move { (key, acting.await) });
                }
                None => {
                    self.idle.insert(key, participant);
                }
            }
        }
        let mut failed = Vec::new();
        loop {
            tokio::select! {
                // Events of a task are reported before its result, which may follow from them.
                biased;
                Some(happened) = self.happened.recv() => self.record(happened),
                joined = tasks.join_next() => match joined {
                    None => break,
                    Some(Ok((key, (participant, result)))) => {
                        if let (Err(error), Some(service)) = (result, participant.services.first()) {
                            failed.push((service.clone(), error));
                        }
                        self.idle.insert(key, participant);
                    }
                    Some(Err(error)) => {
                        tracing::error!(error = %with_causes(&error), "a task of the release panicked");
                        self.operation.worsen(ExitStatus::Failed);
                    }
                },
            }
        }
        self.record_received();
        failed.sort_by(|(a, _), (b, _)| a.cmp(b));
        failed
    }
}

fn prepare(
    mut participant: Participant,
    gid: Gid,
    _: String,
) -> BoxFuture<'static, (Participant, Result<(), ServiceError>)> {
    Box::pin(async move {
        let prepared = participant.prepare(gid).await;
        (participant, prepared)
    })
}

fn commit(
    mut participant: Participant,
    _: Gid,
    _: String,
) -> BoxFuture<'static, (Participant, Result<(), ServiceError>)> {
    Box::pin(async move {
        let committed = participant.commit().await;
        (participant, committed)
    })
}

fn commit_alone(
    mut participant: Participant,
    _: Gid,
    _: String,
) -> BoxFuture<'static, (Participant, Result<(), ServiceError>)> {
    Box::pin(async move {
        let committed = participant.commit_alone().await;
        (participant, committed)
    })
}

fn roll_back(
    mut participant: Participant,
    _: Gid,
    because: String,
) -> BoxFuture<'static, (Participant, Result<(), ServiceError>)> {
    Box::pin(async move {
        let undone = participant.roll_back(&because).await;
        (participant, undone)
    })
}
