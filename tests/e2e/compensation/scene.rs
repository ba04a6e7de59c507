//! Three services, one after another, and a migration that fails at the end.

use serde_json::Value;
use tests::{Outcome, Program, Server, Services};

const SERVICES: [&str; 3] = ["auth", "policy", "control"];
pub(crate) const UNDO: &[&str] = &["all", "--on-failure", "revert"];

/// auth ← policy ← control on a server of their own, with one migration each applied, and rows in their tables. Each has
/// two more, the last of which fails in control.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) services: Services,
    pub(crate) orchestrator: Program,
    before: Vec<String>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let server = Server::start();
        let services = Services::new();
        for (name, depends_on) in [
            ("auth", &[][..]),
            ("policy", &["auth"][..]),
            ("control", &["policy"][..]),
        ] {
            services
                .service(name, depends_on)
                .migration(1, "first", "CREATE TABLE a (id int)");
        }
        let orchestrator = Program::orchestrator(&server).services(&services);
        orchestrator.expect(&["all"], 0);
        for name in SERVICES {
            server.query(&database(name), "INSERT INTO a VALUES (1), (2)");
        }
        for (name, depends_on) in [
            ("auth", &[][..]),
            ("policy", &["auth"][..]),
            ("control", &["policy"][..]),
        ] {
            services
                .service(name, depends_on)
                .reversible(
                    2,
                    "second",
                    "ALTER TABLE a ADD COLUMN b int",
                    "ALTER TABLE a DROP COLUMN b",
                )
                .reversible(3, "third", "CREATE TABLE c (id int)", "DROP TABLE c");
        }
        let mut scene = Self {
            server,
            services,
            orchestrator,
            before: Vec::new(),
        };
        scene.third("control", "SELECT 1 / 0", "SELECT 1");
        scene.before = scene.contents();
        scene
    }

    pub(crate) fn third(&self, name: &str, up: &str, down: &str) {
        let depends_on: &[&str] = match name {
            "control" => &["policy"],
            "policy" => &["auth"],
            _ => &[],
        };
        let folder = self.services.service(name, depends_on);
        folder.reversible(3, "third", up, down);
    }

    pub(crate) fn without_revert(&self, name: &str, version: i64) {
        let folder = self.services.path().join(name).join("reverts");
        let name = ["", "", "second", "third"][usize::try_from(version).expect("a version")];
        std::fs::remove_file(folder.join(format!("V{version}__{name}.sql"))).expect("removed");
    }

    pub(crate) fn run(&self, arguments: &[&str], code: i32) -> Outcome {
        let arguments = [arguments, &["--output", "json"]].concat();
        self.orchestrator.expect(&arguments, code)
    }

    pub(crate) fn contents(&self) -> Vec<String> {
        let each = SERVICES
            .iter()
            .map(|name| self.server.contents(&database(name)));
        each.collect()
    }

    #[track_caller]
    pub(crate) fn assert_old(&self) {
        assert_eq!(self.contents(), self.before);
        assert_eq!(self.applied(), [vec![1], vec![1], vec![1]]);
        let verified = self.orchestrator.run(&["history", "--verify"]);
        assert_eq!(verified.code, 0, "{}", verified.stdout);
        assert_eq!(self.owed(), Vec::<String>::new());
    }

    pub(crate) fn applied(&self) -> Vec<Vec<i64>> {
        let each = SERVICES
            .iter()
            .map(|name| self.server.applied(&database(name)));
        each.collect()
    }

    /// What is recorded to be undone, as `auth 2`.
    pub(crate) fn owed(&self) -> Vec<String> {
        SERVICES
            .iter()
            .flat_map(|name| {
                let sql =
                    "SELECT service || ' ' || version FROM orchestrator.compensation ORDER BY 1";
                // Most databases never need the table.
                self.server
                    .try_query(&database(name), sql)
                    .unwrap_or_default()
            })
            .flatten()
            .collect()
    }

    /// Runs until policy's third migration is being undone, which waits, and kills the run there.
    pub(crate) fn interrupted(&self) -> String {
        self.third(
            "policy",
            "CREATE TABLE c (id int)",
            "DROP TABLE c; SELECT pg_advisory_xact_lock(7)",
        );
        let session = self.server.session("db_policy");
        session.run("SELECT pg_advisory_lock(7)");
        let run = self.orchestrator.watch(UNDO);
        let reverting = run.wait_for("the revert of policy", |event| {
            event["event"] == "migration_started"
                && event["direction"] == "down"
                && event["service"] == "policy"
        });
        run.signal(nix::sys::signal::Signal::SIGKILL);
        run.end();
        drop(session);
        self.third("policy", "CREATE TABLE c (id int)", "DROP TABLE c");
        reverting["run_id"].as_str().expect("a run").to_owned()
    }
}

pub(crate) fn database(service: &str) -> String {
    format!("db_{service}")
}

/// `service version` of the events of a kind, in order.
pub(crate) fn reported(outcome: &Outcome, kind: &str) -> Vec<String> {
    let events = outcome.events_of(kind);
    let words = events
        .iter()
        .map(|event| format!("{} {}", text(&event["service"]), event["version"]));
    words.collect()
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The last event.
pub(crate) fn finished(outcome: &Outcome) -> Value {
    outcome.events().pop().expect("an event")
}

pub(crate) fn run_id(outcome: &Outcome) -> String {
    text(&finished(outcome)["run_id"]).to_owned()
}

/// `service state version` of a compensation that stopped.
#[track_caller]
pub(crate) fn states(outcome: &Outcome) -> Vec<String> {
    let stopped = outcome.events_of("compensation_stopped");
    let [stopped] = stopped.as_slice() else {
        panic!("{}", outcome.stdout);
    };
    let states = stopped["databases"].as_array().expect("databases").iter();
    states
        .map(|it| {
            let (service, state) = (text(&it["service"]), text(&it["state"]));
            assert_eq!(it["database"], database(service));
            format!("{service} {state} {}", it["version"])
        })
        .collect()
}

#[track_caller]
pub(crate) fn assert_next(outcome: &Outcome, words: &str) {
    let next = finished(outcome)["next"].to_string();
    assert!(next.contains(words), "{next}");
}
