//! Live clients that read and write a table are never kept waiting longer than `lock_timeout` by a migration that has
//! to wait itself, whatever it does and however many locks it takes.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tests::{Outcome, Program, Running, Server, Services, Session, wait_until};

const LOCK_TIMEOUT: Duration = Duration::from_millis(1500);
/// What a busy machine adds; less than another time-out, so that waiting for two locks one after the other shows.
const MARGIN: Duration = Duration::from_millis(1200);
const CLIENTS: usize = 4;

const TABLES: &str = "CREATE TABLE customers (id int PRIMARY KEY, name text);
INSERT INTO customers SELECT n, 'x' FROM generate_series(1, 100) n;
CREATE TABLE orders (id serial PRIMARY KEY, customer int, price int NOT NULL DEFAULT 0);
INSERT INTO orders (customer) SELECT n FROM generate_series(1, 100) n";

/// A service with two tables that are in use.
struct Shop {
    server: Server,
    services: Services,
    orchestrator: Program,
}

impl Shop {
    fn open() -> Self {
        let server = Server::start();
        let services = Services::new();
        services.service("shop", &[]).migration(1, "tables", TABLES);
        let orchestrator = Program::orchestrator(&server)
            .services(&services)
            .env("ORCHESTRATOR_LOCK_TIMEOUT", "1500ms");
        orchestrator.expect(&["all"], 0);
        Self {
            server,
            services,
            orchestrator,
        }
    }

    fn with(sql: &str) -> Self {
        let shop = Self::open();
        shop.services
            .service("shop", &[])
            .migration(2, "change", sql);
        shop
    }

    /// A session that holds locks until it is told to commit.
    fn holder(&self, sql: &str) -> Holder {
        let session = self.server.session("db_shop");
        session.run("SET application_name = 'nightly report'");
        let pid = session.pid();
        session.run(&format!("BEGIN; {sql}"));
        Holder { session, pid }
    }

    /// Whether the migration's session waits for a lock.
    fn waits(&self) -> bool {
        self.server.value(
            "postgres",
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'orchestrator%' AND wait_event_type = 'Lock'",
        ) != "0"
    }
}

/// Somebody who stands in the way.
struct Holder {
    session: Session,
    pid: i64,
}

impl Holder {
    fn commit(&self) {
        self.session.run("COMMIT");
    }
}

/// How long the queries of live clients took.
struct Latencies(Mutex<Vec<(Instant, Duration)>>);

