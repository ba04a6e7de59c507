//! What a rehearsal says of locks, rewrites and scans is what the server does.
//!
//! Each statement is run twice on the same database and rolled back: once before the observer, once by the test, which reads `pg_locks`
//! from a second session and what the server itself says of rewriting and verifying (its DEBUG1 messages). The two must agree.

mod seeded;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::{Checksum, Direction, Directives, Migration, Script, Version};
use engine::runner::{Moment, ObservedStep, StepObserver};
use pg_address::DatabaseAddress;
use pg_session::{ConnectOptions, Connections, Session};
use rehearsal::{LockMode, LockObserver, ObservedLocks, SeenLock};
use seeded::{BEFORE, OUTSIDE, Seeded, TRANSACTIONAL};

use tests::{Program, Server, Services};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// A database with the seeded tables, a session on it, and an observer.
struct Stage {
    server: Server,
    session: Session,
    observer: Arc<LockObserver>,
    runtime: tokio::runtime::Runtime,
}

impl Stage {
    fn new() -> Self {
        let server = Server::start();
        server.query("postgres", BEFORE);
        let options = ConnectOptions {
            application_name: "test".to_owned(),
            connect_timeout: Duration::from_secs(10),
            retry_for: Duration::ZERO,
            patience: Duration::ZERO,
        };
        let address =
            DatabaseAddress::parse(&server.url("postgres"), &BTreeMap::new()).expect("an address");
        let connections = Arc::new(Connections::new(options, 1));
        let runtime = runtime();
        let session = runtime
            .block_on(connections.session(&address, "refinery_schema_history"))
            .expect("a session");
        // Its statements are those of a file.
        runtime
            .block_on(session.enter_file())
            .expect("the settings of the database");
        let observer = LockObserver::new(connections, address);
        Self {
            server,
            session,
            observer,
            runtime,
        }
    }

