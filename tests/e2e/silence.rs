//! No command waits forever for an answer that does not arrive: at any request of any command one connection, or the whole network,
//! falls silent.
//!
//! Some commands and points are tried, chosen by a seed that a failure prints; `TESTS_FAULTS=all` takes every one, and
//! `TESTS_FAULTS="doctor --fix --yes"` every point of one command.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tests::{Place, Program, Proxy, Server, Services, Side};

/// How many commands are tried, and how many points of each.
const SAMPLE: (usize, usize) = (5, 3);

/// What the databases are like before the command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Two of three migrations are applied; there are a backup and an invalid index.
    Migrated,
    /// As another tool left them.
    Legacy,
    /// The same, adopted.
    Adopted,
}

const COMMANDS: [(&str, State); 24] = [
    ("status", State::Migrated),
    ("plan", State::Migrated),
    ("history", State::Migrated),
    ("history --verify", State::Migrated),
    ("doctor", State::Migrated),
    ("doctor --fix --yes", State::Migrated),
    ("drift shop", State::Migrated),
    ("rehearse shop --every", State::Migrated),
    ("rehearse shop --from live", State::Migrated),
    ("check", State::Migrated),
    ("schema dump shop --stdout", State::Migrated),
    ("adopt shop --dry-run", State::Legacy),
    ("adopt shop", State::Legacy),
    ("adopt shop --undo", State::Adopted),
    ("backup shop", State::Migrated),
    ("backup shop --verify restore", State::Migrated),
    ("restore shop --from latest --dry-run", State::Migrated),
    ("restore shop --from latest", State::Migrated),
    (
        "restore shop --from latest --terminate --drop-old",
        State::Migrated,
    ),
    ("run all", State::Migrated),
    ("run shop --backup", State::Migrated),
    ("run all --atomic", State::Migrated),
    ("revert shop", State::Migrated),
    ("revert all --all", State::Migrated),
];

/// A server, its services, and the databases as they are before the command.
struct World {
    server: Server,
    services: Services,
    backups: tempfile::TempDir,
}

const DATABASES: [&str; 2] = ["db_base", "db_shop"];

impl World {
    fn new(state: State) -> Self {
        let world = Self {
            server: Server::with(&[("max_prepared_transactions", "5")]),
            services: Services::new(),
            backups: tempfile::tempdir().expect("a folder"),
        };
        for (name, depends_on) in [("base", &[][..]), ("shop", &["base"])] {
            let service = world.services.service(name, depends_on);
            for (version, table) in [(1, "first"), (2, "second")] {
                service.reversible(
                    version,
                    table,
                    &format!("CREATE TABLE {table} (id int PRIMARY KEY);\n"),
                    &format!("DROP TABLE {table};\n"),
                );
            }
        }
        let direct = world.program(&world.server.url("postgres"));
        if state == State::Migrated {
            direct.expect(&["all"], 0);
            direct.expect(&world.arguments("backup shop"), 0);
            for name in ["base", "shop"] {
                world.services.service(name, &[]).reversible(
                    3,
                    "third",
                    "CREATE TABLE third (id int);\n",
                    "DROP TABLE third;\n",
                );
            }
            world.server.query(
                "db_shop",
                "CREATE INDEX broken ON first (id); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass",
            );
        } else {
            for database in DATABASES {
                world
                    .server
                    .query("postgres", &format!("CREATE DATABASE {database}"));
                world.server.create_legacy_table(database, "migrations");
                world.server.query(
                    database,
                    "INSERT INTO migrations (\"timestamp\", name) VALUES (1, 'First1'); CREATE TABLE first (id int PRIMARY KEY)",
                );
            }
        }
        if state == State::Adopted {
            direct.expect(&["adopt", "shop"], 0);
        }
        for database in DATABASES {
            let copy = format!("CREATE DATABASE kept_{database} TEMPLATE {database}");
            world.server.query("postgres", &copy);
        }
        world
    }

    /// Makes the databases what they were at first.
    fn reset(&self) {
        for database in self.server.databases() {
            if !database.starts_with("kept_") {
                let drop = format!("DROP DATABASE IF EXISTS \"{database}\" WITH (FORCE)");
                self.server.query("postgres", &drop);
            }
        }
        for database in DATABASES {
            let copy = format!("CREATE DATABASE {database} TEMPLATE kept_{database}");
            self.server.query("postgres", &copy);
        }
    }

    fn program(&self, url: &str) -> Program {
        Program::named("orchestrator")
            .env("ORCHESTRATOR_SERVER_URL", url)
            .services(&self.services)
            .scratch_beside()
            .arg("--jobs=1")
    }

