//! Whole runs as users see them, line by line.

use std::time::{Duration, Instant};

use insta::assert_snapshot;

use domain::{Direction, ExitStatus, Failure, RefusalKind, ServiceOutcome};

use super::samples::{Story, failure, totals};
use super::{Palette, PlainLines, Terminal, Verbosity};
use domain::Reporter;

const AUTH: i64 = 1_707_500_000_000;
const POLICY: i64 = 1_753_250_000_000;
const TEMPLATES: i64 = 1_753_260_000_000;

/// The contents of stdout and stderr afterwards.
fn streams(run: &Story, verbosity: Verbosity, width: Option<usize>) -> (String, String) {
    let terminal = Terminal {
        width,
        ..Terminal::default()
    };
    streams_of(run, verbosity, terminal)
}

fn streams_of(run: &Story, verbosity: Verbosity, terminal: Terminal) -> (String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut lines = PlainLines::new(verbosity, terminal, &mut out, &mut err);
    for event in &run.events {
        lines.report(event);
    }
    (
        String::from_utf8(out).unwrap(),
        String::from_utf8(err).unwrap(),
    )
}

#[test]
fn colours_change_nothing_but_colours() {
    let mut run = Story::new();
    auth_and_policy(&mut run, &["auth", "policy", "evidence"], 5);
    run.lock_waiting("policy", Some(4711), 3);
    policy_fails(&mut run, failure());
    for width in [None, Some(60)] {
        let (plain_out, plain_err) = streams(&run, Verbosity::Verbose, width);
        let painted = Terminal {
            width,
            out: Palette::new(true),
            err: Palette::new(true),
            ..Terminal::default()
        };
        let (out, err) = streams_of(&run, Verbosity::Verbose, painted);
        assert!(out.contains("\u{1b}[32mapplied\u{1b}[0m"), "{out}");
        assert!(
            err.contains("\u{1b}[1m\u{1b}[31merror[42703]\u{1b}[0m"),
            "{err}"
        );
        let strip = |text: &str| anstream::adapter::strip_str(text).to_string();
        assert_eq!(strip(&out), plain_out);
        assert_eq!(strip(&err), plain_err);
    }
}

/// Both streams, what is on stderr marked.
fn rendered(run: &Story, verbosity: Verbosity) -> String {
    reported_within(run, verbosity, None)
}

fn reported_within(run: &Story, verbosity: Verbosity, width: Option<usize>) -> String {
    let (out, err) = streams(run, verbosity, width);
    assert!(
        out.lines()
            .chain(err.lines())
            .all(|line| line == line.trim_end()),
        "blanks at the end of a line"
    );
    if err.is_empty() {
        out
    } else {
        format!("{out}--- stderr ---\n{err}")
    }
}

fn auth_and_policy(run: &mut Story, services: &[&str], steps: usize) {
    run.run_started(services, &["client"], steps);
    run.database_created("auth", "soc_auth");
    run.service_started("auth", 1);
    run.started("auth", AUTH, "initial_schema", 1, None);
    run.applied("auth", AUTH, "initial_schema", 424);
    run.finished("auth", ServiceOutcome::Done, 1, 0, 430);
    run.service_started("policy", 2);
    run.started("policy", POLICY, "initial_schema", 1, None);
    run.applied("policy", POLICY, "initial_schema", 61_000);
    run.started("policy", TEMPLATES, "add_policy_templates", 2, None);
}

fn policy_fails(run: &mut Story, failure: Failure) {
    run.failed("policy", TEMPLATES, failure);
    run.finished("policy", ServiceOutcome::Failed, 1, 0, 61_100);
    run.skipped("evidence", "policy failed", 2);
    run.finished("evidence", ServiceOutcome::Skipped, 0, 0, 0);
    let next = ["orchestrator run policy   # fix the file first"];
    run.run_finished(ExitStatus::Failed, totals(2, 0, 1, 2, 61_600), &next);
}

