//! Runs written by hand, for the tests of the reporters. Never built into the product.

use time::macros::datetime;
use uuid::Uuid;

use domain::{
    Anchor, Blocker, CatalogState, CompensationStop, DatabaseState, Decision, Diagnostic,
    Direction, Event, EventKind, ExitStatus, Failure, Gate, HeldLock, Holder, Refusal, RefusalKind,
    Resolved, ServiceName, ServiceOutcome, StatementProgress, StopCause, Totals, Verdict, Version,
};

/// The events of a run so far.
#[derive(Debug)]
pub struct Story {
    pub events: Vec<Event>,
    command: &'static str,
}

impl Story {
    pub fn new() -> Self {
        Self {
            events: Vec::new(),
            command: "run",
        }
    }

    pub fn push(&mut self, service: Option<&str>, version: Option<i64>, kind: EventKind) {
        let seq = u64::try_from(self.events.len()).unwrap() + 1;
        self.events.push(Event {
            run_id: Uuid::from_u128(0x0198_3f2a_0000_7000_8000_0000_0000_0001),
            seq,
            time: datetime!(2026-11-22 18:00:00 UTC),
            service: service.map(name),
            version: version.map(Version::new),
            kind,
        });
    }

    pub fn reverting(mut self) -> Self {
        self.command = "revert";
        self
    }

    pub fn run_started(&mut self, services: &[&str], unchanged: &[&str], steps: usize) {
        let kind = EventKind::RunStarted {
            schema: 1,
            command: self.command,
            services: services.iter().map(|it| name(it)).collect(),
            unchanged: unchanged.iter().map(|it| name(it)).collect(),
            steps,
            program_version: "0.1.0",
            undoes_on_failure: false,
        };
        self.push(None, None, kind);
    }

    pub fn database_created(&mut self, service: &str, database: &str) {
        let database = database.to_owned();
        self.push(Some(service), None, EventKind::DatabaseCreated { database });
    }

    pub fn gate_waiting(&mut self, service: &str, other: &str, versions: &[i64]) {
        let gate = gate(other, versions);
        self.push(Some(service), None, EventKind::GateWaiting { gate });
    }

    pub fn gate_met(&mut self, service: &str, other: &str, versions: &[i64], waited_ms: u64) {
        let gate = gate(other, versions);
        self.push(Some(service), None, EventKind::GateMet { gate, waited_ms });
    }

    pub fn lock_waiting(&mut self, service: &str, pid: Option<i32>, connected_s: i64) {
        let holder = pid.map(|pid| Holder {
            pid,
            user: "soc".to_owned(),
            application: "orchestrator".to_owned(),
            client: Some("10.0.0.3".to_owned()),
            connected_s,
            state: "idle".to_owned(),
        });
        self.push(Some(service), None, EventKind::LockWaiting { holder });
    }

    pub fn service_started(&mut self, service: &str, steps: usize) {
        self.push(Some(service), None, EventKind::ServiceStarted { steps });
    }

    /// `statements`: how many the file has, and how many of them an earlier attempt had done.
    pub fn started(
        &mut self,
        service: &str,
        version: i64,
        migration: &str,
        step: usize,
        statements: Option<(usize, usize)>,
    ) {
        let direction = if self.command == "run" {
            Direction::Up
        } else {
            Direction::Down
        };
        let kind = EventKind::MigrationStarted {
            name: migration.to_owned(),
            direction,
            step,
            statements: statements.map(|(all, _)| all),
            resumed_after: statements.map(|(_, done)| done).filter(|done| *done > 0),
        };
        self.push(Some(service), Some(version), kind);
    }

    pub fn statement(
        &mut self,
        service: &str,
        version: i64,
        statement: usize,
        statements: usize,
        duration_ms: u64,
    ) {
        let kind = EventKind::StatementFinished {
            statement,
            statements,
            duration_ms,
            recovered: None,
        };
        self.push(Some(service), Some(version), kind);
    }

    pub fn recovered(&mut self, service: &str, version: i64, statement: usize, statements: usize) {
        let kind = EventKind::StatementFinished {
            statement,
            statements,
            duration_ms: 0,
            recovered: Some("the index policies_title_idx exists and is valid".to_owned()),
        };
        self.push(Some(service), Some(version), kind);
    }

    pub fn blocked(&mut self, service: &str, version: i64, waited_ms: u64, pids: &[i32]) {
        let blockers = pids.iter().map(|pid| blocker(*pid, 300)).collect();
        let kind = EventKind::MigrationBlocked {
            waited_ms,
            blockers,
        };
        self.push(Some(service), Some(version), kind);
    }

    pub fn progress(&mut self, service: &str, version: i64, done: u64) {
        let progress = StatementProgress {
            running_ms: 90_000,
            statement: "CREATE INDEX policies_title".to_owned(),
            phase: Some("building index: scanning table".to_owned()),
            done: Some(done),
            total: Some(100),
            remaining_ms: Some(110_000),
        };
        let kind = EventKind::MigrationProgress(progress);
        self.push(Some(service), Some(version), kind);
    }

