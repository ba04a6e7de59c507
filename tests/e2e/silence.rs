//! No command waits forever for an answer that does not arrive: at any request of any command one connection, or the whole network,
//! falls silent.
//!
//! The suite takes a sample in which each kind of silence befalls each command, and each kind of request (see `tests::sample`);
//! `TESTS_FAULTS="doctor --fix --yes"` takes every point of one command.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tests::{Points, Program, Proxy, Request, RequestKind, Server, Services, Side, part, seed};

/// Servers in each state. Most of the time is waited.
const WORKERS: usize = 10;

/// How often a point is tried that is not reached: what is asked now and then shifts the numbers of requests.
const MOST_TRIES: usize = 3;

/// What the databases are like before the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Two of three migrations are applied; there are a backup and an invalid index.
    Migrated,
    /// As another tool left them.
    Legacy,
    /// The same, adopted.
    Adopted,
}

const COMMANDS: [(&str, State); 26] = [
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
    ("schema diff shop", State::Migrated),
    ("generate shop Next --dry-run", State::Migrated),
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
            world.services.service("shop", &[]).file(
                "schema.sql",
                "CREATE TABLE first (id int PRIMARY KEY);\nCREATE TABLE second (id int PRIMARY KEY);\n\
                 CREATE TABLE third (id int, note text);\n",
            );
            world.server.query(
                "db_shop",
                "CREATE INDEX broken ON first (id); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass",
            );
        } else {
            for database in DATABASES {
                world.server.create_database(database);
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
            world
                .server
                .copy_database(database, format!("kept_{database}"));
        }
        world
    }

    /// Makes the databases what they were at first.
    fn reset(&self) {
        // A database with a prepared transaction cannot be dropped.
        let prepared = "SELECT database, gid FROM pg_prepared_xacts";
        for row in self.server.query("postgres", prepared) {
            let rollback = format!("ROLLBACK PREPARED '{}'", row[1]);
            self.server.query(&row[0], &rollback);
        }
        for database in self.server.databases() {
            if !database.starts_with("kept_") {
                let drop = format!("DROP DATABASE IF EXISTS \"{database}\" WITH (FORCE)");
                self.server.query("postgres", &drop);
            }
        }
        for database in DATABASES {
            self.server
                .copy_database(format!("kept_{database}"), database);
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// A command at a point.
#[derive(Clone, Debug)]
struct Case {
    command: &'static str,
    request: Request,
    side: Side,
    harm: Harm,
}

impl Case {
    /// What `TESTS_FAULTS` takes.
    fn name(&self) -> String {
        let (harm, place, side) = (self.harm, &self.request.place, self.side);
        format!("{harm:?}:{place}:{side}:{}", self.command)
    }

    /// Gives whether the point was reached, or what went wrong at it.
    fn run(&self, world: &World) -> Result<bool, String> {
        let (command, harm) = (self.command, self.harm);
        world.reset();
        let proxy = Proxy::at(&world.server, &self.request.place, self.side);
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
        let Some(reached) = proxy.wait_until_reached(&mut running) else {
            return Ok(false);
        };
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
        let took = began.elapsed();
        let what = format!(
            "TESTS_FAULTS='{}' ({:.160})",
            self.name(),
            reached.request.sql
        );
        if !running.has_ended() {
            return Err(format!("{what}: did not end"));
        }
        let outcome = running.end();
        let right = match harm {
            // What only reads may have asked again.
            Harm::Connection | Harm::Network => &[0, 4, 5][..],
            // Before anything is changed a signal ends the program (-1).
            Harm::Signals => &[0, 4, 5, 130, -1],
        };
        if Points::wanted() != Points::Sample {
            eprintln!("{:>6} ms {} {what}", took.as_millis(), outcome.code);
        }
        if right.contains(&outcome.code) {
            return Ok(true);
        }
        let (code, out, err) = (outcome.code, outcome.stdout, outcome.stderr);
        Err(format!("{what}: {code} after {took:?}\n{out}{err}"))
    }
}

/// A server, its commands, and the requests that each makes when nothing disturbs it.
struct Worker {
    world: World,
    commands: Vec<(&'static str, Vec<Request>)>,
}

impl Worker {
    fn new(state: State, commands: &[&'static str]) -> Self {
        let world = World::new(state);
        let requests = |command| {
            world.reset();
            let proxy = Proxy::start(&world.server);
            let program = world.program(&proxy.url("postgres"));
            let undisturbed = program.run(&world.arguments(command));
            let is_good = [0, 4].contains(&undisturbed.code);
            assert!(is_good, "{command}: {undisturbed:#?}");
            proxy.requests()
        };
        let commands = commands.iter().map(|it| (*it, requests(it))).collect();
        Self { world, commands }
    }
}

/// The commands of each worker: each has databases in one state.
fn shares(wanted: &Points) -> Vec<(State, Vec<&'static str>)> {
    let mut shares = Vec::new();
    for state in [State::Migrated, State::Legacy, State::Adopted] {
        let commands: Vec<&str> = COMMANDS
            .iter()
            .filter(|(command, its)| *its == state && is_wanted(wanted, command))
            .map(|(command, _)| *command)
            .collect();
        for first in 0..WORKERS.min(commands.len()) {
            let share = commands.iter().skip(first).step_by(WORKERS);
            shares.push((state, share.copied().collect()));
        }
    }
    shares
}

/// A name is a command, or a case of it.
fn is_wanted(wanted: &Points, command: &str) -> bool {
    match wanted {
        Points::Named(name) => name == command || name.ends_with(&format!(":{command}")),
        _ => true,
    }
}

/// Every case of a command.
fn all(command: &'static str, requests: &[Request]) -> Vec<Case> {
    let cases = requests.iter().flat_map(|request| {
        [Side::Before, Side::After]
            .into_iter()
            .flat_map(move |side| {
                HARMS.map(|harm| Case {
                    command,
                    request: request.clone(),
                    side,
                    harm,
                })
            })
    });
    cases.collect()
}

/// Of each command one case of each harm, at the kind of request at which that harm was taken least.
fn sample(commands: &[(&'static str, Vec<Request>)]) -> Vec<Case> {
    let mut random = fastrand::Rng::with_seed(seed());
    let mut taken: BTreeMap<(Harm, RequestKind), usize> = BTreeMap::new();
    let mut sample = Vec::new();
    for (command, requests) in commands {
        // The numbers of requests vary a little; their texts do not.
        let mut texts = BTreeSet::new();
        let mut distinct: Vec<&Request> = requests
            .iter()
            .filter(|it| texts.insert(it.sql.replace(|c: char| c.is_ascii_digit(), "")))
            .collect();
        distinct.sort_by(|one, other| one.sql.cmp(&other.sql));
        for harm in HARMS {
            random.shuffle(&mut distinct);
            let times = |it: &&&Request| taken.get(&(harm, it.kind())).copied().unwrap_or(0);
            let Some(request) = distinct.iter().min_by_key(times).copied() else {
                continue;
            };
            *taken.entry((harm, request.kind())).or_default() += 1;
            sample.push(Case {
                command,
                request: request.clone(),
                side: [Side::Before, Side::After][random.usize(..2)],
                harm,
            });
        }
    }
    sample
}

#[test]
fn every_command_ends_when_no_answer_arrives() {
    let wanted = Points::wanted();
    let workers: Vec<Worker> = std::thread::scope(|scope| {
        let starting: Vec<_> = shares(&wanted)
            .into_iter()
            .map(|(state, commands)| scope.spawn(move || Worker::new(state, &commands)))
            .collect();
        starting
            .into_iter()
            .map(|it| it.join().expect("a worker"))
            .collect()
    });
    let mut commands: Vec<_> = workers.iter().flat_map(|it| it.commands.clone()).collect();
    commands.sort_by_key(|(command, _)| *command);
    let every = || {
        commands
            .iter()
            .flat_map(|(command, requests)| all(command, requests))
    };
    let cases: Vec<Case> = match &wanted {
        Points::Sample => sample(&commands),
        Points::All => part(every().collect()),
        Points::Named(name) => {
            let of_command = COMMANDS.iter().any(|(command, _)| command == name);
            part(
                every()
                    .filter(|it| of_command || it.name() == *name)
                    .collect(),
            )
        }
    };
    let (failures, missed) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for worker in &workers {
            let ours = |case: &&Case| worker.commands.iter().any(|(it, _)| *it == case.command);
            let cases: Vec<&Case> = cases.iter().filter(ours).collect();
            let (failures, missed) = (&failures, &missed);
            scope.spawn(move || {
                for case in cases {
                    let mut tries = (0..MOST_TRIES).map(|_| case.run(&worker.world));
                    match tries.find(|it| *it != Ok(false)) {
                        Some(Ok(_)) => {}
                        Some(Err(failure)) => failures.lock().expect("no panic").push(failure),
                        None => missed.lock().expect("no panic").push(case.name()),
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no panic");
    let number = failures.len();
    assert!(
        failures.is_empty(),
        "{number} failed:\n\n{}",
        failures.join("\n\n")
    );
    let missed = missed.into_inner().expect("no panic");
    assert!(
        missed.len() * 10 <= cases.len(),
        "{} of {} points were not reached:\n{}",
        missed.len(),
        cases.len(),
        missed.join("\n")
    );
}
