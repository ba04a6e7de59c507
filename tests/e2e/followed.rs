//! What is suggested is followed, exactly as it is printed: a shell or psql takes it, and it ends where it says.

use std::fs;
use std::process::{Command, Stdio};

use tests::{Outcome, Program, Server, Services, Session, suggestions};

/// A server, services, and a program that knows them by its flags only.
struct Scene {
    server: Server,
    services: Services,
    orchestrator: Program,
}

/// What was suggested, and not yet followed.
struct Suggested<'s> {
    scene: &'s Scene,
    command: String,
}

impl Scene {
    fn new() -> Self {
        let server = Server::start();
        let services = Services::new();
        let orchestrator = Program::named("orchestrator")
            .services(&services)
            .arg("--server-url")
            .arg(&server.url("postgres"));
        Self {
            server,
            services,
            orchestrator,
        }
    }

    /// A password is never printed.
    fn password(&self) -> String {
        let url = self.server.url("postgres");
        let login = url
            .split_once("://")
            .and_then(|(_, rest)| rest.split_once('@'));
        login
            .and_then(|(login, _)| login.split_once(':'))
            .map(|(_, password)| password.to_owned())
            .unwrap_or_default()
    }

    /// A service with a table.
    fn applied(&self, name: &str) {
        let sql = "CREATE TABLE t (id int)";
        self.services
            .service(name, &[])
            .reversible(1, "one", sql, "DROP TABLE t");
        self.orchestrator.expect(&["run", name], 0);
    }

    /// The first that a command suggests, which ends with a code.
    #[track_caller]
    fn ends(&self, arguments: &str, code: i32) -> Suggested<'_> {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        self.first_of(&self.orchestrator.expect(&arguments, code))
    }

    #[track_caller]
    fn first_of(&self, outcome: &Outcome) -> Suggested<'_> {
        let mut found = suggestions(outcome);
        assert!(!found.is_empty(), "{}{}", outcome.stdout, outcome.stderr);
        Suggested {
            scene: self,
            command: found.remove(0),
        }
    }
}

impl<'s> Suggested<'s> {
    /// What has to be done first, as the comment says.
    fn after(self, what: &str, work: impl FnOnce(&Scene)) -> Self {
        assert!(self.command.contains(what), "{}", self.command);
        work(self.scene);
        self
    }

    /// A shell runs it, in an environment that knows no address.
    #[track_caller]
    fn leads_to(self, code: i32) -> Outcome {
        let like = self.scene.orchestrator.command::<&str>(&[]);
        let binary = std::path::Path::new(like.get_program());
        let folder = binary.parent().expect("a folder").display();
        // Clients that are as new as the server.
        let pg_dump = self.scene.server.program("pg_dump");
        let clients = pg_dump.parent().expect("a folder").display();
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &self.command])
            .current_dir(self.scene.orchestrator.folder())
            .env_clear()
            .env("HOME", "/nonexistent")
            .env("PGPASSWORD", self.scene.password())
            .env("PATH", format!("{folder}:{clients}:/usr/bin:/bin"))
            .env("ORCHESTRATOR_LOCK_TIMEOUT", "1s")
            .env("ORCHESTRATOR_SCRATCH_SERVER", "same")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let outcome = Outcome::of(shell.spawn().expect("a shell"));
        assert_eq!(
            outcome.code, code,
            "{}\n{}{}",
            self.command, outcome.stdout, outcome.stderr
        );
        outcome
    }

    /// The server runs it, in a database.
    #[track_caller]
    fn run_as_sql(self, database: &str) {
        assert!(
            !self.command.starts_with("orchestrator"),
            "{}",
            self.command
        );
        self.scene.server.query(database, &self.command);
    }
}

