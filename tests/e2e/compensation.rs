//! `--on-failure revert`: what a run has applied is undone when something in it fails, in the reverse order of the graph, and
//! journalled; what cannot be undone is named.

pub(crate) mod scene;

use self::scene::{Scene, UNDO, assert_next, database, finished, reported, run_id, states, text};

#[test]
fn everything_is_undone_in_the_reverse_order() {
    let scene = Scene::new();
    let outcome = scene.run(UNDO, 1);
    scene.assert_old();
    assert_eq!(
        reported(&outcome, "migration_reverted"),
        ["control 2", "policy 3", "policy 2", "auth 3", "auth 2"]
    );
    let end = finished(&outcome);
    assert_eq!(end["verdict"], "reverted", "{end}");
    assert_eq!(
        [&end["applied"], &end["reverted"], &end["failed"]],
        [5, 5, 1]
    );
    let started = &outcome.events_of("compensation_started")[0];
    assert_eq!(started["because"], "control 3 failed");
    assert_eq!(started["steps"], 5);
    assert_eq!(started["of_run"], end["run_id"]);
    assert_eq!(outcome.events_of("compensation_finished")[0]["reverted"], 5);
}

#[test]
fn the_journal_records_the_run_and_the_reason() {
    let scene = Scene::new();
    let run = run_id(&scene.run(UNDO, 1));
    let rows = scene.server.query(
        "db_policy",
        &format!(
            "SELECT direction, version, outcome, message FROM orchestrator.journal WHERE run_id = '{run}' ORDER BY id"
        ),
    );
    let because = "compensation: control 3 failed";
    assert_eq!(
        rows,
        [
            ["up", "2", "applied", ""],
            ["up", "3", "applied", ""],
            ["down", "3", "reverted", because],
            ["down", "2", "reverted", because]
        ]
    );
    let history = scene.orchestrator.expect(&["history", "policy"], 0).stdout;
    assert!(history.contains(because), "{history}");
}

#[test]
fn what_has_no_way_back_stops_it_and_every_database_is_named() {
    let scene = Scene::new();
    scene.without_revert("policy", 2);
    let outcome = scene.run(UNDO, 1);
    assert_eq!(
        reported(&outcome, "migration_reverted"),
        ["control 2", "policy 3"]
    );
    assert_eq!(
        states(&outcome),
        ["auth new 3", "control old 1", "policy between 2"]
    );
    let run = run_id(&outcome);
    assert_eq!(finished(&outcome)["verdict"], "failed");
    assert_next(&outcome, &format!("orchestrator revert all --run {run}"));
    assert_next(&outcome, "orchestrator restore auth policy --from latest");
    assert_eq!(scene.applied(), [vec![1, 2, 3], vec![1, 2], vec![1]]);

    // As long as it has none, going on stops there again; then it goes on.
    let again = scene.run(&["revert", "all", "--run", &run], 3);
    assert_eq!(states(&again), ["auth new 3", "policy new 2"]);
    let folder = scene.services.service("policy", &["auth"]);
    folder.file("reverts/V2__second.sql", "ALTER TABLE a DROP COLUMN b");
    let resumed = scene.run(&["revert", "all", "--run", &run], 0);
    assert_eq!(
        reported(&resumed, "migration_reverted"),
        ["policy 2", "auth 3", "auth 2"]
    );
    scene.assert_old();
}

#[test]
fn a_revert_that_fails_stops_it_and_every_database_is_named() {
    let scene = Scene::new();
    scene.third("policy", "CREATE TABLE c (id int)", "DROP TABLE d");
    let outcome = scene.run(UNDO, 1);
    assert_eq!(reported(&outcome, "migration_reverted"), ["control 2"]);
    assert_eq!(
        reported(&outcome, "migration_failed"),
        ["control 3", "policy 3"]
    );
    assert_eq!(
        states(&outcome),
        ["auth new 3", "control old 1", "policy new 3"]
    );
    let run = run_id(&outcome);
    assert_next(&outcome, &format!("orchestrator revert all --run {run}"));

    let refused = scene.run(&["all"], 3);
    let failed = refused.events_of("service_failed");
    assert!(
        !failed.is_empty()
            && failed
                .iter()
                .all(|it| it["refusal"]["kind"] == "compensation_interrupted"),
        "{}",
        refused.stdout
    );

    scene.third("policy", "CREATE TABLE c (id int)", "DROP TABLE c");
    scene.run(&["revert", "all", "--run", &run], 0);
    scene.assert_old();
}

