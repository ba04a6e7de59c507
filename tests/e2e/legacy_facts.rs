//! Each legacy migration leaves the catalog that the legacy system had after it: up, down and up again.

use tests::{Facts, LegacyFacts, Program, Server, legacy_facts};

/// One test per service, on a server with the newest schemas of what it depends on.
macro_rules! services {
    ($($service:ident),*) => {$(
        #[test]
        fn $service() {
            replay(stringify!($service));
        }
    )*};
}

services!(
    auth,
    client,
    policy,
    control,
    evidence,
    workflow,
    reporting,
    audit,
    integration,
    notification,
    ai
);

fn replay(service: &str) {
    let server = Server::start();
    let orchestrator = Program::orchestrator(&server);
    let legacy = legacy_facts(service);

    up(&server, &orchestrator, service, &legacy);
    orchestrator.expect(&["run", service], 0);
    down(&server, &orchestrator, service, &legacy);
    up(&server, &orchestrator, service, &legacy);
}

/// Applies the legacy migrations one by one.
fn up(server: &Server, orchestrator: &Program, service: &str, legacy: &[LegacyFacts]) {
    for step in legacy {
        let version = step.version.to_string();
        orchestrator.expect(
            &["run", service, "--with-dependencies", "--to", &version],
            0,
        );
        Facts::of(server, &step.database)
            .assert_are(&step.facts, &format!("{service} at {version}"));
    }
}

/// Takes a service from its newest version to the last legacy one, and on, one migration at a time, to nothing.
fn down(server: &Server, orchestrator: &Program, service: &str, legacy: &[LegacyFacts]) {
    let mut undone = Facts::of(server, &legacy[0].database);
    for step in legacy.iter().rev() {
        let version = step.version.to_string();
        orchestrator.expect(&["revert", service, "--to", &version], 0);
        Facts::of(server, &step.database).assert_are_restored(
            &step.facts,
            &undone,
            &format!("{service} back at {version}"),
        );
        undone = step.facts.clone();
    }
    orchestrator.expect(&["revert", service], 0);
    Facts::of(server, &legacy[0].database).assert_are_restored(
        &Facts::none(),
        &undone,
        &format!("{service} undone"),
    );
}