#[test]
fn files_that_do_not_fit_the_history() {
    let scene = Scene::new();
    let (server, services) = (&scene.server, &scene.services);
    let migrations = |service: &str| services.path().join(service).join("migrations");

    scene.applied("edited");
    let first = migrations("edited").join("V1__one.sql");
    let text = fs::read(&first).expect("a file");
    fs::write(&first, "CREATE TABLE other (id int)").expect("a file");
    scene
        .ends("run edited", 3)
        .after("restoring", |_| fs::write(&first, &text).expect("a file"))
        .leads_to(0);
    fs::write(&first, "CREATE TABLE other (id int)").expect("a file");
    scene
        .ends("revert edited", 3)
        .after("restoring", |_| fs::write(&first, &text).expect("a file"))
        .leads_to(0);
    assert_eq!(server.applied("db_edited"), Vec::<i64>::new());

    scene.applied("absent");
    let (first, aside) = (
        migrations("absent").join("V1__one.sql"),
        services.path().join("aside.sql"),
    );
    let revert = services.path().join("absent/reverts/V1__one.sql");
    let back = fs::read(&revert).expect("a file");
    fs::remove_file(&revert).expect("removed");
    fs::rename(&first, &aside).expect("moved");
    scene
        .ends("run absent", 3)
        .after("includes the file", |_| {
            fs::rename(&aside, &first).expect("moved");
            fs::write(&revert, back).expect("a file");
        })
        .leads_to(0);

    let late = services.service("late", &[]);
    late.migration(5, "five", "SELECT 1");
    scene.orchestrator.expect(&["run", "late"], 0);
    late.migration(3, "three", "SELECT 1");
    let names = migrations("late");
    scene
        .ends("run late", 3)
        .after("to a version newer than 5", |_| {
            fs::rename(names.join("V3__three.sql"), names.join("V6__three.sql")).expect("moved");
        })
        .leads_to(0);
    assert_eq!(server.applied("db_late"), [5, 6]);

    let wrong = services.service("wrong", &[]);
    wrong.migration(1, "one", "SELECT 1/0");
    scene
        .ends("run wrong", 1)
        .after("fix ", |_| {
            wrong.migration(1, "one", "SELECT 1");
        })
        .leads_to(0);

    let half = services.service("half", &[]);
    let head = "-- migration: no-transaction\n";
    let file = |second: &str| format!("{head}CREATE TABLE t (id int);\n{second};\n");
    half.reversible(1, "one", &file("SELECT 1/count(*) FROM t"), "DROP TABLE t");
    scene
        .ends("run half", 1)
        .after("fix the data first", |scene| {
            scene.server.query("db_half", "INSERT INTO t VALUES (1)");
        })
        .leads_to(0);
    assert_eq!(server.applied("db_half"), [1]);

    let other = services.service("other", &[]);
    other.reversible(1, "one", &file("SELECT 1/0"), "DROP TABLE IF EXISTS t");
    scene.orchestrator.expect(&["run", "other"], 1);
    other.migration(1, "one", &file("SELECT 2/0"));
    scene.ends("run other", 3).leads_to(0);
    assert_eq!(
        server.value("db_other", "SELECT to_regclass('public.t') IS NULL"),
        "t"
    );

    fs::write(
        services.path().join("other/migrations/V1__twice.sql"),
        "SELECT 1",
    )
    .expect("a file");
    scene
        .ends("status other", 2)
        .after("correcting that", |scene| {
            let twice = scene.services.path().join("other/migrations/V1__twice.sql");
            fs::remove_file(twice).expect("removed");
        })
        .leads_to(0);
}

