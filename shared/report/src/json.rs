//! `--output json`: every event as one line of JSON.
//!
//! The fields are those of `domain::Event`; `docs/json.md` describes them.

use std::io::Write;

use domain::Event;

use super::printable::printable_json;
use domain::Reporter;

/// Writes JSON Lines, each flushed, so that a reader sees an event when it happens.
#[derive(Debug)]
pub struct JsonLines<W> {
    writer: W,
    is_open: bool,
}

impl<W: Write> JsonLines<W> {
    /// Writes to `writer`.
    pub const fn new(writer: W) -> Self {
        Self {
            writer,
            is_open: true,
        }
    }

    fn write(&mut self, event: &Event) -> std::io::Result<()> {
        // One write per line, so that readers of the pipe never see a partial line.
        let mut line = printable_json(&serde_json::to_string(event)?);
        line.push('\n');
        self.writer.write_all(line.as_bytes())?;
        self.writer.flush()
    }
}

impl<W: Write + Send> Reporter for JsonLines<W> {
    /// A closed pipe (`| head`) must not stop a migration: after the first failed write, nothing is written.
    fn report(&mut self, event: &Event) {
        self.is_open = self.is_open && self.write(event).is_ok();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::samples::{Story, failure, totals};
    use domain::{
        CommandEvent, Event, EventKind, ExitStatus, Failure, RefusalKind, ServiceOutcome,
    };

    const AUTH: i64 = 1_707_500_000_000;
    const POLICY: i64 = 1_753_250_000_000;

    /// An event of one command.
    #[derive(Debug, serde::Serialize)]
    #[serde(tag = "event", rename = "sample_taken")]
    struct Sample {
        rows: u64,
    }

    impl CommandEvent for Sample {}

    /// Every kind of event, with and without what may be absent.
    fn everything() -> Story {
        let mut story = Story::new();
        story.run_started(&["policy"], &["auth"], 4);
        story.database_created("policy", "soc_policies");
        story.gate_waiting("policy", "auth", &[AUTH]);
        story.gate_met("policy", "auth", &[AUTH], 1_200);
        story.lock_waiting("policy", Some(4711), 3);
        story.lock_waiting("policy", None, 0);
        story.service_started("policy", 4);
        story.started("policy", POLICY, "initial_schema", 1, None);
        story.started("policy", POLICY, "add_indexes", 2, Some((7, 2)));
        story.statement("policy", POLICY, 3, 7, 15);
        story.recovered("policy", POLICY, 4, 7);
        story.blocked("policy", POLICY, 500, &[991, 0]);
        story.unblocked("policy", POLICY, 900);
        story.retrying("policy", POLICY, 1, &[991]);
        story.lost("policy", POLICY);
        story.applied("policy", POLICY, "add_indexes", 424);
        story.reverted("policy", POLICY, "add_indexes", 424);
        story.unchanged("policy", POLICY, "add_indexes");
        story.failed("policy", POLICY, failure());
        let half = Failure {
            sqlstate: None,
            detail: Some("a detail".to_owned()),
            hint: None,
            context: Some("a context".to_owned()),
            line: None,
            column: None,
            source_line: None,
            statements_done: Some(2),
            statements: Some(7),
            rolled_back: false,
            left: vec!["the INVALID index public.policies_title_idx".to_owned()],
            ..failure()
        };
        story.failed("policy", POLICY, half);
        story.notice("policy", POLICY, "NOTICE", "skipping");
        story.refused(
            "policy",
            RefusalKind::Divergent,
            "edited",
            "orchestrator run policy   # first restore the file",
        );
        story.unavailable("policy", "connection refused");
        story.skipped("policy", "auth failed", 2);
        story.finished("policy", ServiceOutcome::Failed, 1, 0, 500);
        story.compensation();
        story.resolved("auth", &["policy"]);
        story.released("policy", POLICY, "add_indexes");
        story.rolled_back("policy", POLICY, "add_indexes", "auth did not get through");
        story.push(Some("policy"), Some(POLICY), Sample { rows: 3 }.into());
        story.terminate();
        story.progress("policy", POLICY, 45);
        story.run_finished(
            ExitStatus::Failed,
            totals(1, 0, 1, 2, 510),
            &["orchestrator all"],
        );
        story
    }

    /// The name of an event in JSON. A new kind of event makes this fail to compile: give it a sample above.
    fn name(kind: &EventKind) -> &'static str {
        match kind {
            EventKind::RunStarted { .. } => "run_started",
            EventKind::DatabaseCreated { .. } => "database_created",
            EventKind::GateWaiting { .. } => "gate_waiting",
            EventKind::GateMet { .. } => "gate_met",
            EventKind::LockWaiting { .. } => "lock_waiting",
            EventKind::ServiceStarted { .. } => "service_started",
            EventKind::MigrationStarted { .. } => "migration_started",
            EventKind::StatementFinished { .. } => "statement_finished",
            EventKind::MigrationBlocked { .. } => "migration_blocked",
            EventKind::MigrationProgress(_) => "migration_progress",
            EventKind::MigrationUnblocked { .. } => "migration_unblocked",
            EventKind::MigrationRetrying { .. } => "migration_retrying",
            EventKind::ConnectionLost { .. } => "connection_lost",
            EventKind::MigrationApplied { .. } => "migration_applied",
            EventKind::MigrationReverted { .. } => "migration_reverted",
            EventKind::MigrationUnchanged { .. } => "migration_unchanged",
            EventKind::MigrationExecuted { .. } => "migration_executed",
            EventKind::MigrationRolledBack { .. } => "migration_rolled_back",
            EventKind::ServicePrepared { .. } => "service_prepared",
            EventKind::ReleaseDecided { .. } => "release_decided",
            EventKind::ServiceCommitted { .. } => "service_committed",
            EventKind::ReleaseCommitted { .. } => "release_committed",
            EventKind::ReleaseResolved(_) => "release_resolved",
            EventKind::MigrationFailed(_) => "migration_failed",
            EventKind::ServerNotice { .. } => "server_notice",
            EventKind::ServiceFailed(_) => "service_failed",
            EventKind::ServiceSkipped { .. } => "service_skipped",
            EventKind::ServiceFinished { .. } => "service_finished",
            EventKind::CompensationStarted { .. } => "compensation_started",
            EventKind::CompensationFinished { .. } => "compensation_finished",
            EventKind::CompensationStopped(_) => "compensation_stopped",
            EventKind::CompensationGivenUp { .. } => "compensation_given_up",
            EventKind::CancelRequested { .. } => "cancel_requested",
            EventKind::RunFinished { .. } => "run_finished",
            EventKind::OfCommand(_) => "sample_taken",
        }
    }

