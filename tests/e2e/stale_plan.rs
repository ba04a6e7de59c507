//! A plan is made before the lock is obtained. What other runs did meanwhile makes it stale: nothing is done that would leave a gap.

use std::time::Duration;

use tests::{Program, Server, Services};

/// Four migrations; the third, in either direction, waits for readers of `held`.
fn service(services: &Services, name: &str) {
    services
        .service(name, &[])
        .reversible(
            1,
            "one",
            "CREATE TABLE held (id int);\n",
            "DROP TABLE held;\n",
        )
        .reversible(
            2,
            "two",
            "CREATE TABLE two (id int);\n",
            "DROP TABLE two;\n",
        )
        .reversible(
            3,
            "three",
            "ALTER TABLE held ADD COLUMN three int;\n",
            "ALTER TABLE held DROP COLUMN three;\n",
        )
        .reversible(
            4,
            "four",
            "CREATE TABLE four (id int);\n",
            "DROP TABLE four;\n",
        );
}

struct Scene {
    name: &'static str,
    /// Up to which version the service is applied before.
    to: &'static str,
    /// The command that holds the lock, and what it leaves.
    first: &'static [&'static str],
    leaves: &'static [i64],
    /// The command that is planned meanwhile.
    second: &'static [&'static str],
    /// What the second command leaves when it is run once more.
    then: &'static [i64],
}

const SCENES: &[Scene] = &[
    Scene {
        name: "a",
        to: "2",
        first: &["run", "a", "--to", "3"],
        leaves: &[1, 2, 3],
        second: &["revert", "a"],
        then: &[1, 2],
    },
    Scene {
        name: "b",
        to: "2",
        first: &["run", "b", "--to", "3"],
        leaves: &[1, 2, 3],
        second: &["revert", "b", "--all"],
        then: &[],
    },
    Scene {
        name: "c",
        to: "3",
        first: &["revert", "c"],
        leaves: &[1, 2],
        second: &["run", "c"],
        then: &[1, 2, 3, 4],
    },
    Scene {
        name: "d",
        to: "3",
        first: &["revert", "d", "--all"],
        leaves: &[],
        second: &["run", "d"],
        then: &[1, 2, 3, 4],
    },
    Scene {
        name: "e",
        to: "3",
        first: &["revert", "e"],
        leaves: &[1, 2],
        second: &["run", "e", "--atomic"],
        then: &[1, 2, 3, 4],
    },
];

#[test]
fn what_another_run_changed_while_the_lock_was_waited_for_is_not_built_upon() {
    let server = Server::with(&[("max_prepared_transactions", "10")]);
    let services = Services::new();
    SCENES
        .iter()
        .for_each(|scene| service(&services, scene.name));
    let orchestrator = Program::orchestrator(&server).services(&services);
    let under_way: Vec<_> = SCENES
        .iter()
        .map(|scene| {
            let database = format!("db_{}", scene.name);
            orchestrator.expect(&["run", scene.name, "--to", scene.to], 0);
            let reader = server.session(&database);
            reader.run("BEGIN; SELECT FROM held");
            let first = orchestrator.watch(scene.first);
            first.wait_for_event("migration_started");
            let second = orchestrator.watch(scene.second);
            second.wait_for_event("lock_waiting");
            reader.run("COMMIT");
            (scene, database, first, second)
        })
        .collect();
    for (scene, database, first, second) in under_way {
        let first = first.end();
        assert_eq!(first.code, 0, "{}: {}", scene.name, first.stdout);
        let second = second.end();
        assert_eq!(second.code, 3, "{}: {}", scene.name, second.stdout);
        let refused = &second.events_of("service_failed")[0]["refusal"];
        assert_eq!(refused["kind"], "stale_plan", "{}", scene.name);
        assert_eq!(server.applied(&database), scene.leaves, "{}", scene.name);
        orchestrator.expect(scene.second, 0);
        assert_eq!(server.applied(&database), scene.then, "{}", scene.name);
    }
}

