//! `docs/recovery.md`, read and done: what the page speaks of is brought about before each command.

use std::time::Duration;

use tests::{Page, PageUser, Server, Session};

const PAGE: &str = include_str!("../../docs/recovery.md");
const USER: &str = "migrator";
const PASSWORD: &str = "secret";
const POLICIES: &str = "soc_policies";

#[test]
fn every_command_of_the_page_works_as_described() {
    let server = Server::with(&[("max_prepared_transactions", "5")]);
    let user = PageUser::migrator(&server);
    let orchestrator = user.orchestrator(&server);
    orchestrator.expect(&["all"], 0);

    let mut sessions: Vec<Session> = Vec::new();
    let mut looks = 0;
    Page::new("docs/recovery.md", PAGE).perform(&server, &user, |command| match command {
        "orchestrator doctor policy --idle-after 1s" => {
            let session = server.session_as("app", "app", POLICIES);
            session.run("BEGIN; SELECT 'for the report'");
            sessions.push(session);
            // It is to be idle for longer than the page asks for.
            std::thread::sleep(Duration::from_millis(2100));
        }
        "orchestrator run policy --yes" if looks == 0 => {
            orchestrator.expect(&["revert", "policy"], 0);
            server.query(POLICIES, "CREATE TABLE \"IDX_risk_controls_controlId\" ()");
            server.query(
                POLICIES,
                &format!("ALTER TABLE \"IDX_risk_controls_controlId\" OWNER TO {USER}"),
            );
        }
        "orchestrator doctor policy" => {
            looks += 1;
            bring_about(&server, looks);
        }
        "orchestrator doctor auth" => interrupt_a_release(&server),
        "orchestrator history policy --believe journal --yes" => {
            orchestrator.expect(&["run", "policy", "--yes"], 3);
        }
        _ => {}
    });
    assert_eq!(looks, 5);
}

/// Leaves a release prepared, and undecided.
fn interrupt_a_release(server: &Server) {
    let release = "01983f2a-0000-7000-8000-000000000001";
    let session = server.session_as(USER, PASSWORD, "soc_auth");
    session.run(&format!(
        "CREATE TABLE orchestrator.releases (run_id uuid PRIMARY KEY, participants jsonb NOT NULL, decision text, \
           decided_by text, decided_at timestamptz, finished_at timestamptz); \
         INSERT INTO orchestrator.releases (run_id, participants) VALUES ('{release}', \
           '[{{\"number\": 1, \"database\": \"soc_auth\", \"services\": [\"auth\"]}}]')"
    ));
    session.run(&format!(
        "BEGIN; LOCK TABLE users; PREPARE TRANSACTION 'orchestrator:{release}:1:auth'"
    ));
}

/// What `doctor` is to find the n-th time.
fn bring_about(server: &Server, look: usize) {
    match look {
        2 => {
            server.query(
                POLICIES,
                "SET ROLE migrator; CREATE TABLE notes (id int); INSERT INTO notes VALUES (1), (1)",
            );
            let session = server.session_as(USER, PASSWORD, POLICIES);
            session.fails("CREATE UNIQUE INDEX CONCURRENTLY notes_id ON notes (id)");
        }
        3 => drop(server.query(
            POLICIES,
            "ALTER TABLE notes ADD CONSTRAINT notes_id_positive CHECK (id > 0) NOT VALID",
        )),
        4 => {
            let session = server.session_as(USER, PASSWORD, POLICIES);
            session.run("BEGIN; LOCK TABLE notes; PREPARE TRANSACTION 'payroll-4711'");
        }
        5 => drop(server.query(
            POLICIES,
            "DROP TABLE notes; DELETE FROM refinery_schema_history WHERE version = 1795341600000",
        )),
        _ => {}
    }
}