    fn run(&self, sql: &str) {
        self.runtime
            .block_on(self.session.client().batch_execute(sql))
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// What the observer sees of a file whose statements are run in one transaction, and rolled back.
    fn observed(&self, text: &str) -> (Migration, ObservedLocks) {
        let migration = migration(text);
        let observed = ObservedStep {
            migration: &migration,
            direction: Direction::Up,
            session: &self.session,
        };
        self.run("BEGIN");
        self.runtime.block_on(async {
            let look = |moment| self.observer.look(observed, moment);
            look(Moment::Begun).await.expect("a look");
            for statement in pg_sql::split(text).expect("statements") {
                let started = Instant::now();
                self.session
                    .client()
                    .batch_execute(statement.text)
                    .await
                    .unwrap_or_else(|error| panic!("{}: {error:?}", statement.text));
                let done = Moment::Done {
                    offset: statement.offset,
                    took: started.elapsed(),
                };
                look(done).await.expect("a look");
            }
            look(Moment::BeforeCommit).await.expect("a look");
        });
        self.run("ROLLBACK");
        let seen = self.observer.take(migration.version);
        (migration, seen)
    }

    /// What the observer sees of a statement that runs outside of any transaction.
    fn observed_outside(&self, text: &str) -> (Migration, ObservedLocks) {
        let migration = migration(text);
        let observed = ObservedStep {
            migration: &migration,
            direction: Direction::Up,
            session: &self.session,
        };
        let statement = pg_sql::split(text).expect("statements")[0];
        self.runtime.block_on(async {
            let running = Box::pin(async {
                self.session
                    .client()
                    .batch_execute(statement.text)
                    .await
                    .unwrap_or_else(|error| panic!("{text}: {error:?}"));
            });
            self.observer
                .look_on(observed, statement.offset, running)
                .await;
        });
        let seen = self.observer.take(migration.version);
        (migration, seen)
    }

    /// The truth: the strongest mode by relation, seen from a second session, and what the server says of rewriting and verifying.
    fn truth(&mut self, text: &str) -> Truth {
        let stood = self.stood();
        self.session.take_notices();
        self.run("SET client_min_messages = debug1");
        self.run("BEGIN");
        self.run(text);
        let locks = self.locks_of(i64::from(self.session.pid()), &stood);
        self.run("ROLLBACK");
        self.run("RESET client_min_messages");
        let mut truth = Truth {
            locks,
            ..Truth::default()
        };
        for notice in self.session.take_notices() {
            let message = notice.message();
            let quoted: Vec<&str> = message.split('"').collect();
            let table = |index: usize| {
                let name = quoted.get(index).copied().unwrap_or_default();
                format!("public.{name}")
            };
            if message.starts_with("rewriting table") {
                truth.rewritten.insert(table(1));
            } else if message.starts_with("verifying table") {
                truth.scanned.insert(table(1));
            } else if message.starts_with("building index") {
                truth.scanned.insert(table(3));
            } else if message.starts_with("validating foreign key constraint") {
                truth.scanned.insert("public.evidence".to_owned());
            }
        }
        if text.starts_with("TRUNCATE") {
            // The indexes that it builds are those of nothing.
            truth.scanned.clear();
        }
        truth
            .scanned
            .retain(|table| stood.values().any(|name| name == table));
        truth
    }

    /// The relations that stand, by number; indexes by the name of their table.
    fn stood(&self) -> BTreeMap<String, String> {
        self.server
            .query(
                "postgres",
                "SELECT c.oid, COALESCE(i.indrelid, c.oid)::regclass, c.relnamespace::regnamespace \
                 FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid \
                 WHERE c.relnamespace = 'public'::regnamespace",
            )
            .into_iter()
            .map(|row| (row[0].clone(), format!("public.{}", row[1])))
            .collect()
    }

    fn locks_of(&self, pid: i64, stood: &BTreeMap<String, String>) -> BTreeMap<String, LockMode> {
        let mut locks = BTreeMap::new();
        for row in self.server.query(
            "postgres",
            &format!(
                "SELECT relation, mode, (SELECT relkind IN ('i', 'I') FROM pg_class WHERE oid = relation) \
                 FROM pg_locks WHERE pid = {pid} AND locktype = 'relation'"
            ),
        ) {
            let Some(name) = stood.get(&row[0]) else { continue };
            let mode = LockMode::parse(&row[1]).expect("a mode");
            let is_index = row[2] == "t";
            if !is_index || mode == LockMode::AccessExclusive {
                let known = locks.entry(name.clone()).or_insert(mode);
                *known = mode.max(*known);
            }
        }
        locks
    }
}

#[derive(Debug, Default)]
struct Truth {
    locks: BTreeMap<String, LockMode>,
    rewritten: BTreeSet<String>,
    scanned: BTreeSet<String>,
}

fn migration(text: &str) -> Migration {
    Migration {
        version: Version::new(1),
        name: "seeded".to_owned(),
        checksum: Checksum::new(1),
        script: Script {
            path: "V1__seeded.sql".to_owned(),
            text: text.into(),
            directives: Directives::default(),
        },
        revert: None,
    }
}

fn modes(locks: &[SeenLock]) -> BTreeMap<String, LockMode> {
    locks
        .iter()
        .map(|lock| {
            let mode = LockMode::parse(&lock.mode).expect("a mode");
            (lock.relation.clone(), mode)
        })
        .collect()
}

fn names(locks: &[SeenLock], which: impl Fn(&SeenLock) -> bool) -> BTreeSet<String> {
    let chosen = locks.iter().filter(|lock| which(lock));
    chosen.map(|lock| lock.relation.clone()).collect()
}

fn qualified(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| format!("public.{name}")).collect()
}