#[test]
fn a_run_is_undone_as_a_whole_or_not_at_all_while_others_are_at_work() {
    let server = Server::start();
    let services = Services::new();
    for name in ["over", "under"] {
        service(&services, name);
    }
    let orchestrator = Program::orchestrator(&server).services(&services);
    let run = |name: &str, to: &str| {
        let arguments = ["run", name, "--to", to, "--output", "json"];
        let outcome = orchestrator.run(&arguments);
        assert_eq!(outcome.code, 0, "{}", outcome.stdout);
        let id = outcome.events()[0]["run_id"].as_str().map(str::to_owned);
        id.expect("an id")
    };
    let (over, under) = (run("over", "2"), run("under", "3"));
    for (name, first, second, codes, leaves) in [
        // Another run is about to apply something on top of it.
        (
            "over",
            &["run", "over", "--to", "3"][..],
            &["revert", "over", "--run", &over][..],
            (0, 3),
            &[1, 2, 3][..],
        ),
        // Another run is about to apply something while it is being undone.
        (
            "under",
            &["revert", "under", "--run", &under],
            &["run", "under"],
            (0, 3),
            &[][..],
        ),
    ] {
        let database = format!("db_{name}");
        let reader = server.session(&database);
        reader.run("BEGIN; SELECT FROM held");
        let first = orchestrator.watch(first);
        first.wait_for_event("migration_started");
        let second = orchestrator.watch(second);
        second.wait_for("it waits, or is refused at once", |event| {
            event["event"] == "lock_waiting" || event["event"] == "run_finished"
        });
        reader.run("COMMIT");
        let (first, second) = (first.end(), second.end());
        assert_eq!(
            (first.code, second.code),
            codes,
            "{name}: {}{}",
            first.stdout,
            second.stdout
        );
        assert_eq!(server.applied(&database), leaves, "{name}");
    }
}

#[test]
fn commands_of_all_kinds_at_once_leave_a_prefix_after_every_step() {
    let mut random = tests::random();
    let server = Server::with(&[
        ("max_connections", "100"),
        ("max_prepared_transactions", "10"),
    ]);
    let services = Services::new();
    let names = ["a", "b", "c"];
    names.iter().for_each(|name| service(&services, name));
    let orchestrator = Program::orchestrator(&server).services(&services);
    for name in names {
        orchestrator.expect(&["run", name, "--to", "2"], 0);
    }
    let kinds: [&[&str]; 8] = [
        &["run"],
        &["run", "--to", "3"],
        &["run", "--atomic"],
        &["run", "--on-failure", "revert"],
        &["revert"],
        &["revert", "--steps", "2"],
        &["revert", "--to", "1"],
        &["revert", "--all"],
    ];
    for _ in 0..2 {
        let commands: Vec<Vec<&str>> = (0..18)
            .map(|_| {
                let mut command = random.choice(kinds).unwrap_or_default().to_vec();
                command.insert(1, random.choice(names).unwrap_or_default());
                command
            })
            .collect();
        let running: Vec<_> = commands
            .iter()
            .map(|command| orchestrator.watch(command))
            .collect();
        for (command, run) in commands.iter().zip(running) {
            let outcome = run.end_within(Duration::from_secs(90));
            assert!(
                [0, 2, 3, 5].contains(&outcome.code),
                "{command:?}: {}\n{}",
                outcome.stdout,
                outcome.stderr
            );
        }
    }
    for name in names {
        let database = format!("db_{name}");
        let rows = server.query(
            &database,
            "SELECT version, outcome FROM orchestrator.journal WHERE outcome IN ('applied', 'reverted') ORDER BY id",
        );
        let mut applied: Vec<i64> = Vec::new();
        for row in rows {
            let version: i64 = row[0].parse().expect("a version");
            if row[1] == "applied" {
                assert_eq!(
                    version,
                    applied.last().copied().unwrap_or_default() + 1,
                    "{name}"
                );
                applied.push(version);
            } else {
                assert_eq!(applied.pop(), Some(version), "{name}");
            }
        }
        assert_eq!(server.applied(&database), applied, "{name}");
    }
}