fn success() -> Story {
    let mut run = Story::new();
    auth_and_policy(&mut run, &["auth", "policy"], 3);
    run.applied("policy", TEMPLATES, "add_policy_templates", 9);
    run.finished("policy", ServiceOutcome::Done, 2, 0, 61_020);
    run.run_finished(ExitStatus::Done, totals(3, 0, 0, 0, 61_500), &[]);
    run
}

#[test]
fn a_run_with_one_service_unchanged() {
    assert_snapshot!(rendered(&success(), Verbosity::Normal), @r"
    Applying 3 migrations to 2 services, 1 is up to date.
    created                auth    database soc_auth
    applied        0.42 s  auth    1707500000000 initial_schema
    applied    1 min 01 s  policy  1753250000000 initial_schema
    applied          9 ms  policy  1753260000000 add_policy_templates

    service  applied    duration  state
    auth           1      0.43 s  done
    policy         2  1 min 01 s  done
    up to date: client

    2 services, 3 migrations applied in 1 min 02 s, 1 service up to date
    ");
}

#[test]
fn quietly_only_the_last_line_is_said() {
    assert_snapshot!(rendered(&success(), Verbosity::Quiet), @r"
    2 services, 3 migrations applied in 1 min 02 s, 1 service up to date
    ");
}

#[test]
fn one_service_alone_needs_no_table() {
    let mut run = Story::new();
    run.run_started(&["policy"], &[], 1);
    run.service_started("policy", 1);
    run.started("policy", POLICY, "initial_schema", 1, None);
    run.applied("policy", POLICY, "initial_schema", 120);
    run.finished("policy", ServiceOutcome::Done, 1, 0, 130);
    run.run_finished(ExitStatus::Done, totals(1, 0, 0, 0, 140), &[]);
    assert_snapshot!(rendered(&run, Verbosity::Normal), @r"
    Applying 1 migration to policy.
    applied        0.12 s  policy  1753250000000 initial_schema
    1 service, 1 migration applied in 0.14 s
    ");
}

#[test]
fn a_failure_points_into_the_file() {
    let mut run = Story::new();
    auth_and_policy(&mut run, &["auth", "policy", "evidence"], 5);
    policy_fails(&mut run, failure());
    assert_snapshot!(rendered(&run, Verbosity::Normal), @r#"
    Applying 5 migrations to 3 services, 1 is up to date.
    created                auth      database soc_auth
    applied        0.42 s  auth      1707500000000 initial_schema
    applied    1 min 01 s  policy    1753250000000 initial_schema

    service   applied    duration  state
    auth            1      0.43 s  done
    policy     1 of 2  1 min 01 s  failed at 1753260000000 add_policy_templates
    evidence   0 of 2              skipped: policy failed
    up to date: client

    Failed after 1 min 02 s: 1 migration failed, 2 migrations applied, 2 not started
    next: orchestrator run policy   # fix the file first
    --- stderr ---
    error[42703]: column "titel" does not exist
      --> services/policy/migrations/V1753260000000__add_policy_templates.sql:14:27
       |
    14 |     SELECT id, lower(title), titel FROM policies;
       |                              ^^^^^
       |
       = hint: Perhaps you meant to reference the column "policies.title".
       = state: policy 1753260000000 add_policy_templates is rolled back; nothing of it remains in the database; 1 migration applied before it remains
    next: orchestrator run policy   # fix the file first
    "#);
    assert_snapshot!(rendered(&run, Verbosity::Quiet), @r#"
    Failed after 1 min 02 s: 1 migration failed, 2 migrations applied, 2 not started
    --- stderr ---
    error[42703]: column "titel" does not exist
      --> services/policy/migrations/V1753260000000__add_policy_templates.sql:14:27
       |
    14 |     SELECT id, lower(title), titel FROM policies;
       |                              ^^^^^
       |
       = hint: Perhaps you meant to reference the column "policies.title".
       = state: policy 1753260000000 add_policy_templates is rolled back; nothing of it remains in the database; 1 migration applied before it remains
    next: orchestrator run policy   # fix the file first
    "#);
}

#[test]
fn a_narrow_terminal_gets_shorter_lines() {
    let mut run = Story::new();
    auth_and_policy(&mut run, &["auth", "policy", "evidence"], 5);
    policy_fails(&mut run, failure());
    assert_snapshot!(reported_within(&run, Verbosity::Normal, Some(60)), @r#"
    Applying 5 migrations to 3 services, 1 is up to date.
    created                auth      database soc_auth
    applied        0.42 s  auth      1707500000000
                                     initial_schema
    applied    1 min 01 s  policy    1753250000000
                                     initial_schema

    service   applied    duration  state
    auth            1      0.43 s  done
    policy     1 of 2  1 min 01 s  failed at 1753260000000
                                   add_policy_templates
    evidence   0 of 2              skipped: policy failed
    up to date: client

    Failed after 1 min 02 s: 1 migration failed, 2 migrations
    applied, 2 not started
    next: orchestrator run policy   # fix the file first
    --- stderr ---
    error[42703]: column "titel" does not exist
      --> services/policy/migrations/V1753260000000__add_policy_templates.sql:14:27
       |
    14 |     SELECT id, lower(title), titel FROM policies;
       |                              ^^^^^
       |
       = hint: Perhaps you meant to reference the column
               "policies.title".
       = state: policy 1753260000000 add_policy_templates is
                rolled back; nothing of it remains in the
                database; 1 migration applied before it remains
    next: orchestrator run policy   # fix the file first
    "#);
}

#[test]
fn a_failure_without_a_position_names_the_file() {
    let mut run = Story::new();
    auth_and_policy(&mut run, &["auth", "policy", "evidence"], 5);
    let lost = Failure {
        sqlstate: None,
        message:
            "the connection to the server was lost: terminating connection\nbecause of a crash"
                .to_owned(),
        hint: None,
        line: None,
        column: None,
        source_line: None,
        rolled_back: false,
        next: "orchestrator run policy".to_owned(),
        exit_code: ExitStatus::Unavailable,
        ..failure()
    };
    policy_fails(&mut run, lost);
    assert_snapshot!(streams(&run, Verbosity::Normal, None).1, @r"
    unavailable: the connection to the server was lost: terminating connection
                 because of a crash
     --> services/policy/migrations/V1753260000000__add_policy_templates.sql
      = state: it is unknown whether policy 1753260000000 add_policy_templates was committed; the next run checks before it changes anything; 1 migration applied before it remains
    next: orchestrator run policy
    ");
}

#[test]
fn a_failure_within_a_no_transaction_file_reports_what_stays() {
    let mut run = Story::new();
    auth_and_policy(&mut run, &["auth", "policy", "evidence"], 5);
    let half = Failure {
        sqlstate: Some("23505".to_owned()),
        message: "could not create unique index \"policies_title_key\"".to_owned(),
        detail: Some("Key (title)=(日本) is duplicated.".to_owned()),
        hint: None,
        context: Some(
            "SQL statement \"SELECT 1\"\nPL/pgSQL function f() line 3 at PERFORM".to_owned(),
        ),
        column: Some(1),
        source_line: Some(
            "CREATE UNIQUE INDEX CONCURRENTLY policies_title_key ON policies (title);".to_owned(),
        ),
        statements_done: Some(2),
        statements: Some(7),
        rolled_back: false,
        next: "orchestrator run policy".to_owned(),
        ..failure()
    };
    policy_fails(&mut run, half);
    assert_snapshot!(streams(&run, Verbosity::Normal, None).1, @r#"
    error[23505]: could not create unique index "policies_title_key"
      --> services/policy/migrations/V1753260000000__add_policy_templates.sql:14:1
       |
    14 | CREATE UNIQUE INDEX CONCURRENTLY policies_title_key ON policies (title);
       | ^^^^^^
       |
       = detail: Key (title)=(日本) is duplicated.
       = context: SQL statement "SELECT 1"
                  PL/pgSQL function f() line 3 at PERFORM
       = state: policy 1753260000000 add_policy_templates is interrupted: 2 of 7 statements done; the next run resumes there; 1 migration applied before it remains
    next: orchestrator run policy
    "#);
}

#[test]
fn a_failed_revert_reports_that_the_migration_stays() {
    let mut run = Story::new().reverting();
    run.run_started(&["policy"], &[], 1);
    run.service_started("policy", 1);
    run.started("policy", TEMPLATES, "add_policy_templates", 1, None);
    let stays = Failure {
        direction: Direction::Down,
        ..failure()
    };
    run.failed("policy", TEMPLATES, stays);
    run.finished("policy", ServiceOutcome::Failed, 0, 0, 20);
    run.run_finished(
        ExitStatus::Failed,
        totals(0, 0, 1, 0, 30),
        &["orchestrator revert policy"],
    );
    assert_snapshot!(rendered(&run, Verbosity::Normal), @r#"
    Reverting 1 migration of policy.
    Failed after 0.03 s: 1 migration failed, nothing reverted
    next: orchestrator revert policy
    --- stderr ---
    error[42703]: column "titel" does not exist
      --> services/policy/migrations/V1753260000000__add_policy_templates.sql:14:27
       |
    14 |     SELECT id, lower(title), titel FROM policies;
       |                              ^^^^^
       |
       = hint: Perhaps you meant to reference the column "policies.title".
       = state: the revert of policy 1753260000000 add_policy_templates is rolled back; the migration is still applied
    next: orchestrator run policy   # fix the file first
    "#);
}

#[test]
fn waiting_for_a_lock_is_said_once_for_each_holder() {
    let mut run = Story::new();
    run.run_started(&["policy"], &[], 1);
    run.lock_waiting("policy", None, 0);
    run.lock_waiting("policy", Some(4711), 3);
    run.lock_waiting("policy", Some(4711), 8);
    run.lock_waiting("policy", Some(4712), 65);
    run.service_started("policy", 1);
    run.unchanged("policy", POLICY, "initial_schema");
    run.finished("policy", ServiceOutcome::Done, 0, 0, 9_000);
    run.run_finished(ExitStatus::Done, totals(0, 0, 0, 0, 9_010), &[]);
    assert_snapshot!(rendered(&run, Verbosity::Normal), @r"
    Applying 1 migration to policy.
    waiting                policy  for the lock held by another run
    waiting                policy  for the lock held by pid 4711 (soc, orchestrator, from 10.0.0.3, connected for 3 s, idle)
    waiting                policy  for the lock held by pid 4712 (soc, orchestrator, from 10.0.0.3, connected for 1 min 05 s, idle)
    unchanged              policy  1753250000000 initial_schema (done by another run)
    Nothing to do: policy is up to date.
    ");
}

#[test]
fn a_retry_names_whom_it_met() {
    let mut run = Story::new();
    run.run_started(&["policy"], &[], 1);
    run.service_started("policy", 1);
    run.started("policy", POLICY, "add_column", 1, None);
    run.blocked("policy", POLICY, 510, &[991]);
    run.retrying("policy", POLICY, 1, &[991]);
    run.blocked("policy", POLICY, 500, &[991]);
    run.retrying("policy", POLICY, 2, &[991]);
    run.blocked("policy", POLICY, 500, &[991, 992]);
    run.retrying("policy", POLICY, 3, &[991, 992]);
    run.retrying("policy", POLICY, 4, &[992, 991]);
    run.retrying("policy", POLICY, 5, &[]);
    run.unblocked("policy", POLICY, 900);
    run.applied("policy", POLICY, "add_column", 2_100);
    run.finished("policy", ServiceOutcome::Done, 1, 0, 2_110);
    run.run_finished(ExitStatus::Done, totals(1, 0, 0, 0, 2_120), &[]);
    assert_snapshot!(rendered(&run, Verbosity::Normal), @r"
    Applying 1 migration to policy.
    blocked        0.51 s  policy  1753250000000 add_column is waiting for pid 991 (app, psql, idle in transaction for 5 min 00 s): UPDATE policies SET title = 'x'
    retrying               policy  1753250000000 add_column attempt 1 of 10 failed, next in 0.25 s: lock held by pid 991
    blocked        0.50 s  policy  1753250000000 add_column is waiting for pid 991 (app, psql, idle in transaction for 5 min 00 s): UPDATE policies SET title = 'x', and pid 992
    retrying               policy  1753250000000 add_column attempt 3 of 10 failed, next in 0.75 s: lock held by pid 991 and pid 992
    retrying               policy  1753250000000 add_column attempt 5 of 10 failed, next in 1.25 s: canceling statement due to lock timeout (55P03)
    unblocked      0.90 s  policy  1753250000000 add_column acquired the lock
    applied        2.10 s  policy  1753250000000 add_column
    1 service, 1 migration applied in 2.12 s
    ");
}

#[test]
fn a_gate_is_waited_for_in_one_line() {
    let mut run = Story::new();
    run.run_started(&["policy"], &[], 1);
    run.gate_waiting("policy", "auth", &[AUTH, AUTH + 1]);
    run.gate_waiting("policy", "auth", &[AUTH, AUTH + 1]);
    run.gate_waiting("policy", "auth", &[AUTH + 1]);
    run.gate_met("policy", "auth", &[AUTH + 1], 12_300);
    run.service_started("policy", 1);
    run.applied("policy", POLICY, "initial_schema", 120);
    run.finished("policy", ServiceOutcome::Done, 1, 0, 130);
    run.run_finished(ExitStatus::Done, totals(1, 0, 0, 0, 12_500), &[]);
    assert_snapshot!(rendered(&run, Verbosity::Normal), @r"
    Applying 1 migration to policy.
    waiting                policy  for auth 1707500000000 and 1707500000001
    waiting                policy  for auth 1707500000001
    released      12.30 s  policy  auth 1707500000001 is applied
    applied        0.12 s  policy  1753250000000 initial_schema
    1 service, 1 migration applied in 12.50 s
    ");
}

#[test]
fn a_refusal_names_the_way_out() {
    let mut run = Story::new();
    run.run_started(&["policy", "evidence"], &["auth"], 2);
    run.refused(
        "policy",
        RefusalKind::Divergent,
        "V1753250000000__initial_schema.sql was edited after it was applied",
        "orchestrator run policy   # first restore the file as it was applied",
    );
    run.finished("policy", ServiceOutcome::Refused, 0, 0, 3);
    run.skipped("evidence", "policy was refused", 1);
    run.finished("evidence", ServiceOutcome::Skipped, 0, 0, 0);
    run.run_finished(
        ExitStatus::Refused,
        totals(0, 0, 0, 2, 20),
        &["orchestrator status policy"],
    );
    assert_snapshot!(rendered(&run, Verbosity::Normal), @r"
    Applying 2 migrations to 2 services, 1 is up to date.

    service   applied  duration  state
    policy          0            refused
    evidence   0 of 1            skipped: policy was refused
    up to date: auth

    Refused after 0.02 s: nothing applied, 2 not started
    next: orchestrator status policy
    --- stderr ---
    refused: policy: V1753250000000__initial_schema.sql was edited after it was applied
    next: orchestrator run policy   # first restore the file as it was applied
    ");
}

#[test]
fn a_server_that_is_down_is_explained_once() {
    let mut run = Story::new();
    run.run_started(&["auth", "client", "policy"], &[], 3);
    for service in ["auth", "client", "policy"] {
        run.unavailable(
            service,
            "cannot connect to 10.0.0.9:5432: connection refused",
        );
        run.finished(service, ServiceOutcome::Unavailable, 0, 0, 0);
    }
    let next = ["orchestrator run policy   # first start the server"];
    run.run_finished(ExitStatus::Unavailable, totals(0, 0, 0, 3, 20), &next);
    assert_snapshot!(rendered(&run, Verbosity::Quiet), @r"
    Unavailable after 0.02 s: nothing applied, 3 not started
    --- stderr ---
    unavailable: auth: cannot connect to 10.0.0.9:5432: connection refused
    next: orchestrator run policy   # first start the server
    unavailable: client, policy: same error as auth
    ");
}

#[test]
fn a_cancelled_run_lists_what_was_left_out() {
    let mut run = Story::new();
    auth_and_policy(&mut run, &["auth", "policy", "evidence"], 5);
    run.cancel(1);
    run.cancel(2);
    let cancelled = Failure {
        sqlstate: Some("57014".to_owned()),
        message: "canceling statement due to user request".to_owned(),
        hint: None,
        next: "orchestrator run policy".to_owned(),
        exit_code: ExitStatus::Cancelled,
        ..failure()
    };
    run.failed("policy", TEMPLATES, cancelled);
    run.finished("policy", ServiceOutcome::Cancelled, 1, 0, 61_100);
    run.skipped("evidence", "the run was cancelled", 2);
    run.finished("evidence", ServiceOutcome::Cancelled, 0, 0, 0);
    let next = ["orchestrator all"];
    run.run_finished(ExitStatus::Cancelled, totals(2, 0, 1, 2, 61_600), &next);
    assert_snapshot!(rendered(&run, Verbosity::Normal), @r"
    Applying 5 migrations to 3 services, 1 is up to date.
    created                auth      database soc_auth
    applied        0.42 s  auth      1707500000000 initial_schema
    applied    1 min 01 s  policy    1753250000000 initial_schema

    service   applied    duration  state
    auth            1      0.43 s  done
    policy     1 of 2  1 min 01 s  cancelled
    evidence   0 of 2              cancelled
    up to date: client

    Cancelled after 1 min 02 s: 1 migration failed, 2 migrations applied, 2 not started
    next: orchestrator all
    --- stderr ---
    Stopping: finishing the current steps, starting nothing new. A second signal cancels them on the server.
    Cancelling the current steps on the server and waiting for their rollback.
    cancelled[57014]: canceling statement due to user request
      --> services/policy/migrations/V1753260000000__add_policy_templates.sql:14:27
       |
    14 |     SELECT id, lower(title), titel FROM policies;
       |                              ^^^^^
       |
       = state: policy 1753260000000 add_policy_templates is rolled back; nothing of it remains in the database; 1 migration applied before it remains
    next: orchestrator run policy
    ");
}

#[test]
fn nothing_to_do_is_one_line() {
    let mut run = Story::new();
    let all = ["ai", "audit", "auth", "client", "control", "evidence"];
    run.run_started(&[], &all, 0);
    for service in all {
        run.finished(service, ServiceOutcome::Unchanged, 0, 0, 0);
    }
    run.run_finished(ExitStatus::Done, totals(0, 0, 0, 0, 12), &[]);
    assert_snapshot!(rendered(&run, Verbosity::Normal), @r"
    Nothing to do: 6 services are up to date.
    ");

    let mut run = Story::new().reverting();
    run.run_started(&[], &["policy"], 0);
    run.run_finished(ExitStatus::Done, totals(0, 0, 0, 0, 12), &[]);
    assert_snapshot!(rendered(&run, Verbosity::Normal), @r"
    Nothing to do: policy has no applied migration to revert.
    ");
}

#[test]
fn a_revert_goes_backwards() {
    let mut run = Story::new().reverting();
    run.run_started(&["policy", "auth"], &["ai"], 3);
    run.service_started("policy", 2);
    run.reverted("policy", TEMPLATES, "add_policy_templates", 12);
    run.reverted("policy", POLICY, "initial_schema", 80);
    run.finished("policy", ServiceOutcome::Done, 0, 2, 95);
    run.service_started("auth", 1);
    run.reverted("auth", AUTH, "initial_schema", 40);
    run.finished("auth", ServiceOutcome::Done, 0, 1, 45);
    run.run_finished(ExitStatus::Done, totals(0, 3, 0, 0, 150), &[]);
    assert_snapshot!(rendered(&run, Verbosity::Normal), @r"
    Reverting 3 migrations of 2 services, 1 has nothing to revert.
    reverted       0.01 s  policy  1753260000000 add_policy_templates
    reverted       0.08 s  policy  1753250000000 initial_schema
    reverted       0.04 s  auth    1707500000000 initial_schema

    service  reverted  duration  state
    policy          2    0.10 s  done
    auth            1    0.05 s  done
    nothing to revert: ai

    2 services, 3 migrations reverted in 0.15 s, nothing to revert in 1 service
    ");
}

#[test]
fn verbosely_statements_and_notices_are_said() {
    let mut run = Story::new();
    run.run_started(&["policy"], &[], 1);
    run.service_started("policy", 1);
    run.started("policy", TEMPLATES, "add_indexes", 1, Some((4, 1)));
    run.recovered("policy", TEMPLATES, 2, 4);
    run.notice(
        "policy",
        TEMPLATES,
        "NOTICE",
        "relation \"a\" already exists, skipping",
    );
    run.statement("policy", TEMPLATES, 3, 4, 15);
    run.notice(
        "policy",
        TEMPLATES,
        "WARNING",
        "there is\n no transaction in progress",
    );
    run.statement("policy", TEMPLATES, 4, 4, 200_000);
    run.applied("policy", TEMPLATES, "add_indexes", 200_050);
    run.finished("policy", ServiceOutcome::Done, 1, 0, 200_060);
    run.run_finished(ExitStatus::Done, totals(1, 0, 0, 0, 200_070), &[]);
    assert_snapshot!(rendered(&run, Verbosity::Verbose), @r#"
    run 01983f2a-0000-7000-8000-000000000001, version 0.1.0
    Applying 1 migration to policy.
    started                policy  lock acquired, 1 migration to run
    resumed                policy  1753260000000 add_indexes after statement 1 of 4
    recovered              policy  1753260000000 add_indexes statement 2 of 4: the index policies_title_idx exists and is valid
    notice                 policy  relation "a" already exists, skipping
    executed       0.02 s  policy  1753260000000 add_indexes statement 3 of 4
    warning                policy  there is no transaction in progress
    executed   3 min 20 s  policy  1753260000000 add_indexes statement 4 of 4
    applied    3 min 20 s  policy  1753260000000 add_indexes
    1 service, 1 migration applied in 3 min 20 s
    "#);
    assert_snapshot!(rendered(&run, Verbosity::Normal), @r"
    Applying 1 migration to policy.
    resumed                policy  1753260000000 add_indexes after statement 1 of 4
    recovered              policy  1753260000000 add_indexes statement 2 of 4: the index policies_title_idx exists and is valid
    warning                policy  there is no transaction in progress
    executed   3 min 20 s  policy  1753260000000 add_indexes statement 4 of 4
    applied    3 min 20 s  policy  1753260000000 add_indexes
    1 service, 1 migration applied in 3 min 20 s
    ");
}

#[test]
fn in_a_log_a_long_activity_is_shown_with_its_progress() {
    let mut run = Story::new();
    run.run_started(&["policy"], &[], 3);
    run.service_started("policy", 3);
    run.started("policy", POLICY, "add_index", 2, None);
    run.progress("policy", POLICY, 45);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut lines = PlainLines::new(Verbosity::Normal, Terminal::default(), &mut out, &mut err);
    for event in &run.events {
        lines.report(event);
    }
    lines.tick(Instant::now() + Duration::from_secs(12));
    lines.tick(Instant::now() + Duration::from_secs(13));
    let out = String::from_utf8(out).unwrap();
    let last = out.lines().last().unwrap();
    let (_, text) = last.split_once("policy").unwrap();
    assert_snapshot!(text.trim(), @"2/3  1753250000000 add_index  CREATE INDEX policies_title, building index: scanning table: 45 %, about 1 min 50 s left");
    assert_eq!(out.matches("add_index").count(), 1, "{out}");
}