    fn lines(events: &[Event]) -> String {
        let mut written = Vec::new();
        let mut reporter = JsonLines::new(&mut written);
        for event in events {
            reporter.report(event);
        }
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn every_event_is_one_line_with_its_name() {
        let events = everything().events;
        let text = lines(&events);
        assert_eq!(text.lines().count(), events.len());
        let mut names = BTreeSet::new();
        for (event, line) in events.iter().zip(text.lines()) {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(value["event"], name(&event.kind));
            assert_eq!(value["seq"], event.seq);
            names.insert(name(&event.kind));
        }
        assert_eq!(names.len(), 35, "a kind of event has no sample");
    }

    /// The schema, version 1: a changed or missing field is a change that users notice.
    #[test]
    fn fields_keep_their_names_and_types() {
        let text = lines(&everything().events);
        let (first, _) = text.split_once('\n').unwrap();
        insta::assert_snapshot!(first, @r#"
        {"run_id":"01983f2a-0000-7000-8000-000000000001","seq":1,"time":"2026-11-22T18:00:00Z","event":"run_started","schema":1,"command":"run","services":["policy"],"unchanged":["auth"],"steps":4,"program_version":"0.1.0"}
        "#);
        let run = "\"run_id\":\"01983f2a-0000-7000-8000-000000000001\",";
        let time = "\"time\":\"2026-11-22T18:00:00Z\",";
        assert_eq!(text.matches(run).count(), text.lines().count());
        let short = text.replace(run, "").replace(time, "");
        insta::assert_snapshot!(short, @r#"
        {"seq":1,"event":"run_started","schema":1,"command":"run","services":["policy"],"unchanged":["auth"],"steps":4,"program_version":"0.1.0"}
        {"seq":2,"service":"policy","event":"database_created","database":"soc_policies"}
        {"seq":3,"service":"policy","event":"gate_waiting","gate":{"service":"auth","versions":[1707500000000]}}
        {"seq":4,"service":"policy","event":"gate_met","gate":{"service":"auth","versions":[1707500000000]},"waited_ms":1200}
        {"seq":5,"service":"policy","event":"lock_waiting","holder":{"pid":4711,"user":"soc","application":"orchestrator","client":"10.0.0.3","connected_s":3,"state":"idle"}}
        {"seq":6,"service":"policy","event":"lock_waiting","holder":null}
        {"seq":7,"service":"policy","event":"service_started","steps":4}
        {"seq":8,"service":"policy","version":1753250000000,"event":"migration_started","name":"initial_schema","direction":"up","step":1}
        {"seq":9,"service":"policy","version":1753250000000,"event":"migration_started","name":"add_indexes","direction":"up","step":2,"statements":7,"resumed_after":2}
        {"seq":10,"service":"policy","version":1753250000000,"event":"statement_finished","statement":3,"statements":7,"duration_ms":15}
        {"seq":11,"service":"policy","version":1753250000000,"event":"statement_finished","statement":4,"statements":7,"duration_ms":0,"recovered":"the index policies_title_idx exists and is valid"}
        {"seq":12,"service":"policy","version":1753250000000,"event":"migration_blocked","waited_ms":500,"blockers":[{"pid":991,"user":"app","application":"psql","state":"idle in transaction","transaction_age_s":300,"query":"UPDATE policies\n   SET title = 'x'"},{"pid":0,"user":"app","application":"psql","state":"prepared transaction","transaction_age_s":300,"query":"","prepared":"transfer","waits_for":[991]}]}
        {"seq":13,"service":"policy","version":1753250000000,"event":"migration_unblocked","waited_ms":900}
        {"seq":14,"service":"policy","version":1753250000000,"event":"migration_retrying","attempt":1,"attempts":10,"pause_ms":250,"sqlstate":"55P03","message":"canceling statement due to lock timeout","blockers":[{"pid":991,"user":"app","application":"psql","state":"idle in transaction","transaction_age_s":301,"query":"UPDATE policies\n   SET title = 'x'"}]}
        {"seq":15,"service":"policy","version":1753250000000,"event":"connection_lost","message":"the connection to the server was lost: connection reset by peer"}
        {"seq":16,"service":"policy","version":1753250000000,"event":"migration_applied","name":"add_indexes","duration_ms":424}
        {"seq":17,"service":"policy","version":1753250000000,"event":"migration_reverted","name":"add_indexes","duration_ms":424}
        {"seq":18,"service":"policy","version":1753250000000,"event":"migration_unchanged","name":"add_indexes"}
        {"seq":19,"service":"policy","version":1753250000000,"event":"migration_failed","name":"add_policy_templates","direction":"up","sqlstate":"42703","message":"column \"titel\" does not exist","hint":"Perhaps you meant to reference the column \"policies.title\".","file":"services/policy/migrations/V1753260000000__add_policy_templates.sql","line":14,"column":27,"source_line":"\tSELECT id, lower(title), titel FROM policies;","rolled_back":true,"outcome_unknown":false,"duration_ms":31,"next":"orchestrator run policy   # fix the file first","exit_code":1}
        {"seq":20,"service":"policy","version":1753250000000,"event":"migration_failed","name":"add_policy_templates","direction":"up","sqlstate":null,"message":"column \"titel\" does not exist","detail":"a detail","context":"a context","file":"services/policy/migrations/V1753260000000__add_policy_templates.sql","line":null,"column":null,"statements_done":2,"statements":7,"rolled_back":false,"outcome_unknown":false,"left":["the INVALID index public.policies_title_idx"],"duration_ms":31,"next":"orchestrator run policy   # fix the file first","exit_code":1}
        {"seq":21,"service":"policy","version":1753250000000,"event":"server_notice","severity":"NOTICE","message":"skipping"}
        {"seq":22,"service":"policy","event":"service_failed","message":"policy: edited","next":"orchestrator run policy   # first restore the file","refusal":{"kind":"divergent","service":"policy","message":"edited","next":"orchestrator run policy   # first restore the file"},"exit_code":3}
        {"seq":23,"service":"policy","event":"service_failed","message":"connection refused","next":"orchestrator run policy   # first start the server","exit_code":5}
        {"seq":24,"service":"policy","event":"service_skipped","because":"auth failed","steps":2}
        {"seq":25,"service":"policy","event":"service_finished","outcome":"failed","applied":1,"reverted":0,"duration_ms":500}
        {"seq":26,"event":"compensation_started","of_run":"01983f2a-0000-7000-8000-000000000001","because":"control 1 failed","steps":3}
        {"seq":27,"event":"compensation_finished","of_run":"01983f2a-0000-7000-8000-000000000001","reverted":3}
        {"seq":28,"event":"compensation_stopped","of_run":"01983f2a-0000-7000-8000-000000000001","because":"the revert of policy 1753250000000 failed","databases":[{"service":"policy","database":"soc_policies","state":"between","version":1753250000000}],"next":["orchestrator revert all --run …"]}
        {"seq":29,"service":"policy","event":"compensation_given_up","of_run":"01983f2a-0000-7000-8000-000000000001","versions":[1753250000000]}
        {"seq":30,"event":"release_resolved","release":"01983f2a-0000-7000-8000-000000000000","coordinator":"auth","decision":"rollback","finished":["auth"],"left":["policy"]}
        {"seq":31,"service":"policy","version":1753250000000,"event":"migration_executed","name":"add_indexes","duration_ms":424}
        {"seq":32,"service":"policy","event":"service_prepared","gid":"orchestrator:01983f2a-0000-7000-8000-000000000001:1:policy","open_ms":500}
        {"seq":33,"event":"release_decided","decision":"commit","coordinator":"policy"}
        {"seq":34,"service":"policy","event":"service_committed","held_ms":12,"open_ms":512,"locks":[{"relation":"public.controls","mode":"RowShareLock"},{"relation":"public.policies","mode":"AccessExclusiveLock"},{"relation":"public.policies","mode":"AccessShareLock"}]}
        {"seq":35,"event":"release_committed","databases":1,"window_ms":4}
        {"seq":36,"service":"policy","version":1753250000000,"event":"migration_rolled_back","name":"add_indexes","because":"auth did not get through"}
        {"seq":37,"service":"policy","version":1753250000000,"event":"sample_taken","rows":3}
        {"seq":38,"event":"cancel_requested","times":1,"cause":"SIGTERM","cancels_in_ms":8000}
        {"seq":39,"event":"cancel_requested","times":2,"cause":"grace_over"}
        {"seq":40,"service":"policy","version":1753250000000,"event":"migration_progress","running_ms":90000,"statement":"CREATE INDEX policies_title","phase":"building index: scanning table","done":45,"total":100,"remaining_ms":110000}
        {"seq":41,"event":"run_finished","verdict":"failed","exit_code":1,"applied":1,"reverted":0,"failed":1,"cancelled":0,"skipped":2,"duration_ms":510,"next":["orchestrator all"],"anchors":[{"service":"policy","database":"soc_policies","rows":3,"id":3,"hash":"5feceb66"}]}
        "#);
    }

    #[test]
    fn a_reader_that_went_away_stops_nothing() {
        struct Gone {
            writes: usize,
        }
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                self.writes += 1;
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut reporter = JsonLines::new(Gone { writes: 0 });
        for event in &everything().events {
            reporter.report(event);
        }
        assert_eq!(reporter.writer.writes, 1);
    }
}
