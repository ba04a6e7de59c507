//! Adopts several services: first all proofs, then all writes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;
use shared::dispatch::Recorder;
use shared::domain::{
    Anchor, Diagnostic, EVENT_SCHEMA, EventKind, ExitStatus, Refusal, RefusalKind, ServiceName,
    ServiceOutcome, StopCause, Totals, Verdict, Version, commented, suggest, with_causes,
};
use shared::inspect::{ServiceError, Target, inspect};
use shared::postgres::{LockError, LockedSession, RunIdentity, read_anchor};
use shared::report::Reporter;
use shared::report::units::count;
use tokio::sync::watch;
use tokio::time::Instant;

use super::prove::{ProofInputs, ProofOutcome, Proven, prove};
use super::record::{lock, record};
use super::undo::{nothing_to_undo, undo};
use crate::drift::{AcceptedDrift, ServiceDrift};
use crate::scratch::{ScratchError, ScratchServers};

/// The number of concurrent proofs: each replays a service's migrations, which keeps a CPU busy.
const PROOFS: usize = 4;

/// The options of an adoption.
#[derive(Clone, Debug, Default)]
pub struct Adoption {
    /// Only prove; write nothing.
    pub dry_run: bool,
    /// The version that the user states for a database without a legacy history.
    pub baseline: Option<Version>,
    /// Differences that were reviewed and accepted.
    pub accepted: AcceptedDrift,
    /// The file of the accepted differences, for suggested commands.
    pub accepted_file: Option<PathBuf>,
}

/// Adopts databases. Returns the exit status and the drift.
pub async fn adopt(
    scratch_servers: &ScratchServers<'_>,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
    adoption: &Adoption,
    reporter: &mut dyn Reporter,
    mut cancelled: watch::Receiver<u32>,
) -> (ExitStatus, AcceptedDrift) {
    let mut log = AdoptionReporter::begin(reporter, targets);
    let inputs = ProofInputs {
        baseline: adoption.baseline,
        accepted: adoption.accepted.clone(),
    };
    let proofs = stream::iter(targets.values())
        .map(|target| prove(scratch_servers, target, &inputs))
        .buffered(PROOFS.min(scratch_servers.context().jobs()))
        .collect::<Vec<_>>();
    let Some(findings) = scratch_servers
        .until_cancelled(&mut cancelled, proofs)
        .await
    else {
        return (log.cancelled(targets.keys()), AcceptedDrift::default());
    };
    let mut drifts = AcceptedDrift::default();
    let mut proven = Vec::new();
    for (target, finding) in targets.values().zip(findings) {
        if let Some(one) = log.report_proof(target, finding, adoption, &mut drifts) {
            proven.push((target, one));
        }
    }
    for (target, proven) in proven {
        log.service_started = Instant::now();
        if adoption.dry_run {
            log.finish(&target.service.name, ServiceOutcome::Unchanged);
            continue;
        }
        // After a cancellation no service is started. A started one is finished, since it is short.
        if *cancelled.borrow() > 0 {
            log.skip(&target.service.name);
            continue;
        }
        let name = &target.service.name;
        let written = async {
            let mut locked = lock(scratch_servers, target, &mut cancelled, |holder| {
                log.recorder
                    .service(name, EventKind::LockWaiting { holder });
            })
            .await?;
            let adopted = record(target, &mut locked, &proven, &log.identity).await;
            let anchor = anchor(target, &locked).await;
            drop(locked.release().await);
            adopted.map(|adopted| (adopted, anchor))
        }
        .await;
        match written {
            Ok((adopted, anchor)) => {
                log.anchors.extend(anchor);
                log.report_adopted(name, adopted);
            }
            Err(error) => log.fail(name, &error),
        }
    }
    (log.end(), drifts)
}

/// Undoes adoptions.
pub async fn undo_adoption(
    scratch_servers: &ScratchServers<'_>,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
    reporter: &mut dyn Reporter,
    mut cancelled: watch::Receiver<u32>,
) -> ExitStatus {
    let mut log = AdoptionReporter::begin(reporter, targets);
    for (name, target) in targets {
        log.service_started = Instant::now();
        if *cancelled.borrow() > 0 {
            log.skip(name);
            continue;
        }
        let undone = async {
            if !exists(scratch_servers, target).await? {
                return Err(nothing_to_undo(name, "the database does not exist").into());
            }
            let mut locked = lock(scratch_servers, target, &mut cancelled, |holder| {
                log.recorder
                    .service(name, EventKind::LockWaiting { holder });
            })
            .await?;
            let undone = undo(target, &mut locked, &log.identity).await;
            let anchor = anchor(target, &locked).await;
            drop(locked.release().await);
            undone.map(|migrations| (migrations, anchor))
        }
        .await;
        match undone {
            Ok((0, _)) => log.finish(name, ServiceOutcome::Unchanged),
            Ok((migrations, anchor)) => {
                log.anchors.extend(anchor);
                log.recorder
                    .service(name, EventKind::AdoptionUndone { migrations });
                log.undone += migrations;
                log.finish(name, ServiceOutcome::Done);
            }
            Err(error) => log.fail(name, &error),
        }
    }
    log.end()
}

