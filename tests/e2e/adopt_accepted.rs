//! What an accepted difference proves, and what it does not.

use serde_json::Value;
use tests::{Program, Server};

const INITIAL: &str = "1753250000000";
const POLICY_LEGACY: &str = "1753270000000";
const FIX_TRIGGER: &str = "1795338000000";
const SYNCHRONISED: &str = "1795350600000";

fn orchestrator(server: &Server) -> Program {
    Program::orchestrator(server).scratch_beside()
}

/// Writes down what stands in the way of an adoption; gives the file's path and text.
#[track_caller]
fn written_down(orchestrator: &Program, service: &str) -> (String, String) {
    let path = orchestrator.folder().join(format!("{service}.toml"));
    let file = path.to_str().expect("a path").to_owned();
    orchestrator.expect(&["adopt", service, "--write-drift", &file], 3);
    let text = std::fs::read_to_string(path).expect("the file");
    (file, text)
}

#[track_caller]
fn refusal(orchestrator: &Program, arguments: &[&str]) -> Value {
    let refused = orchestrator.expect(&[arguments, &["--output", "json"]].concat(), 3);
    refused.events_of("service_failed")[0]["refusal"].clone()
}

#[test]
fn a_trigger_function_touched_by_hand_does_not_pass_for_its_repair() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    let database = server.legacy_database("policy", 3);
    // Still broken: every UPDATE fails until fix_updated_at_trigger runs.
    server.query(
        &database,
        "CREATE OR REPLACE FUNCTION update_updated_at_column() RETURNS trigger LANGUAGE plpgsql \
           AS $$ BEGIN NEW.updatedAt = now(); RETURN NEW; /* touched */ END $$",
    );
    let (file, text) = written_down(&orchestrator, "policy");
    assert!(
        text.contains(&format!("version = {POLICY_LEGACY}")),
        "{text}"
    );
    let accept = ["adopt", "policy", "--accept-drift", &file];

    // Neither by an edited file nor by a baseline is the repair taken for done.
    let edited = orchestrator.folder().join("edited.toml");
    std::fs::write(&edited, text.replace(POLICY_LEGACY, FIX_TRIGGER)).expect("a file");
    let edited = edited.to_str().expect("a path");
    let beyond = ["adopt", "policy", "--accept-drift", edited];
    assert_eq!(refusal(&orchestrator, &beyond)["kind"], "drift");
    let vouched = [&beyond[..], &["--baseline", FIX_TRIGGER]].concat();
    assert_eq!(refusal(&orchestrator, &vouched)["kind"], "drift");

    orchestrator.expect(&accept, 0);
    let newest: i64 = POLICY_LEGACY.parse().expect("a version");
    assert_eq!(server.applied(&database).last(), Some(&newest));
    orchestrator.expect(&["run", "policy", "--with-dependencies"], 0);
    let id = server.insert(&database, "risks", &[]);
    server.query(
        &database,
        &format!("UPDATE risks SET title = 'x' WHERE id = '{id}'"),
    );
    orchestrator.expect(&["drift", "policy", "--accept-drift", &file], 0);
}

#[test]
fn grants_to_a_reporting_role_are_few_entries_and_stay_accepted_through_later_migrations() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    let database = server.legacy_database("policy", 1);
    server.query(
        &database,
        "CREATE ROLE reporting; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reporting; \
         ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reporting; \
         COMMENT ON TABLE policies IS 'of the board'; ALTER TABLE policies SET (fillfactor = 70)",
    );
    let (file, text) = written_down(&orchestrator, "policy");
    assert!(text.contains(&format!("version = {INITIAL}")), "{text}");
    assert_eq!(
        text.matches("GRANT SELECT TO reporting").count(),
        2,
        "{text}"
    );
    let accept = ["--accept-drift", &file];
    orchestrator.expect(&[&["adopt", "policy"], &accept[..]].concat(), 0);
    // These migrations add columns to policies.
    orchestrator.expect(&["run", "policy", "--with-dependencies"], 0);
    orchestrator.expect(&[&["drift", "policy"], &accept[..]].concat(), 0);
    // One privilege more is not what was reviewed; nor is one less an error.
    server.query(
        &database,
        "GRANT UPDATE ON risks TO reporting; REVOKE SELECT ON policies FROM reporting",
    );
    let drift = [&["drift", "policy"], &accept[..], &["--output", "json"]].concat();
    let found = orchestrator.expect(&drift, 4).json();
    let differences = &found["services"][0]["differences"];
    assert_eq!(
        differences.as_array().map(Vec::len),
        Some(1),
        "{differences}"
    );
    assert_eq!(differences[0]["object"], "public.risks");
    assert_eq!(differences[0]["facts"][0]["fact"], "grant");
    assert_eq!(
        differences[0]["facts"][0]["found"],
        "GRANT UPDATE TO reporting"
    );
    assert_eq!(differences[0]["facts"].as_array().map(Vec::len), Some(1));
}

#[test]
fn beyond_the_legacy_history_differences_are_accepted_only_with_a_baseline() {
    let server = Server::start();
    let orchestrator = orchestrator(&server);
    let database = server.synchronised_database("auth");
    server.query(
        &database,
        "CREATE ROLE reporting; GRANT SELECT ON roles, users TO reporting; CREATE INDEX by_hand ON roles (name)",
    );
    let (file, text) = written_down(&orchestrator, "auth");
    assert!(text.contains(SYNCHRONISED), "{text}");
    let accept = ["adopt", "auth", "--accept-drift", &file];
    let refused = refusal(&orchestrator, &accept);
    assert_eq!(refused["kind"], "drift");
    let next = refused["next"].as_str().unwrap_or_default();
    let command = format!("adopt auth --baseline {SYNCHRONISED} --accept-drift {file}");
    assert!(next.contains(&command), "{next}");
    orchestrator.expect(&command.split(' ').collect::<Vec<_>>(), 0);
    orchestrator.expect(&["run", "auth"], 0);
    orchestrator.expect(&["drift", "auth", "--accept-drift", &file], 0);
}