#[test]
fn a_file_that_was_left_half_done_is_undone_too() {
    let scene = Scene::new();
    scene.third(
        "control",
        "-- migration: no-transaction\nCREATE TABLE c (id int);\nCREATE INDEX CONCURRENTLY a_id ON a (id);\nSELECT 1 / 0;",
        "-- migration: no-transaction\nDROP INDEX CONCURRENTLY a_id;\nDROP TABLE c;",
    );
    let outcome = scene.run(UNDO, 1);
    assert_eq!(reported(&outcome, "migration_reverted")[0], "control 3");
    assert_eq!(finished(&outcome)["verdict"], "reverted");
    scene.assert_old();
    assert_eq!(
        scene
            .server
            .value("db_control", "SELECT count(*) FROM orchestrator.progress"),
        "0"
    );
}

#[test]
fn a_file_that_was_left_half_done_without_a_way_back_is_named() {
    let scene = Scene::new();
    scene.third(
        "control",
        "-- migration: no-transaction\nCREATE TABLE c (id int);\nSELECT 1 / 0;",
        "",
    );
    scene.without_revert("control", 3);
    let outcome = scene.run(UNDO, 1);
    assert_eq!(
        reported(&outcome, "migration_reverted"),
        Vec::<String>::new()
    );
    assert_eq!(
        states(&outcome),
        ["auth new 3", "control between 2", "policy new 3"]
    );
}

#[test]
fn where_nothing_was_applied_nothing_is_undone_or_said() {
    let scene = Scene::new();
    scene.third("auth", "SELECT 1 / 0", "SELECT 1");
    std::fs::remove_file(scene.services.path().join("auth/migrations/V2__second.sql"))
        .expect("removed");
    std::fs::remove_file(scene.services.path().join("auth/reverts/V2__second.sql"))
        .expect("removed");
    let outcome = scene.run(UNDO, 1);
    assert_eq!(finished(&outcome)["verdict"], "failed");
    assert!(
        !outcome.stdout.contains("compensation"),
        "{}",
        outcome.stdout
    );
    scene.assert_old();
}

#[test]
fn a_gate_and_a_database_that_is_away_count_as_failures() {
    let scene = Scene::new();
    scene.third("control", "CREATE TABLE c (id int)", "DROP TABLE c");
    let folder = scene.services.service("control", &["policy"]);
    // The lock of its database is held by somebody else for longer than is waited.
    let holder = scene.server.session("db_control");
    let key = scene.server.value(
        "postgres",
        &format!("SELECT {}", pg_session::ADVISORY_LOCK_KEY),
    );
    holder.run(&format!("SELECT pg_advisory_lock({key})"));
    let impatient = [UNDO, &["--advisory-lock-wait", "200ms"]].concat();
    let outcome = scene.run(&impatient, 5);
    assert_eq!(
        reported(&outcome, "migration_reverted"),
        ["policy 3", "policy 2", "auth 3", "auth 2"]
    );
    drop(holder);
    scene.assert_old();

    // A gate on what nobody will apply.
    scene
        .services
        .service("audit", &[])
        .migration(1, "first", "SELECT 1");
    folder.reversible(
        3,
        "third",
        "-- migration: requires audit@1\nCREATE TABLE c (id int)",
        "DROP TABLE c",
    );
    let three = [
        "run",
        "auth",
        "policy",
        "control",
        "--on-failure",
        "revert",
        "--wait",
        "500ms",
    ];
    let outcome = scene.run(&three, 3);
    assert_eq!(
        reported(&outcome, "migration_reverted"),
        ["control 2", "policy 3", "policy 2", "auth 3", "auth 2"]
    );
    scene.assert_old();
}