/// The anchor after the written rows. An error is only logged: the rows are already written.
async fn anchor(target: &Target, locked: &LockedSession) -> Option<Anchor> {
    read_anchor(locked.session(), &target.service.name)
        .await
        .unwrap_or_else(|error| {
            tracing::warn!(service = %target.service.name, error = %with_causes(&error), "cannot read the end of the journal");
            None
        })
}

async fn exists(
    scratch_servers: &ScratchServers<'_>,
    target: &Target,
) -> Result<bool, ServiceError> {
    let inspection = inspect(&scratch_servers.context().connections(), target).await?;
    Ok(inspection.exists)
}

/// Sends the events of an adoption and computes its exit status.
struct AdoptionReporter<'a> {
    recorder: Recorder<'a>,
    identity: RunIdentity,
    started: Instant,
    /// When the work on the current service began.
    service_started: Instant,
    status: ExitStatus,
    adopted: usize,
    undone: usize,
    next: Vec<String>,
    anchors: Vec<Anchor>,
}

impl<'a> AdoptionReporter<'a> {
    fn begin(reporter: &'a mut dyn Reporter, targets: &BTreeMap<ServiceName, Arc<Target>>) -> Self {
        let identity = RunIdentity::of_this_process();
        let mut recorder = Recorder::new(reporter, identity.run_id);
        recorder.run(EventKind::RunStarted {
            schema: EVENT_SCHEMA,
            command: "adopt",
            services: targets.keys().cloned().collect(),
            unchanged: Vec::new(),
            steps: targets.len(),
            program_version: identity.program_version,
            undoes_on_failure: false,
        });
        Self {
            recorder,
            identity,
            started: Instant::now(),
            service_started: Instant::now(),
            status: ExitStatus::Done,
            adopted: 0,
            undone: 0,
            next: Vec::new(),
            anchors: Vec::new(),
        }
    }

    /// Reports the result of a proof; returns the proof if it can be written.
    fn report_proof(
        &mut self,
        target: &Target,
        finding: Result<ProofOutcome, ScratchError>,
        adoption: &Adoption,
        drifts: &mut AcceptedDrift,
    ) -> Option<Box<Proven>> {
        let name = &target.service.name;
        self.service_started = Instant::now();
        match finding {
            Ok(ProofOutcome::Proven(proven)) => {
                let kind = EventKind::AdoptionProven(Box::new(proven.proof.clone()));
                self.recorder.migration(name, proven.version, kind);
                return Some(proven);
            }
            Ok(ProofOutcome::Present) => self.finish(name, ServiceOutcome::Unchanged),
            Ok(ProofOutcome::AcceptedBeyond(version, number)) => {
                let refusal = accepted_beyond(name, version, number, adoption);
                self.fail(name, &refusal.into());
            }
            Ok(ProofOutcome::Hidden(version, object)) => {
                self.fail(name, &hidden(name, version, &object).into());
            }
            Ok(ProofOutcome::Drifted {
                version,
                is_vouched,
                drift,
            }) => {
                let refusal = drifted(name, version, is_vouched, &drift);
                let service_drift = ServiceDrift {
                    version,
                    differences: drift.differences.clone(),
                };
                drifts.insert(name.clone(), service_drift);
                self.recorder
                    .migration(name, version, EventKind::DriftFound(drift));
                self.fail(name, &refusal.into());
            }
            Ok(ProofOutcome::Unvouched(version)) => {
                self.fail(name, &unvouched(name, version).into())
            }
            Err(ScratchError::Service(error)) => self.fail(name, &error),
            Err(error) => self.fail_with(name, shared::command::CommandError::from(error)),
        }
        None
    }

    fn report_adopted(&mut self, name: &ServiceName, adopted: Vec<super::record::Adopted>) {
        let number = adopted.len();
        for migration in adopted {
            let kind = EventKind::MigrationAdopted {
                name: migration.name,
                stands_for: migration.stands_for,
            };
            self.recorder.migration(name, migration.version, kind);
        }
        self.adopted += number;
        self.finish(name, ServiceOutcome::Done);
    }

    fn fail(&mut self, name: &ServiceName, error: &ServiceError) {
        if let ServiceError::Lock { source, .. } = error
            && matches!(**source, LockError::Cancelled)
        {
            return self.skip(name);
        }
        let refusal = match error {
            ServiceError::Refused(refusal) => Some(refusal.clone()),
            _ => None,
        };
        self.failed(
            name,
            error.chain(),
            error.next(),
            refusal,
            error.exit_status(),
        );
    }

