//! The main job: eleven services on an empty server, there and back.

use tests::{Program, Server};

const DATABASES: [&str; 11] = [
    "soc_auth",
    "soc_clients",
    "soc_policies",
    "soc_controls",
    "soc_evidence",
    "soc_workflows",
    "soc_reporting",
    "soc_audits",
    "soc_integrations",
    "soc_notifications",
    "soc_ai",
];

#[test]
fn all_services_go_up_down_and_up_to_the_same_catalogs() {
    let server = Server::start();
    let orchestrator = Program::orchestrator(&server);
    let schemas = || DATABASES.map(|database| server.schema(database));

    orchestrator.expect(&["all"], 0);
    let first = schemas();
    let again = orchestrator.expect(&["all"], 0);
    assert!(again.stdout.contains("Nothing to do"), "{}", again.stdout);

    orchestrator.expect(&["revert", "all", "--all"], 0);
    for schema in schemas() {
        let left: Vec<&str> = schema
            .lines()
            .filter(|line| line.starts_with("CREATE "))
            .collect();
        assert!(
            left.iter().all(|line| line.starts_with("CREATE EXTENSION")),
            "{left:?}"
        );
    }

    orchestrator.expect(&["all"], 0);
    assert_eq!(schemas(), first);
}