#[test]
fn orders_that_cannot_be_followed_as_they_are() {
    let scene = Scene::new();
    let (server, services) = (&scene.server, &scene.services);
    services
        .service("base", &[])
        .reversible(1, "one", "CREATE TABLE t (id int)", "DROP TABLE t")
        .reversible(2, "two", "CREATE TABLE u (id int)", "DROP TABLE u");
    services.service("top", &["base"]).reversible(
        1,
        "one",
        "-- migration: requires base@2\nCREATE TABLE t (id int)",
        "DROP TABLE t",
    );
    services.service("final", &[]).migration(
        1,
        "one",
        "-- migration: irreversible \"rows are gone\"\nSELECT 1",
    );
    services.service("apart", &[]).migration(
        1,
        "one",
        "-- migration: no-transaction\nCREATE TABLE t (id int)",
    );
    // A gate, above and below.
    scene.ends("run top", 3).leads_to(0);
    assert_eq!(server.applied("db_base"), [1, 2]);
    scene.orchestrator.expect(&["run", "top"], 0);
    scene.ends("revert base", 3).leads_to(0);
    assert_eq!(server.applied("db_base"), [1]);
    // What is pending.
    scene.ends("status base", 0).leads_to(0);
    assert_eq!(server.applied("db_base"), [1, 2]);
    scene.orchestrator.expect(&["run", "final"], 0);
    scene.ends("revert final", 3).leads_to(0);
    let written = fs::read_dir(services.path().join("final/migrations")).expect("a folder");
    assert_eq!(written.count(), 2);
    for orders in [
        "run nowhere",
        "run base --to 99",
        "run base top --to 1",
        "revert base --steps 9",
        "revert base --to 99",
        "adopt base --baseline 99",
        "run all --unknown-outcome done",
        "psql base top",
        "history all --believe journal",
        "revert base --run 01a206aa-6fc1-74fb-a6d7-bdc190fd875e",
        "check base --changed-since main",
        "plan base --output json --environment development --jobs 2 --to 99",
    ] {
        let code = match orders {
            _ if orders.starts_with("revert base --steps") || orders == "revert base --to 99" => 3,
            _ => 2,
        };
        let outcome = scene
            .orchestrator
            .run(&orders.split(' ').collect::<Vec<_>>());
        assert!(
            [2, code].contains(&outcome.code),
            "{orders}: {}",
            outcome.stderr
        );
        // What clap refuses shows the usage instead.
        if !suggestions(&outcome).is_empty() {
            let followed = scene.first_of(&outcome).command;
            let shown = Suggested {
                scene: &scene,
                command: followed,
            };
            shown.leads_to(0);
        }
    }
    scene.ends("all --atomic", 3).leads_to(0);
    assert_eq!(server.applied("db_apart"), [1]);
    scene
        .ends("all --atomic --on-failure revert", 2)
        .leads_to(0);
    scene.ends("run base --backup-folder x", 2).leads_to(0);
    scene
        .ends("graph --format dot --output json", 2)
        .leads_to(0);
    services
        .service("fresh", &[])
        .migration(1, "one", "SELECT 1");
    scene.ends("adopt fresh", 3).leads_to(0);
    assert_eq!(server.applied("db_fresh"), [1]);

    // Production.
    services
        .service("base", &[])
        .migration(3, "three", "CREATE TABLE v (id int)");
    let config = services.path().join("it's production.toml");
    fs::write(&config, "").expect("a file");
    let outcome = scene.orchestrator.expect(
        &[
            "run",
            "base",
            "--environment",
            "production",
            "--config",
            config.to_str().expect("a path"),
        ],
        3,
    );
    scene.first_of(&outcome).leads_to(0);
    assert_eq!(server.applied("db_base"), [1, 2, 3]);

    // A compensation that fails, and is finished.
    services
        .service("base", &[])
        .reversible(4, "four", "CREATE TABLE w (id int)", "DROP TABLE x");
    services
        .service("base", &[])
        .migration(5, "five", "SELECT 1/0");
    let stopped = scene.orchestrator.expect(
        &["run", "base", "--on-failure", "revert", "--output", "json"],
        1,
    );
    let command = suggestions(&stopped)
        .into_iter()
        .find(|command| command.contains("revert base --run"));
    let resume = Suggested {
        scene: &scene,
        command: command.expect("the command that goes on"),
    };
    resume
        .after("reverts/V4__four.sql", |scene| {
            let base = scene.services.at("base");
            base.file("reverts/V4__four.sql", "DROP TABLE w");
        })
        .leads_to(0);
    assert_eq!(server.applied("db_base"), [1, 2, 3]);
}