    pub fn unblocked(&mut self, service: &str, version: i64, waited_ms: u64) {
        let kind = EventKind::MigrationUnblocked { waited_ms };
        self.push(Some(service), Some(version), kind);
    }

    pub fn retrying(&mut self, service: &str, version: i64, attempt: u32, pids: &[i32]) {
        let kind = EventKind::MigrationRetrying {
            attempt,
            attempts: 10,
            pause_ms: 250 * u64::from(attempt),
            sqlstate: "55P03".to_owned(),
            message: "canceling statement due to lock timeout".to_owned(),
            blockers: pids
                .iter()
                .map(|pid| blocker(*pid, 300 + i64::from(attempt)))
                .collect(),
        };
        self.push(Some(service), Some(version), kind);
    }

    pub fn lost(&mut self, service: &str, version: i64) {
        let message = "the connection to the server was lost: connection reset by peer".to_owned();
        let kind = EventKind::ConnectionLost { message };
        self.push(Some(service), Some(version), kind);
    }

    pub fn applied(&mut self, service: &str, version: i64, migration: &str, duration_ms: u64) {
        let name = migration.to_owned();
        let kind = EventKind::MigrationApplied { name, duration_ms };
        self.push(Some(service), Some(version), kind);
    }

    /// A release of one service, from its files to its commit.
    pub fn released(&mut self, service: &str, version: i64, migration: &str) {
        let executed = EventKind::MigrationExecuted {
            name: migration.to_owned(),
            duration_ms: 424,
        };
        self.push(Some(service), Some(version), executed);
        let gid = format!("orchestrator:01983f2a-0000-7000-8000-000000000001:1:{service}");
        let prepared = EventKind::ServicePrepared { gid, open_ms: 500 };
        self.push(Some(service), None, prepared);
        let decided = EventKind::ReleaseDecided {
            decision: Decision::Commit,
            coordinator: name(service),
        };
        self.push(None, None, decided);
        let lock = |relation: &str, mode: &str| HeldLock {
            relation: relation.to_owned(),
            mode: mode.to_owned(),
        };
        let committed = EventKind::ServiceCommitted {
            held_ms: 12,
            open_ms: 512,
            locks: vec![
                lock("public.controls", "RowShareLock"),
                lock("public.policies", "AccessExclusiveLock"),
                lock("public.policies", "AccessShareLock"),
            ],
        };
        self.push(Some(service), None, committed);
        let released = EventKind::ReleaseCommitted {
            databases: 1,
            window_ms: 4,
        };
        self.push(None, None, released);
    }

    pub fn rolled_back(&mut self, service: &str, version: i64, migration: &str, because: &str) {
        let kind = EventKind::MigrationRolledBack {
            name: migration.to_owned(),
            because: because.to_owned(),
        };
        self.push(Some(service), Some(version), kind);
    }

    pub fn resolved(&mut self, coordinator: &str, left: &[&str]) {
        let kind = EventKind::ReleaseResolved(Box::new(Resolved {
            release: Uuid::from_u128(0x0198_3f2a_0000_7000_8000_0000_0000_0000),
            coordinator: name(coordinator),
            decision: Decision::Rollback,
            finished: vec![name(coordinator)],
            left: left.iter().map(|it| name(it)).collect(),
        }));
        self.push(None, None, kind);
    }

    pub fn reverted(&mut self, service: &str, version: i64, migration: &str, duration_ms: u64) {
        let name = migration.to_owned();
        let kind = EventKind::MigrationReverted { name, duration_ms };
        self.push(Some(service), Some(version), kind);
    }

    pub fn unchanged(&mut self, service: &str, version: i64, migration: &str) {
        let name = migration.to_owned();
        let kind = EventKind::MigrationUnchanged { name };
        self.push(Some(service), Some(version), kind);
    }

    pub fn failed(&mut self, service: &str, version: i64, failure: Failure) {
        let kind = EventKind::MigrationFailed(Box::new(failure));
        self.push(Some(service), Some(version), kind);
    }

    pub fn notice(&mut self, service: &str, version: i64, severity: &str, message: &str) {
        let kind = EventKind::ServerNotice {
            severity: severity.to_owned(),
            message: message.to_owned(),
        };
        self.push(Some(service), Some(version), kind);
    }

    pub fn refused(&mut self, service: &str, kind: RefusalKind, message: &str, next: &str) {
        let refusal = Refusal {
            kind,
            service: Some(name(service)),
            message: message.to_owned(),
            next: next.to_owned(),
        };
        let kind = EventKind::ServiceFailed(Box::new(refusal.into()));
        self.push(Some(service), None, kind);
    }

    pub fn unavailable(&mut self, service: &str, message: &str) {
        let next = "orchestrator run policy   # first start the server";
        let diagnostic = Diagnostic::new(ExitStatus::Unavailable, message, next);
        let kind = EventKind::ServiceFailed(Box::new(diagnostic));
        self.push(Some(service), None, kind);
    }

    pub fn skipped(&mut self, service: &str, because: &str, steps: usize) {
        let because = because.to_owned();
        let kind = EventKind::ServiceSkipped { because, steps };
        self.push(Some(service), None, kind);
    }