    fn arguments(&self, command: &str) -> Vec<String> {
        let mut arguments: Vec<String> = command.split(' ').map(str::to_owned).collect();
        if ["backup", "restore", "run"].contains(&arguments[0].as_str())
            && command.contains("shop")
            && (arguments[0] != "run" || command.contains("--backup"))
        {
            let folder = self.backups.path().display().to_string();
            arguments.extend(["--backup-folder".to_owned(), folder]);
        }
        arguments
    }
}

/// What becomes silent, and what the user does.
#[derive(Clone, Copy, Debug)]
enum Harm {
    /// One connection, and the user waits.
    Connection,
    /// The network, and the user waits.
    Network,
    /// The network, and the user has no patience.
    Signals,
}

const HARMS: [Harm; 3] = [Harm::Connection, Harm::Network, Harm::Signals];

impl Harm {
    /// No command may take longer after the silence begins. What became of a COMMIT is looked up for 30 s.
    fn longest(self) -> Duration {
        Duration::from_secs(match self {
            Self::Connection | Self::Signals => 30,
            Self::Network => 50,
        })
    }
}

/// Gives what went wrong at a point, if anything did.
fn silence(world: &World, command: &str, place: &Place, side: Side, harm: Harm) -> Option<String> {
    world.reset();
    let proxy = Proxy::at(&world.server, place, side);
    let patience = match harm {
        Harm::Connection | Harm::Network => "1s",
        Harm::Signals => "10min",
    };
    let program = world
        .program(&proxy.url("postgres"))
        .env("ORCHESTRATOR_STALL_TIMEOUT", patience);
    let arguments = world.arguments(command);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut running = program.watch(&arguments);
    // The numbers of requests may be shifted by what is asked now and then.
    let reached = proxy.wait_until_reached(&mut running)?;
    match harm {
        Harm::Connection => {}
        Harm::Network => proxy.hold_all(),
        Harm::Signals => {
            proxy.hold_all();
            running.signal(Signal::SIGINT);
            std::thread::sleep(Duration::from_millis(200));
            running.signal(Signal::SIGTERM);
        }
    }
    let began = Instant::now();
    while !running.has_ended() && began.elapsed() < harm.longest() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let what = format!(
        "{command}: {harm:?} at {place} {side} ({:.160})",
        reached.request.sql
    );
    let took = began.elapsed();
    if !running.has_ended() {
        return Some(format!("{what}: did not end"));
    }
    let outcome = running.end();
    let right = match harm {
        // What only reads may have asked again.
        Harm::Connection | Harm::Network => &[0, 4, 5][..],
        // Before anything is changed a signal ends the program (-1).
        Harm::Signals => &[0, 4, 5, 130, -1],
    };
    if std::env::var("TESTS_FAULTS").is_ok() {
        eprintln!("{:>6} ms {} {what}", took.as_millis(), outcome.code);
    }
    if !right.contains(&outcome.code) {
        let (out, err) = (outcome.stdout, outcome.stderr);
        return Some(format!(
            "{what}: {} after {took:?}\n{out}{err}",
            outcome.code
        ));
    }
    None
}

#[test]
fn every_command_ends_when_no_answer_arrives() {
    let seed = std::env::var("TESTS_SEED")
        .ok()
        .and_then(|it| it.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    let wanted = std::env::var("TESTS_FAULTS").unwrap_or_default();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut commands = COMMANDS.to_vec();
    random.shuffle(&mut commands);
    let is_sample = ["", "sparse"].contains(&wanted.as_str());
    if is_sample {
        commands.truncate(SAMPLE.0);
    } else if wanted != "all" {
        commands.retain(|(command, _)| *command == wanted);
    }
    let failures = Mutex::new(Vec::new());
    for chunk in commands.chunks(SAMPLE.0) {
        std::thread::scope(|scope| {
            for (command, state) in chunk {
                let mut random = random.fork();
                let failures = &failures;
                scope.spawn(move || {
                    let world = World::new(*state);
                    let proxy = Proxy::start(&world.server);
                    let undisturbed = world
                        .program(&proxy.url("postgres"))
                        .run(&world.arguments(command));
                    assert!(
                        [0, 4].contains(&undisturbed.code),
                        "{command}: {undisturbed:#?}"
                    );
                    let requests = proxy.requests();
                    let mut points: Vec<_> = requests
                        .iter()
                        .flat_map(|request| [(request, Side::Before), (request, Side::After)])
                        .flat_map(|(request, side)| HARMS.map(|harm| (request, side, harm)))
                        .collect();
                    random.shuffle(&mut points);
                    if is_sample {
                        points.truncate(SAMPLE.1);
                    }
                    for (request, side, harm) in points {
                        let failure = silence(&world, command, &request.place, side, harm);
                        failures.lock().expect("no panic").extend(failure);
                    }
                });
            }
        });
    }
    let failures = failures.into_inner().expect("no panic");
    assert!(
        failures.is_empty(),
        "TESTS_SEED={seed}: {} failed:\n\n{}",
        failures.len(),
        failures.join("\n\n")
    );
}