#[test]
fn what_a_transaction_locks_reads_and_rewrites_is_seen() {
    let mut stage = Stage::new();
    let mut wrong = Vec::new();
    for Seeded {
        sql,
        also_read,
        written_anew,
        findings,
    } in TRANSACTIONAL
    {
        let truth = stage.truth(sql);
        let (migration, seen) = stage.observed(sql);
        let locks = seen.locks(&migration.script);
        let rules: Vec<&str> = seen
            .drafts(&migration.script)
            .iter()
            .map(|draft| draft.rule.slug)
            .collect();
        let mut scanned = truth.scanned.clone();
        scanned.extend(qualified(also_read));
        let mut rewritten = truth.rewritten.clone();
        rewritten.extend(qualified(written_anew));
        let mut differs = |what: &str, seen: String, truth: String| {
            if seen != truth {
                wrong.push(format!("{sql}\n  {what}: seen {seen}\n  in truth {truth}"));
            }
        };
        differs(
            "locks",
            format!("{:?}", modes(&locks)),
            format!("{:?}", truth.locks),
        );
        differs(
            "rewritten",
            format!("{:?}", names(&locks, |lock| lock.rewritten)),
            format!("{rewritten:?}"),
        );
        differs(
            "scanned",
            format!("{:?}", names(&locks, |lock| lock.scanned)),
            format!("{scanned:?}"),
        );
        differs("findings", format!("{rules:?}"), format!("{findings:?}"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_runs_outside_of_a_transaction_is_seen_in_each_of_its_phases() {
    let stage = Stage::new();
    for (sql, expected) in OUTSIDE {
        let started = Instant::now();
        let (migration, seen) = stage.observed_outside(sql);
        let locks = seen.locks(&migration.script);
        assert!(seen.notes.is_empty(), "{sql}: {:?}", seen.notes);
        let modes = modes(&locks);
        for (table, mode) in *expected {
            let seen = modes.get(&format!("public.{table}"));
            assert_eq!(seen, Some(mode), "{sql}: {locks:?}");
        }
        let rewritten = names(&locks, |lock| lock.rewritten);
        let rewrites = sql.starts_with("VACUUM FULL");
        assert_eq!(
            rewritten,
            qualified(if rewrites { &["plain"] } else { &[] }),
            "{sql}"
        );
        let drafts = seen.drafts(&migration.script);
        let rules: Vec<&str> = drafts.iter().map(|draft| draft.rule.slug).collect();
        assert_eq!(
            rules,
            if rewrites {
                vec!["rewrites-table"]
            } else {
                vec![]
            },
            "{sql}"
        );
        assert!(started.elapsed() < Duration::from_secs(2), "{sql} waited");
    }
}

#[test]
fn the_words_are_what_others_cannot_do() {
    let server = Server::start();
    server.query(
        "postgres",
        "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); CREATE SEQUENCE s;",
    );
    let (holder, other) = (server.session("postgres"), server.session("postgres"));
    other.run("SET lock_timeout = '30ms'");
    for mode in LockMode::ALL {
        holder.run("BEGIN");
        let words = mode.as_str().trim_end_matches("Lock");
        let name = words
            .chars()
            .flat_map(|c| [c.is_ascii_uppercase().then_some(' '), Some(c)])
            .flatten()
            .collect::<String>();
        holder.run(&format!("LOCK TABLE t IN {name} MODE"));
        let waits = |sql: &str| other.try_run(sql).is_err();
        let found = (
            waits("SELECT id FROM t"),
            waits("SELECT id FROM t FOR UPDATE"),
            waits("UPDATE t SET id = 1"),
        );
        holder.run("ROLLBACK");
        let expected = match mode.blocks('r').map(|blocks| blocks.words()) {
            None => (false, false, false),
            Some("blocks writes") => (false, false, true),
            Some("blocks writes and SELECT FOR UPDATE") => (false, true, true),
            Some("blocks reads and writes") => (true, true, true),
            Some(words) => panic!("{mode}: {words}"),
        };
        assert_eq!(found, expected, "{mode}");
    }
    holder.run("BEGIN; ALTER SEQUENCE s INCREMENT BY 2");
    let mode = LockMode::parse(&server.value(
        "postgres",
        "SELECT mode FROM pg_locks WHERE relation = 's'::regclass AND locktype = 'relation' ORDER BY mode DESC LIMIT 1",
    ));
    let words = mode
        .and_then(|mode| mode.blocks('S'))
        .map(|blocks| blocks.words());
    assert_eq!(words, Some("blocks nextval"));
    other.fails("SELECT nextval('s')");
}

#[test]
fn what_is_said_names_tables_locks_and_times() {
    let stage = Stage::new();
    let mut said = Vec::new();
    for sql in [
        "CREATE INDEX ON controls (owner)",
        "ALTER TABLE evidence ADD FOREIGN KEY (control_id) REFERENCES controls",
        "ALTER TABLE evidence ADD CONSTRAINT again FOREIGN KEY (control_id) REFERENCES controls NOT VALID;\n\
         ALTER TABLE evidence VALIDATE CONSTRAINT again",
        "ALTER TABLE plain ALTER COLUMN id TYPE bigint",
        "REFRESH MATERIALIZED VIEW totals",
        "ALTER TABLE controls ADD COLUMN extra int;\nUPDATE controls SET extra = 2",
    ] {
        let (migration, seen) = stage.observed(sql);
        for draft in seen.drafts(&migration.script) {
            let words: Vec<&str> = draft.message.split(' ').collect();
            let message: Vec<&str> = words
                .iter()
                .enumerate()
                .map(|(at, word)| match words.get(at + 1) {
                    Some(&"ms") => "N",
                    _ => word,
                })
                .collect();
            said.push(message.join(" "));
        }
    }
    insta::assert_snapshot!(said.join("\n"));
}

/// A table with an index that the next migration adds.
fn indexed(up: &str, down: &str) -> Services {
    let services = Services::new();
    services
        .service("control", &[])
        .reversible(
            1,
            "controls",
            "CREATE TABLE controls (id int, owner int);",
            "DROP TABLE controls;",
        )
        .reversible(2, "index", up, down);
    services
}

#[test]
fn a_rehearsal_tells_locks_and_holds_them_against_the_file() {
    let server = Server::start();
    let services = indexed(
        "CREATE INDEX owners ON controls (owner);\n",
        "DROP INDEX owners;\n",
    );
    let orchestrator = Program::orchestrator(&server)
        .scratch_beside()
        .services(&services);
    let outcome = orchestrator.expect(&["rehearse", "control", "--every", "--output", "json"], 4);
    let event = &outcome.events_of("migration_rehearsed")[1];
    assert_eq!(event["reversible"], "proven", "{event}");
    let finding = &event["findings"][0];
    assert_eq!(finding["rule"], "scans-under-lock", "{event}");
    assert_eq!(finding["line"], 1, "{event}");
    let lock = &event["locks"][0];
    assert_eq!(lock["relation"], "public.controls", "{event}");
    assert_eq!(lock["mode"], "ShareLock", "{event}");
    assert_eq!(lock["blocks"], "blocks writes", "{event}");
    assert_eq!(lock["scanned"], true, "{event}");
    assert!(
        lock["held_us"].as_u64().is_some_and(|held| held > 0),
        "{event}"
    );
    let people = orchestrator
        .expect(&["rehearse", "control", "--every"], 4)
        .stdout;
    assert!(
        people.contains("  scans-under-lock\n")
            && people.contains("  locks controls  ShareLock  blocks writes for "),
        "{people}"
    );
}

#[test]
fn a_stated_reason_permits_a_lock_and_a_separate_build_needs_none() {
    let server = Server::start();
    for up in [
        "-- migration: allow scans-under-lock \"some hundred rows\"\nCREATE INDEX owners ON controls (owner);\n",
        // The rule of the text that predicts it.
        "-- migration: allow index-not-concurrent \"some hundred rows\"\nCREATE INDEX owners ON controls (owner);\n",
        "-- migration: no-transaction\nCREATE INDEX CONCURRENTLY owners ON controls (owner);\n",
    ] {
        let services = indexed(up, "DROP INDEX owners;\n");
        let orchestrator = Program::orchestrator(&server)
            .scratch_beside()
            .services(&services);
        let outcome =
            orchestrator.expect(&["rehearse", "control", "--every", "--output", "json"], 0);
        let event = &outcome.events_of("migration_rehearsed")[1];
        assert_eq!(event["reversible"], "proven", "{event}");
        assert_eq!(event["locks"][0]["relation"], "public.controls", "{event}");
    }
}