#[test]
fn the_text_lists_what_is_undone_and_the_state_of_each_database() {
    let scene = Scene::new();
    let whole = scene.orchestrator.expect(UNDO, 1);
    for words in [
        "control 3 failed: undoing the 5 migrations that this run applied.",
        "reverted",
        "Undone: every database is as it was before this run.",
        "Reverted after",
    ] {
        assert!(whole.stdout.contains(words), "{words}: {}", whole.stdout);
    }
    scene.without_revert("policy", 2);
    let stopped = scene.orchestrator.expect(UNDO, 1);
    for line in [
        "service  database    catalog  newest applied",
        "auth     db_auth     new      3",
        "control  db_control  old      1",
        "policy   db_policy   between  2",
    ] {
        assert!(stopped.stderr.contains(line), "{line}: {}", stopped.stderr);
    }
    assert!(
        stopped.stdout.contains("orchestrator revert all --run "),
        "{}",
        stopped.stdout
    );
}

#[test]
fn killed_it_goes_on_with_revert_run() {
    let scene = Scene::new();
    let run = scene.interrupted();
    assert_eq!(scene.owed(), ["auth 2", "auth 3", "policy 2", "policy 3"]);
    let resumed = scene.run(&["revert", "all", "--run", &run], 0);
    assert_eq!(
        reported(&resumed, "migration_reverted"),
        ["policy 3", "policy 2", "auth 3", "auth 2"]
    );
    assert_eq!(resumed.events_of("compensation_started")[0]["of_run"], run);
    scene.assert_old();
    let message = "SELECT message FROM orchestrator.journal WHERE outcome = 'reverted' ORDER BY id DESC LIMIT 1";
    assert_eq!(
        scene.server.value("db_auth", message),
        "compensation: control 3 failed"
    );
    // There is nothing left of it.
    let nothing = scene.run(&["revert", "all", "--run", &run], 0);
    assert_eq!(finished(&nothing)["verdict"], "nothing_to_do");
}

#[test]
fn killed_it_goes_on_with_the_next_run_that_undoes() {
    let scene = Scene::new();
    let run = scene.interrupted();
    scene.third("control", "CREATE TABLE c (id int)", "DROP TABLE c");
    let outcome = scene.run(UNDO, 0);
    assert_eq!(
        reported(&outcome, "migration_reverted"),
        ["policy 3", "policy 2", "auth 3", "auth 2"]
    );
    assert_eq!(outcome.events_of("compensation_finished")[0]["of_run"], run);
    assert_eq!(
        reported(&outcome, "migration_applied"),
        [
            "auth 2",
            "auth 3",
            "policy 2",
            "policy 3",
            "control 2",
            "control 3"
        ]
    );
    assert_eq!(
        scene.applied(),
        [vec![1, 2, 3], vec![1, 2, 3], vec![1, 2, 3]]
    );
    assert_eq!(scene.owed(), Vec::<String>::new());
}

#[test]
fn after_a_kill_every_command_reports_the_interruption() {
    let scene = Scene::new();
    let run = scene.interrupted();
    let go_on = format!("orchestrator revert all --run {run}");
    let refused = scene.run(&["all"], 3);
    for failed in refused.events_of("service_failed") {
        assert_eq!(failed["refusal"]["kind"], "compensation_interrupted");
        let next = text(&failed["next"]);
        assert!(
            next.contains(&go_on) && next.contains("--on-failure revert"),
            "{next}"
        );
    }
    assert_eq!(
        reported(&refused, "migration_started"),
        Vec::<String>::new()
    );

    let status = scene.run(&["status"], 0).json();
    let compensation = &status["services"][0]["compensation"];
    assert_eq!(compensation["run_id"], run);
    assert_eq!(compensation["versions"], serde_json::json!([2, 3]));
    assert!(
        status["services"][1].get("compensation").is_none(),
        "{status}"
    );
    let status = scene.orchestrator.expect(&["status", "auth"], 0).stdout;
    assert!(status.contains(&go_on), "{status}");
    assert!(
        scene
            .orchestrator
            .expect(&["status"], 0)
            .stdout
            .contains("2 migrations to be undone")
    );

    let doctor = scene.run(&["doctor"], 4).json();
    let findings = doctor["findings"].as_array().expect("findings").iter();
    let ours: Vec<_> = findings
        .filter(|it| it["kind"] == "compensation_interrupted")
        .collect();
    assert_eq!(ours.len(), 2, "{doctor}");
    assert!(
        ours.iter().all(|it| text(&it["next"]).starts_with(&go_on)),
        "{doctor}"
    );
}