    pub fn finished(
        &mut self,
        service: &str,
        outcome: ServiceOutcome,
        applied: usize,
        reverted: usize,
        duration_ms: u64,
    ) {
        let kind = EventKind::ServiceFinished {
            outcome,
            applied,
            reverted,
            duration_ms,
        };
        self.push(Some(service), None, kind);
    }

    pub fn compensation(&mut self) {
        let of_run = Uuid::from_u128(0x0198_3f2a_0000_7000_8000_0000_0000_0001);
        let stop = CompensationStop {
            of_run,
            because: "the revert of policy 1753250000000 failed".to_owned(),
            databases: vec![DatabaseState {
                service: name("policy"),
                database: "soc_policies".to_owned(),
                state: CatalogState::Between,
                version: Some(Version::new(1_753_250_000_000)),
            }],
            next: vec!["orchestrator revert all --run …".to_owned()],
        };
        for kind in [
            EventKind::CompensationStarted {
                of_run,
                because: "control 1 failed".to_owned(),
                steps: 3,
            },
            EventKind::CompensationFinished {
                of_run,
                reverted: 3,
            },
            EventKind::CompensationStopped(Box::new(stop)),
        ] {
            self.push(None, None, kind);
        }
        let kept = EventKind::CompensationGivenUp {
            of_run,
            versions: vec![Version::new(1_753_250_000_000)],
        };
        self.push(Some("policy"), None, kept);
    }

    pub fn cancel(&mut self, times: u32) {
        let kind = EventKind::CancelRequested {
            times,
            cause: StopCause::Interrupt,
            cancels_in_ms: None,
        };
        self.push(None, None, kind);
    }

    /// SIGTERM, and what follows when the step takes too long.
    pub fn terminate(&mut self) {
        for (times, cause, cancels_in_ms) in [
            (1, StopCause::Terminate, Some(8_000)),
            (2, StopCause::GraceOver, None),
        ] {
            let kind = EventKind::CancelRequested {
                times,
                cause,
                cancels_in_ms,
            };
            self.push(None, None, kind);
        }
    }

    pub fn run_finished(&mut self, exit_code: ExitStatus, totals: Totals, next: &[&str]) {
        let kind = EventKind::RunFinished {
            verdict: Verdict::of(exit_code, totals.applied + totals.reverted),
            exit_code,
            totals,
            next: next.iter().map(|&it| it.to_owned()).collect(),
            anchors: vec![Anchor {
                service: name("policy"),
                database: "soc_policies".to_owned(),
                rows: 3,
                id: 3,
                hash: Some("5feceb66".to_owned()),
            }],
            backup: None,
            timings: None,
        };
        self.push(None, None, kind);
    }
}

/// A session that is idle in its transaction; without a process a prepared transaction.
pub fn blocker(pid: i32, transaction_age_s: i64) -> Blocker {
    let session = Blocker {
        pid,
        user: "app".to_owned(),
        application: "psql".to_owned(),
        state: "idle in transaction".to_owned(),
        transaction_age_s,
        query: "UPDATE policies\n   SET title = 'x'".to_owned(),
        prepared: None,
        waits_for: Vec::new(),
    };
    if pid != 0 {
        return session;
    }
    Blocker {
        state: "prepared transaction".to_owned(),
        query: String::new(),
        prepared: Some("transfer".to_owned()),
        waits_for: vec![991],
        ..session
    }
}

/// A statement that names an unknown column, in a file that ran in one transaction.
pub fn failure() -> Failure {
    Failure {
        name: "add_policy_templates".to_owned(),
        direction: Direction::Up,
        sqlstate: Some("42703".to_owned()),
        message: "column \"titel\" does not exist".to_owned(),
        detail: None,
        object: None,
        hint: Some("Perhaps you meant to reference the column \"policies.title\".".to_owned()),
        context: None,
        file: "services/policy/migrations/V1753260000000__add_policy_templates.sql".to_owned(),
        line: Some(14),
        column: Some(27),
        source_line: Some("\tSELECT id, lower(title), titel FROM policies;".to_owned()),
        statements_done: None,
        statements: None,
        blockers: Vec::new(),
        rolled_back: true,
        outcome_unknown: false,
        left: Vec::new(),
        duration_ms: 31,
        next: "orchestrator run policy   # fix the file first".to_owned(),
        exit_code: ExitStatus::Failed,
    }
}

/// The counts of a run.
pub fn totals(
    applied: usize,
    reverted: usize,
    failed: usize,
    skipped: usize,
    duration_ms: u64,
) -> Totals {
    Totals {
        applied,
        reverted,
        failed,
        cancelled: 0,
        adopted: 0,
        restored: 0,
        rehearsed: 0,
        findings: 0,
        skipped,
        duration_ms,
    }
}

fn name(text: &str) -> ServiceName {
    text.parse().unwrap()
}

fn gate(service: &str, versions: &[i64]) -> Gate {
    Gate {
        service: name(service),
        versions: versions.iter().copied().map(Version::new).collect(),
    }
}