impl Latencies {
    fn longest_since(&self, since: Instant) -> Duration {
        let seen = self.0.lock().unwrap();
        let during = seen.iter().filter(|(ended, _)| *ended >= since);
        during.map(|(_, took)| *took).max().unwrap_or_default()
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// Runs `test` while clients read and write both tables; gives the longest that one of them waited meanwhile.
fn under_traffic(server: &Server, test: impl FnOnce()) -> Duration {
    let over = AtomicBool::new(false);
    let latencies = Latencies(Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (over, latencies) = (&over, &latencies);
            scope.spawn(move || {
                let client = server.session("db_shop");
                let id = number + 1;
                let sql = match number % 4 {
                    0 => "SELECT count(*) FROM orders".to_owned(),
                    1 => format!("UPDATE orders SET price = price + 1 WHERE id = {id}"),
                    2 => format!("SELECT name FROM customers WHERE id = {id}"),
                    _ => "INSERT INTO orders (customer) VALUES (1)".to_owned(),
                };
                while !over.load(Ordering::Relaxed) {
                    let started = Instant::now();
                    client.run(&sql);
                    latencies
                        .0
                        .lock()
                        .unwrap()
                        .push((Instant::now(), started.elapsed()));
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
        }
        // A panic of the test must not leave the clients running for ever.
        struct End<'a>(&'a AtomicBool);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let end = End(&over);
        wait_until("traffic", || latencies.count() >= CLIENTS * 5);
        let before = latencies.longest_since(Instant::now() - Duration::from_secs(60));
        let began = Instant::now();
        test();
        let reached = latencies.count();
        wait_until("traffic afterwards", || {
            latencies.count() >= reached + CLIENTS * 5
        });
        drop(end);
        let during = latencies.longest_since(began);
        eprintln!("longest query before {before:?}, during and after {during:?}");
        during
    })
}

/// Runs the migration while `holder` is in its way, until it has stepped back `times` times; then the way is freed.
#[track_caller]
fn step_back_then_succeed(
    shop: &Shop,
    holder: &Holder,
    arguments: &[&str],
    times: usize,
) -> Outcome {
    let run = shop.orchestrator.watch(arguments);
    let retries = |run: &Running| {
        run.events()
            .iter()
            .filter(|event| event["event"] == "migration_retrying")
            .count()
    };
    wait_until("the migration steps back", || retries(&run) >= times);
    holder.commit();
    let outcome = run.end_within(Duration::from_secs(25));
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.stdout, outcome.stderr);
    for event in outcome.events_of("migration_retrying") {
        assert_eq!(event["sqlstate"], "55P03", "{event}");
    }
    outcome
}

#[track_caller]
fn assert_polite(longest: Duration) {
    assert!(
        longest <= LOCK_TIMEOUT + MARGIN,
        "a client waited {longest:?}"
    );
}

/// A file that takes its locks one by one: each wait alone is short enough, all together are not.
#[track_caller]
fn assert_polite_in_two_statements(sql: &str) {
    let shop = Shop::with(sql);
    let longest = under_traffic(&shop.server, || {
        // Let go after most of the time-out, when the file goes on to the other table, where another stands in its way.
        let first = shop.holder("SELECT FROM customers");
        let second = shop.holder("SELECT FROM orders");
        let run = shop.orchestrator.watch(&["all"]);
        wait_until("the first lock is waited for", || shop.waits());
        std::thread::sleep(LOCK_TIMEOUT * 2 / 3);
        first.commit();
        run.wait_for_event("migration_retrying");
        second.commit();
        let outcome = run.end_within(Duration::from_secs(25));
        assert_eq!(outcome.code, 0, "{}\n{}", outcome.stdout, outcome.stderr);
    });
    assert_polite(longest);
    assert_eq!(shop.server.applied("db_shop"), [1, 2]);
}

#[test]
fn adding_a_column() {
    let shop = Shop::with("ALTER TABLE orders ADD COLUMN note text");
    let longest = under_traffic(&shop.server, || {
        let holder = shop.holder("SELECT FROM orders");
        let outcome = step_back_then_succeed(&shop, &holder, &["all"], 2);
        let blocked = &outcome.events_of("migration_blocked")[0];
        let named = blocked["blockers"].as_array().unwrap();
        let report = named.iter().find(|blocker| blocker["pid"] == holder.pid);
        let report = report.unwrap_or_else(|| panic!("{blocked}"));
        assert_eq!(report["application"], "nightly report");
        assert_eq!(report["state"], "idle in transaction");
        assert!(report["query"].as_str().unwrap().contains("orders"));
        assert!(report["transaction_age_s"].is_number());
        assert!(!report["user"].as_str().unwrap().is_empty());
    });
    assert_polite(longest);
}

#[test]
fn adding_a_foreign_key() {
    let shop = Shop::with(
        "ALTER TABLE orders ADD CONSTRAINT customer_fk FOREIGN KEY (customer) REFERENCES customers",
    );
    // The table that it refers to is locked second, while the first is locked already.
    let longest = under_traffic(&shop.server, || {
        let holder = shop.holder("UPDATE customers SET name = 'z' WHERE id = 50");
        step_back_then_succeed(&shop, &holder, &["all"], 2);
    });
    assert_polite(longest);
}

#[test]
fn creating_an_index() {
    let shop = Shop::with("CREATE INDEX orders_customer ON orders (customer)");
    let longest = under_traffic(&shop.server, || {
        let holder = shop.holder("UPDATE orders SET price = 7 WHERE id = 50");
        step_back_then_succeed(&shop, &holder, &["all"], 2);
    });
    assert_polite(longest);
}

#[test]
fn two_statements_wait_no_longer_than_one() {
    assert_polite_in_two_statements(
        "ALTER TABLE customers ADD COLUMN note text; ALTER TABLE orders ADD COLUMN note text",
    );
}

#[test]
fn a_file_that_takes_its_time_limit_away_gives_way_all_the_same() {
    let shop = Shop::with("SET lock_timeout = 0; ALTER TABLE orders ADD COLUMN note text");
    let longest = under_traffic(&shop.server, || {
        let holder = shop.holder("SELECT FROM orders");
        step_back_then_succeed(&shop, &holder, &["all"], 2);
    });
    assert_polite(longest);
}

#[test]
fn a_transaction_in_a_no_transaction_file() {
    assert_polite_in_two_statements(
        "-- migration: no-transaction\nBEGIN;\nALTER TABLE customers ADD COLUMN note text;\nALTER TABLE orders ADD COLUMN note text;\nCOMMIT;",
    );
}

#[test]
fn a_statement_that_needs_no_transaction_but_still_locks() {
    let shop = Shop::with("-- migration: no-transaction\nVACUUM FULL orders");
    let longest = under_traffic(&shop.server, || {
        let holder = shop.holder("SELECT FROM orders");
        step_back_then_succeed(&shop, &holder, &["all"], 2);
    });
    assert_polite(longest);
}

#[test]
fn a_revert() {
    let shop = Shop::open();
    shop.services.service("shop", &[]).reversible(
        2,
        "column",
        "ALTER TABLE orders ADD COLUMN note text",
        "ALTER TABLE orders DROP COLUMN note",
    );
    shop.orchestrator.expect(&["all"], 0);
    let longest = under_traffic(&shop.server, || {
        let holder = shop.holder("SELECT FROM orders");
        step_back_then_succeed(&shop, &holder, &["revert", "shop"], 2);
    });
    assert_polite(longest);
    assert_eq!(shop.server.applied("db_shop"), [1]);
}

#[test]
fn an_index_built_concurrently_blocks_no_session_and_names_the_one_it_waits_for() {
    let shop = Shop::with(
        "-- migration: no-transaction\nCREATE INDEX CONCURRENTLY orders_customer ON orders (customer); SELECT pg_sleep(0.5)",
    );
    let longest = under_traffic(&shop.server, || {
        let holder = shop.holder("UPDATE orders SET price = 7 WHERE id = 50");
        let run = shop.orchestrator.watch(&["all"]);
        run.wait_for("the report is named", |event| {
            event["event"] == "migration_blocked"
                && event["blockers"]
                    .as_array()
                    .is_some_and(|all| all.iter().any(|blocker| blocker["pid"] == holder.pid))
        });
        // Longer than the time-out of other statements.
        std::thread::sleep(LOCK_TIMEOUT);
        holder.commit();
        let outcome = run.end_within(Duration::from_secs(25));
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        assert!(outcome.events_of("migration_retrying").is_empty());
        assert!(!outcome.events_of("migration_unblocked").is_empty());
    });
    assert!(longest < MARGIN, "a client waited {longest:?}");
}

#[test]
fn giving_up_changes_nothing_and_names_who_is_to_end() {
    let shop = Shop::with("CREATE TABLE extra (id int); ALTER TABLE orders ADD COLUMN note text");
    let before = shop.server.schema("db_shop");
    let holder = shop.holder("SELECT FROM orders");
    let pid = holder.pid;
    let outcome = shop.orchestrator.expect(
        &["all", "--lock-retries", "1", "--lock-timeout", "500ms"],
        5,
    );
    let waits = format!("change is waiting for pid {pid} (");
    let reported = outcome
        .stdout
        .find(&waits)
        .unwrap_or_else(|| panic!("{}", outcome.stdout));
    assert!(outcome.stdout[reported..].contains("nightly report, idle in transaction for "));
    assert!(
        outcome.stderr.contains("locked by: pid "),
        "{}",
        outcome.stderr
    );
    let remedy = format!(
        "first end the session that holds the lock (SELECT pg_terminate_backend({pid})), or wait for it"
    );
    assert!(outcome.stderr.contains(&remedy), "{}", outcome.stderr);
    assert_eq!(shop.server.schema("db_shop"), before);
    assert_eq!(
        shop.server.query(
            "db_shop",
            "SELECT outcome, sqlstate, attempts FROM orchestrator.journal WHERE version = 2"
        ),
        [["failed", "55P03", "2"]]
    );
    holder.commit();
    shop.orchestrator.expect(&["all"], 0);
}

#[test]
fn the_one_at_the_root_of_a_queue_is_named_first() {
    let shop = Shop::with("ALTER TABLE orders ADD COLUMN note text");
    let root = shop.holder("SELECT FROM orders");
    // Waits itself, for the root, in front of the migration.
    let queued = shop.server.session("db_shop");
    let queued_pid = queued.pid();
    std::thread::scope(|scope| {
        scope.spawn(|| queued.run("BEGIN; LOCK TABLE orders; COMMIT"));
        wait_until("another waits before it", || {
            shop.server.value(
                "postgres",
                &format!("SELECT wait_event_type FROM pg_stat_activity WHERE pid = {queued_pid}"),
            ) == "Lock"
        });
        let run = shop.orchestrator.watch(&["all"]);
        let blocked = run.wait_for_event("migration_blocked");
        let blockers = blocked["blockers"].as_array().unwrap();
        assert_eq!(blockers[0]["pid"], root.pid, "{blocked}");
        assert!(blockers[0]["waits_for"].is_null(), "{blocked}");
        assert_eq!(blockers[1]["pid"], queued_pid, "{blocked}");
        assert_eq!(blockers[1]["waits_for"][0], root.pid, "{blocked}");
        root.commit();
        assert_eq!(run.end_within(Duration::from_secs(25)).code, 0);
    });
}

#[test]
fn a_prepared_transaction_is_named_by_its_identifier() {
    let server = Server::with(&[("max_prepared_transactions", "2")]);
    let services = Services::new();
    services.service("shop", &[]).migration(1, "tables", TABLES);
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);
    services
        .service("shop", &[])
        .migration(2, "column", "ALTER TABLE orders ADD COLUMN note text");
    server.query(
        "db_shop",
        "BEGIN; INSERT INTO orders (customer) VALUES (1); PREPARE TRANSACTION 'transfer'",
    );
    let outcome = orchestrator.expect(
        &["all", "--lock-retries", "1", "--lock-timeout", "500ms"],
        5,
    );
    assert!(
        outcome
            .stdout
            .contains("column is waiting for prepared transaction 'transfer' ("),
        "{}",
        outcome.stdout
    );
    assert!(
        outcome.stderr.contains("ROLLBACK PREPARED 'transfer'"),
        "{}",
        outcome.stderr
    );
    server.query("db_shop", "ROLLBACK PREPARED 'transfer'");
    orchestrator.expect(&["all"], 0);
}

#[test]
fn the_blocker_is_named_even_if_no_connection_is_left() {
    let shop = Shop::with("ALTER TABLE orders ADD COLUMN note text");
    let holder = shop.holder("SELECT FROM orders");
    let orchestrator = Program::orchestrator(&shop.server)
        .services(&shop.services)
        .env("ORCHESTRATOR_MAX_CONNECTIONS", "1");
    let run = orchestrator.watch(&["all", "--lock-timeout", "500ms"]);
    let blocked = run.wait_for_event("migration_blocked");
    assert_eq!(blocked["blockers"][0]["pid"], holder.pid, "{blocked}");
    holder.commit();
    assert_eq!(run.end_within(Duration::from_secs(25)).code, 0);
}