    fn fail_with(&mut self, name: &ServiceName, error: shared::command::CommandError) {
        let Diagnostic {
            message,
            next,
            exit_code,
        } = error.diagnostic();
        self.failed(name, message, next, None, exit_code);
    }

    fn failed(
        &mut self,
        name: &ServiceName,
        message: String,
        next: Option<String>,
        refusal: Option<Refusal>,
        status: ExitStatus,
    ) {
        self.status = self.status.or_worse(status);
        self.next
            .extend(next.as_ref().map(|next| commented(next, name)));
        let outcome = self
            .recorder
            .service_failed(name, message, next, refusal, status);
        self.finish(name, outcome);
    }

    fn skip(&mut self, name: &ServiceName) {
        self.status = ExitStatus::Cancelled;
        self.finish(name, ServiceOutcome::Cancelled);
    }

    fn finish(&mut self, name: &ServiceName, outcome: ServiceOutcome) {
        self.recorder.service(
            name,
            EventKind::ServiceFinished {
                outcome,
                applied: 0,
                reverted: 0,
                duration_ms: u64::try_from(self.service_started.elapsed().as_millis())
                    .unwrap_or(u64::MAX),
            },
        );
    }

    fn cancelled<'n>(mut self, names: impl Iterator<Item = &'n ServiceName>) -> ExitStatus {
        self.recorder.run(EventKind::CancelRequested {
            times: 1,
            cause: StopCause::Interrupt,
            cancels_in_ms: None,
        });
        for name in names {
            self.skip(name);
        }
        self.end()
    }

    fn end(mut self) -> ExitStatus {
        let totals = Totals {
            adopted: self.adopted,
            ..Totals::default()
        };
        self.recorder.run(EventKind::RunFinished {
            verdict: Verdict::of(self.status, self.adopted + self.undone),
            exit_code: self.status,
            totals: totals.lasting(self.started.elapsed()),
            next: self.next,
            anchors: self.anchors,
            backup: None,
        });
        self.status
    }
}

fn drifted(
    name: &ServiceName,
    version: Version,
    is_vouched: bool,
    drift: &shared::domain::Drift,
) -> Refusal {
    let objects = count(drift.differences.len(), "object");
    let beyond = if is_vouched {
        ""
    } else {
        "; the legacy history has no row for that version"
    };
    Refusal {
        kind: RefusalKind::Drift,
        service: Some(name.clone()),
        message: format!(
            "the live schema matches no version; it differs from the nearest one, {version} {}, in {objects}{beyond}",
            drift.name
        ),
        next: commented(
            suggest([
                "adopt",
                name.as_str(),
                "--write-drift",
                &format!("{name}.drift.toml"),
            ]),
            "writes the differences to a file for review; or undo the change by hand",
        ),
    }
}

fn accepted_beyond(
    name: &ServiceName,
    version: Version,
    number: usize,
    adoption: &Adoption,
) -> Refusal {
    let baseline = version.to_string();
    let mut command = vec!["adopt", name.as_str(), "--baseline", &baseline];
    let file = adoption.accepted_file.as_ref();
    let file = file.map(|file| file.display().to_string());
    command.extend(file.iter().flat_map(|file| ["--accept-drift", file]));
    Refusal {
        kind: RefusalKind::Drift,
        service: Some(name.clone()),
        message: format!(
            "the live schema matches {version} except for {}, but the legacy history has no row for {version}: \
             accepted differences do not prove that it ran",
            count(number, "accepted difference"),
        ),
        next: commented(
            suggest(command),
            format!("if every migration up to {version} ran"),
        ),
    }
}

fn hidden(name: &ServiceName, version: Version, object: &str) -> Refusal {
    Refusal {
        kind: RefusalKind::Drift,
        service: Some(name.clone()),
        message: format!(
            "the difference in {object} cannot be accepted with the baseline {version}: a migration newer than the legacy \
             history makes that change, and the live schema does not show it"
        ),
        next: commented(
            suggest(["adopt", name.as_str()]),
            format!("adopts up to the legacy history; or undo the change of {object} by hand"),
        ),
    }
}

fn unvouched(name: &ServiceName, version: Version) -> Refusal {
    Refusal {
        kind: RefusalKind::LegacyHistory,
        service: Some(name.clone()),
        message: format!(
            "there is no legacy history that shows which migrations ran; the live schema matches {version}"
        ),
        next: commented(
            suggest(["adopt", name.as_str(), "--baseline", &version.to_string()]),
            "if all migrations up to that version ran",
        ),
    }
}
