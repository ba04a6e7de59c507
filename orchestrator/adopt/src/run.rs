//! Adopts several services: first all proofs, then all writes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use domain::Reporter;
use domain::{
    Anchor, Diagnostic, EventKind, ExitStatus, Refusal, RefusalKind, ServiceName, ServiceOutcome,
    Version, commented, suggest, with_causes,
};
use engine::dispatch::{Operation, Start, Stops};
use engine::inspect::{ServiceError, Target, inspect};
use futures_util::StreamExt;
use futures_util::stream;
use pg_session::LockedSession;
use report::units::count;
use store::read_anchor;

use super::event::{AdoptEvent, Drift};
use super::prove::{ProofInputs, ProofOutcome, Proven, prove};
use super::record::{Adopted, lock, record};
use super::undo::{nothing_to_undo, undo};
use drift::{AcceptedDrift, ServiceDrift};
use scratch::{ScratchError, ScratchServers};

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
    stops: Stops,
) -> (ExitStatus, AcceptedDrift) {
    let mut cancelled = stops.times.clone();
    let start = Start::of("adopt", targets.keys().cloned().collect());
    let mut operation = Operation::begin(reporter, stops, start);
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
        operation.cancel_unfinished();
        return (operation.end(0), AcceptedDrift::default());
    };
    let mut drifts = AcceptedDrift::default();
    let mut proven = Vec::new();
    for (target, finding) in targets.values().zip(findings) {
        if let Some(one) = report_proof(&mut operation, target, finding, adoption, &mut drifts) {
            proven.push((target, one));
        }
    }
    for (target, proven) in proven {
        let name = &target.service.name;
        operation.service_begins(name);
        if adoption.dry_run {
            operation.service_finished(name, ServiceOutcome::Unchanged);
            continue;
        }
        // After a cancellation no service is started. A started one is finished, since it is short.
        if *cancelled.borrow() > 0 {
            cancel(&mut operation, name);
            continue;
        }
        let written = async {
            let mut locked = lock(scratch_servers, target, &mut cancelled, |holder| {
                operation.service(name, EventKind::LockWaiting { holder });
            })
            .await?;
            let adopted = record(target, &mut locked, &proven, operation.identity()).await;
            let anchor = anchor(target, &locked).await;
            drop(locked.release().await);
            adopted.map(|adopted| (adopted, anchor))
        }
        .await;
        match written {
            Ok((adopted, anchor)) => {
                operation.anchors.extend(anchor);
                report_adopted(&mut operation, name, adopted);
            }
            Err(error) => fail(&mut operation, name, error.diagnostic()),
        }
    }
    let adopted = operation.totals.adopted;
    (operation.end(adopted), drifts)
}

/// Undoes adoptions.
pub async fn undo_adoption(
    scratch_servers: &ScratchServers<'_>,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
    reporter: &mut dyn Reporter,
    stops: Stops,
) -> ExitStatus {
    let mut cancelled = stops.times.clone();
    let start = Start::of("adopt", targets.keys().cloned().collect());
    let mut operation = Operation::begin(reporter, stops, start);
    let mut all_undone = 0;
    for (name, target) in targets {
        operation.service_begins(name);
        if *cancelled.borrow() > 0 {
            cancel(&mut operation, name);
            continue;
        }
        let undone = async {
            if !exists(scratch_servers, target).await? {
                return Err(nothing_to_undo(name, "the database does not exist").into());
            }
            let mut locked = lock(scratch_servers, target, &mut cancelled, |holder| {
                operation.service(name, EventKind::LockWaiting { holder });
            })
            .await?;
            let undone = undo(target, &mut locked, operation.identity()).await;
            let anchor = anchor(target, &locked).await;
            drop(locked.release().await);
            undone.map(|migrations| (migrations, anchor))
        }
        .await;
        match undone {
            Ok((0, _)) => operation.service_finished(name, ServiceOutcome::Unchanged),
            Ok((migrations, anchor)) => {
                operation.anchors.extend(anchor);
                operation.service(name, AdoptEvent::AdoptionUndone { migrations });
                all_undone += migrations;
                operation.service_finished(name, ServiceOutcome::Done);
            }
            Err(error) => fail(&mut operation, name, error.diagnostic()),
        }
    }
    operation.end(all_undone)
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

/// Reports the result of a proof; returns the proof if it can be written.
fn report_proof(
    operation: &mut Operation<'_>,
    target: &Target,
    finding: Result<ProofOutcome, ScratchError>,
    adoption: &Adoption,
    drifts: &mut AcceptedDrift,
) -> Option<Box<Proven>> {
    let name = &target.service.name;
    let refusal = match finding {
        Ok(ProofOutcome::Proven(proven)) => {
            let kind = AdoptEvent::AdoptionProven(proven.proof.clone());
            operation.migration(name, proven.version, kind);
            return Some(proven);
        }
        Ok(ProofOutcome::Present) => {
            operation.service_finished(name, ServiceOutcome::Unchanged);
            return None;
        }
        Ok(ProofOutcome::AcceptedBeyond(version, number)) => {
            accepted_beyond(name, version, number, adoption)
        }
        Ok(ProofOutcome::Hidden(version, object)) => hidden(name, version, &object),
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
            operation.migration(name, version, AdoptEvent::DriftFound(drift));
            refusal
        }
        Ok(ProofOutcome::Unvouched(version)) => unvouched(name, version),
        Err(error) => {
            fail(operation, name, error.diagnostic());
            return None;
        }
    };
    fail(operation, name, ServiceError::from(refusal).diagnostic());
    None
}

fn report_adopted(operation: &mut Operation<'_>, name: &ServiceName, adopted: Vec<Adopted>) {
    operation.totals.adopted += adopted.len();
    for migration in adopted {
        let kind = AdoptEvent::MigrationAdopted {
            name: migration.name,
            stands_for: migration.stands_for,
        };
        operation.migration(name, migration.version, kind);
    }
    operation.service_finished(name, ServiceOutcome::Done);
}

fn fail(operation: &mut Operation<'_>, name: &ServiceName, diagnostic: Diagnostic) {
    if diagnostic.exit_code == ExitStatus::Cancelled {
        return cancel(operation, name);
    }
    let outcome = operation.service_failed(name, diagnostic);
    operation.service_finished(name, outcome);
}

fn cancel(operation: &mut Operation<'_>, name: &ServiceName) {
    operation.cancelled();
    operation.service_finished(name, ServiceOutcome::Cancelled);
}

fn drifted(name: &ServiceName, version: Version, is_vouched: bool, drift: &Drift) -> Refusal {
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