#[test]
fn a_plain_revert_clears_what_it_does() {
    let scene = Scene::new();
    let run = scene.interrupted();
    scene.run(&["revert", "policy", "--to", "1"], 0);
    assert_eq!(scene.owed(), ["auth 2", "auth 3"]);
    scene.run(&["revert", "auth"], 0);
    assert_eq!(scene.owed(), ["auth 2"]);
    scene.run(&["revert", "auth", "--run", &run], 0);
    scene.assert_old();
    scene.third("control", "CREATE TABLE c (id int)", "DROP TABLE c");
    scene.run(&["all"], 0);
}

#[test]
fn what_is_recorded_of_a_migration_that_is_gone_is_void() {
    let scene = Scene::new();
    scene.interrupted();
    for name in ["auth", "policy"] {
        scene.server.query(
            &database(name),
            "ALTER TABLE a DROP COLUMN b; DROP TABLE c; DELETE FROM refinery_schema_history WHERE version > 1",
        );
        scene.run(&["history", name, "--believe", "history"], 0);
    }
    scene.third("control", "CREATE TABLE c (id int)", "DROP TABLE c");
    scene.run(&["all"], 0);
    assert_eq!(scene.owed(), Vec::<String>::new());
}

#[test]
fn revert_run_undoes_what_a_run_applied_and_nothing_else() {
    let scene = Scene::new();
    scene.third("control", "CREATE TABLE c (id int)", "DROP TABLE c");
    let run = run_id(&scene.run(UNDO, 0));
    // Undone and applied again by others: theirs now.
    scene.run(&["revert", "control"], 0);
    scene.run(&["run", "control"], 0);
    let refused = scene.run(&["revert", "all", "--run", &run, "--dry-run"], 3);
    assert!(
        refused
            .stderr
            .contains("the newer 3 was applied by another run"),
        "{}",
        refused.stderr
    );
    scene.run(&["revert", "control"], 0);
    let outcome = scene.run(&["revert", "all", "--run", &run], 0);
    assert_eq!(
        reported(&outcome, "migration_reverted"),
        ["control 2", "policy 3", "policy 2", "auth 3", "auth 2"]
    );
    scene.assert_old();
}

#[test]
fn what_cannot_be_undone_can_be_kept() {
    let scene = Scene::new();
    scene.without_revert("policy", 2);
    let run = run_id(&scene.run(UNDO, 1));
    let kept = scene.run(&["revert", "all", "--run", &run, "--give-up"], 0);
    let reported: Vec<_> = kept
        .events_of("compensation_given_up")
        .iter()
        .map(|event| format!("{} {}", text(&event["service"]), event["versions"]))
        .collect();
    assert_eq!(reported, ["auth [2,3]", "policy [2]"]);
    assert_eq!(finished(&kept)["verdict"], "done");
    assert_eq!(scene.owed(), Vec::<String>::new());
    assert_eq!(scene.applied(), [vec![1, 2, 3], vec![1, 2], vec![1]]);
    let journal =
        "SELECT version, outcome, message FROM orchestrator.journal ORDER BY id DESC LIMIT 1";
    assert_eq!(
        scene.server.query("db_policy", journal),
        [["2", "kept", &format!("what run {run} applied is kept")]]
    );
    scene.third("control", "CREATE TABLE c (id int)", "DROP TABLE c");
    scene.run(&["all"], 0);
    scene.run(&["history", "--verify"], 0);
    assert_eq!(
        scene.run(&["doctor"], 0).json()["findings"],
        serde_json::json!([])
    );
    // There is nothing to give up any more.
    scene.run(&["revert", "all", "--run", &run, "--give-up"], 2);
    scene.run(&["revert", "all", "--give-up"], 2);
}

#[test]
fn an_unknown_run_and_contradictory_flags_are_refused() {
    let scene = Scene::new();
    let unknown = "01a2069b-f5e2-725d-9e6b-fdc9b1cb688a";
    let outcome = scene.run(&["revert", "all", "--run", unknown], 2);
    assert!(outcome.stderr.contains(unknown), "{}", outcome.stderr);
    for arguments in [
        &["revert", "all", "--run", "yesterday"][..],
        &["revert", "all", "--run", unknown, "--all"],
        &["revert", "all", "--run", unknown, "--steps", "1"],
        &["revert", "auth", "--run", unknown, "--to", "1"],
        &["revert", "auth", "--run", unknown, "--with-dependents"],
        &["revert", "auth", "--on-failure", "revert"],
    ] {
        scene.run(arguments, 2);
    }
}
