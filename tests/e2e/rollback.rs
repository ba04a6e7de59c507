//! `docs/rollback.md`, read and done: what the page speaks of is brought about before each command.

use tests::{Page, PageUser, Server, Session};

const PAGE: &str = include_str!("../../docs/rollback.md");

#[test]
fn every_command_of_the_page_works_as_described() {
    let server = Server::start();
    let user = PageUser::migrator(&server);
    let orchestrator = user.orchestrator(&server);
    orchestrator.expect(&["all"], 0);

    let mut sessions: Vec<Session> = Vec::new();
    let mut compensations = 0;
    Page::new("docs/rollback.md", PAGE).perform(&server, &user, |command| match command {
        "orchestrator run control workflow --atomic --yes" => {
            orchestrator.expect(&["revert", "control", "workflow"], 0);
        }
        "orchestrator run audit --atomic --yes" => {
            orchestrator.expect(&["revert", "audit"], 0);
        }
        "orchestrator run control workflow --on-failure revert --yes" => {
            compensations += 1;
            if compensations == 1 {
                orchestrator.expect(&["revert", "control", "workflow"], 0);
                break_the_rule(&server);
            }
        }
        "orchestrator run policy --backup --keep 5 --yes" => {
            orchestrator.expect(&["run", "audit"], 0);
            orchestrator.expect(&["revert", "policy"], 0);
        }
        "orchestrator restore policy --from latest --yes" => {
            let session = server.session_as("app", "app", "soc_policies");
            session.run("SELECT 'an application at work'");
            sessions.push(session);
        }
        _ => {}
    });
    assert_eq!(compensations, 2);
    assert_eq!(sessions.len(), 1);
    assert!(
        !server
            .databases()
            .iter()
            .any(|name| name.starts_with("soc_policies_")),
        "{:?}",
        server.databases()
    );
}

/// An instance of a priority that the next migration does not take: it is from before the rule.
fn break_the_rule(server: &Server) {
    server.query(
        "soc_workflows",
        "ALTER TABLE workflow_instances DROP CONSTRAINT \"CHK_workflow_instances_priority\"; \
         WITH workflow AS (INSERT INTO workflows (\"organizationId\", name, \"createdBy\") \
           VALUES (gen_random_uuid(), 'Access review', 'import') RETURNING id) \
         INSERT INTO workflow_instances (\"workflowId\", \"organizationId\", name, \"initiatedBy\", priority) \
           SELECT id, gen_random_uuid(), 'Access review of May', 'import', 99 FROM workflow; \
         ALTER TABLE workflow_instances \
           ADD CONSTRAINT \"CHK_workflow_instances_priority\" CHECK (priority BETWEEN 1 AND 10) NOT VALID",
    );
}