#[test]
fn what_is_wrong_with_a_database() {
    let scene = Scene::new();
    let (server, services) = (&scene.server, &scene.services);
    scene.applied("shop");
    // Somebody holds a lock.
    services
        .service("shop", &[])
        .migration(2, "two", "ALTER TABLE t ADD b int");
    let holder: Session = server.session("db_shop");
    holder.run("BEGIN; LOCK TABLE t IN ACCESS SHARE MODE");
    scene
        .ends("run shop --lock-retries 0", 5)
        .after("end the session that holds the lock", |_| {
            holder.run("COMMIT")
        })
        .leads_to(0);
    assert_eq!(server.applied("db_shop"), [1, 2]);
    let findings = |kind: &str| {
        let found = scene
            .orchestrator
            .run(&["doctor", "shop", "--output", "json"]);
        let document = found.json();
        let finding = document["findings"]
            .as_array()
            .and_then(|all| all.iter().find(|finding| finding["kind"] == kind))
            .unwrap_or_else(|| panic!("{kind}: {document}"));
        Suggested {
            scene: &scene,
            command: finding["next"].as_str().expect("a command").to_owned(),
        }
    };
    server.query(
        "db_shop",
        "CREATE INDEX i ON t (id); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass",
    );
    findings("invalid_index").run_as_sql("db_shop");
    server.query(
        "db_shop",
        "ALTER TABLE t ADD CONSTRAINT c CHECK (id > 0) NOT VALID",
    );
    findings("not_valid").run_as_sql("db_shop");
    server.query(
        "postgres",
        "ALTER DATABASE db_shop SET default_transaction_read_only = on",
    );
    findings("read_only").run_as_sql("postgres");
    scene.orchestrator.expect(&["doctor", "shop"], 0);

    // History and journal disagree: the schema says which of them is right.
    server.query(
        "db_shop",
        "DELETE FROM refinery_schema_history WHERE version = 2",
    );
    scene.ends("run shop", 3).leads_to(4);
    let disagreement = findings("history_and_journal");
    let (_, believe) = disagreement
        .command
        .split_once(": ")
        .expect("both commands stand in the comment");
    let believe = believe.split("; ").next().expect("a command").to_owned();
    disagreement.leads_to(4);
    Suggested {
        scene: &scene,
        command: believe,
    }
    .leads_to(0);
    assert_eq!(server.applied("db_shop"), [1, 2]);
    server.query("db_shop", "ALTER TABLE t DROP CONSTRAINT c");
    scene.orchestrator.expect(&["run", "shop"], 0);

    // A role without rights, and one without its password.
    server.query("postgres", "CREATE ROLE limited LOGIN PASSWORD 'x'");
    services
        .service("fresh", &[])
        .migration(1, "one", "SELECT 1");
    server.create_database("db_fresh");
    let limited = Program::named("orchestrator")
        .services(services)
        .arg("--server-url")
        .arg(&server.url_as("limited", "x", "postgres"));
    let refused = limited.expect(&["run", "fresh"], 3);
    scene.first_of(&refused).run_as_sql("db_fresh");
    limited.expect(&["run", "fresh"], 0);

    // A database that is in the way of another's restore.
    scene
        .ends("restore shop --from latest --yes", 2)
        .leads_to(0);
    let user = server.session("db_shop");
    user.run("SELECT 1");
    scene
        .ends("restore shop --from latest --yes", 3)
        .leads_to(0);
    assert_eq!(server.applied("db_shop"), [1, 2]);

    let away = Program::named("orchestrator")
        .services(services)
        .arg("--server-url")
        .arg("postgres://u@127.0.0.1:1/postgres");
    let unreachable = away.expect(&["run", "shop"], 5);
    scene.first_of(&unreachable).leads_to(5);
}

#[test]
fn findings_of_files() {
    let scene = Scene::new();
    let shop = scene.services.service("shop", &[]);
    shop.reversible(1, "one", "CREATE TABLE t (id int)", "SELECT 1");
    let fixed = |_: &Scene| {
        shop.reversible(
            1,
            "one",
            "CREATE TABLE t (id bigint PRIMARY KEY)",
            "DROP TABLE t",
        );
    };
    scene
        .ends("rehearse shop --scratch-server same", 4)
        .after("fix the files", fixed)
        .leads_to(0);
    shop.reversible(
        2,
        "two",
        "ALTER TABLE t ALTER COLUMN id TYPE int",
        "ALTER TABLE t ALTER COLUMN id TYPE bigint",
    );
    scene
        .ends("check shop --scratch-server same", 4)
        .after("fix the errors", |_| {
            shop.reversible(
                2,
                "two",
                "CREATE TABLE u (id bigint PRIMARY KEY)",
                "DROP TABLE u",
            );
        })
        .leads_to(0);
}
