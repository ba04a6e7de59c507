//! The swap: who is in the way, who comes meanwhile, and several databases at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backup::DumpFormat;
use nix::sys::signal::Signal;
use tests::{Program, Proxy, Server, Side, wait_until};
use tokio_postgres::NoTls;

use crate::restore::world::{DATABASE, World};

const SOON: Duration = Duration::from_secs(30);
const ADVISORY_LOCK: &str = "SELECT pg_advisory_lock(x'534F43206D696772'::bit(64)::int8)";

#[test]
fn sessions_are_named_and_ended_on_demand() {
    let world = World::new();
    let user = world.server.session(DATABASE);
    user.run("SET application_name = 'web shop'");
    let refused = world.orchestrator.expect(&world.restore(&[]), 3);
    let named = format!("1 session in db_one: pid {} (", user.pid());
    assert!(refused.stderr.contains(&named), "{}", refused.stderr);
    for words in ["web shop", "idle", "--terminate"] {
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    world.assert_untouched();
    // Sessions that have just looked are on their way out, and would be counted.
    wait_until("the sessions that looked are gone", || {
        let query = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{DATABASE}' AND backend_type = 'client backend'"
        );
        world.server.value("postgres", &query) == "1"
    });
    let restored = world
        .orchestrator
        .expect(&world.restore(&["--terminate", "--output", "json"]), 0);
    assert_eq!(restored.events_of("database_swapped")[0]["ended"], 1);
    user.fails("SELECT 1");
    world.assert_restored();
}

#[test]
fn a_session_that_comes_while_the_new_database_is_filled_is_named_too() {
    let world = World::new();
    world.server.query(DATABASE, "CREATE TABLE marker ()");
    let (slow, gate) = world.slow_backup();
    let restore = world
        .orchestrator
        .watch(&["restore", "one", "--from", &slow]);
    world.wait_for_filling();
    let user = world.server.session(DATABASE);
    drop(gate);
    let refused = restore.end_within(SOON);
    assert_eq!(refused.code, 3, "{}", refused.stdout);
    assert!(
        refused.stdout.contains(&format!("pid {}", user.pid())),
        "{}",
        refused.stdout
    );
    assert_eq!(world.beside(), Vec::<String>::new());
    assert_eq!(user.value("SELECT count(*) FROM marker"), "0");
}

#[test]
fn clients_that_connect_again_and_again_see_one_whole_database() {
    let world = World::new();
    let stop = AtomicBool::new(false);
    let url = world.server.url(DATABASE);
    let (mut before, mut after, mut between) = (0, 0, 0);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| check_repeatedly(&url, &stop)))
            .collect();
        world
            .orchestrator
            .expect(&world.restore(&["--terminate"]), 0);
        std::thread::sleep(Duration::from_millis(200));
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            for seen in client.join().expect("a client") {
                match seen.as_str() {
                    // 400 rows and a new one, and the table that came since.
                    "401 t" => before += 1,
                    "500 f" => after += 1,
                    // Ended while it looked, or turned away while the name changed hands.
                    "57P01" | "3D000" | "" => between += 1,
                    other => panic!("{other}"),
                }
            }
        }
    });
    assert!(
        before > 0 && after > 0,
        "{before} before, {after} after, {between} between"
    );
    world.assert_restored();
}

fn check_repeatedly(url: &str, stop: &AtomicBool) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut seen = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let looked = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            tokio::spawn(connection);
            let row = client
                .query_one("SELECT (SELECT count(*) FROM t) || ' ' || left((to_regclass('since') IS NOT NULL)::text, 1)", &[])
                .await?;
            row.try_get::<_, String>(0)
        });
        seen.push(looked.unwrap_or_else(|error: tokio_postgres::Error| {
            error
                .code()
                .map(|code| code.code().to_owned())
                .unwrap_or_default()
        }));
    }
    seen
}

#[test]
fn a_run_is_waited_for_and_none_begins_meanwhile() {
    let world = World::new();
    let holder = world.server.session(DATABASE);
    holder.run(ADVISORY_LOCK);
    let (slow, gate) = world.slow_backup();
    let restore = world
        .orchestrator
        .watch(&["restore", "one", "--terminate", "--from", &slow]);
    let waiting = restore.wait_for_event("lock_waiting");
    assert_eq!(waiting["holder"]["pid"], holder.pid());
    holder.run("SELECT pg_advisory_unlock_all()");
    world.wait_for_filling();
    let run = world.orchestrator.watch(&["run", "one"]);
    let revert = world.orchestrator.watch(&["revert", "one"]);
    revert.wait_for_event("lock_waiting");
    revert.signal(Signal::SIGINT);
    revert.end_within(SOON);
    drop(gate);
    assert_eq!(restore.end_within(SOON).code, 0);
    drop(run);
    assert_eq!(world.beside().len(), 1);
}

#[test]
fn two_restores_of_one_database_do_not_meet() {
    let world = World::new();
    let (slow, gate) = world.slow_backup();
    let first = world
        .orchestrator
        .watch(&["restore", "one", "--from", &slow]);
    world.wait_for_filling();
    let impatient = [
        "restore",
        "one",
        "--terminate",
        "--from",
        &slow,
        "--advisory-lock-wait",
        "100ms",
    ];
    let second = world.orchestrator.expect(&impatient, 5);
    assert!(
        second
            .stderr
            .contains("another restore of db_one is in progress (pid "),
        "{}",
        second.stderr
    );
    let third = world
        .orchestrator
        .watch(&["restore", "one", "--terminate", "--from", &slow]);
    third.wait_for_event("lock_waiting");
    drop(gate);
    assert_eq!(first.end_within(SOON).code, 0);
    assert_eq!(third.end_within(SOON).code, 0);
    assert_eq!(world.beside().len(), 2);
}

#[test]
fn a_cancelled_restore_leaves_nothing() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let world = World::new();
        let (slow, _gate) = world.slow_backup();
        let restore = world
            .orchestrator
            .watch(&["restore", "one", "--from", &slow]);
        world.wait_for_filling();
        restore.signal(signal);
        let cancelled = restore.end_within(SOON);
        assert_eq!(cancelled.code, 130);
        let finished = cancelled.events().pop().expect("an event");
        assert_eq!(
            (&finished["event"], &finished["verdict"]),
            (&"run_finished".into(), &"cancelled".into())
        );
        world.assert_untouched();
    }
}

/// Three services, of which the second depends on the third.
fn three() -> (World, String) {
    let world = World::new();
    world
        .services
        .service("two", &["three"])
        .migration(1, "a", "CREATE TABLE a (id int);\n");
    world
        .services
        .service("three", &[])
        .migration(1, "a", "CREATE TABLE a (id int);\n");
    world.orchestrator.expect(&["all"], 0);
    let manifest = world.back_up("all", &["one", "two", "three"], DumpFormat::Custom);
    for database in ["db_two", "db_three"] {
        world.server.query(database, "DROP TABLE a");
    }
    (world, manifest.to_str().expect("a path").to_owned())
}

fn has_a(server: &Server) -> Vec<String> {
    ["db_two", "db_three"]
        .map(|database| server.value(database, "SELECT to_regclass('a')"))
        .into()
}

#[test]
fn several_databases_are_all_filled_before_the_first_is_swapped() {
    let (world, manifest) = three();
    let restored = world.orchestrator.expect(
        &["restore", "all", "--from", &manifest, "--output", "json"],
        0,
    );
    let kinds: Vec<String> = restored
        .events()
        .iter()
        .filter(|event| {
            ["restore_verified", "database_swapped"]
                .contains(&event["event"].as_str().unwrap_or_default())
        })
        .map(|event| event["event"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(kinds[..3], ["restore_verified"; 3]);
    let swapped: Vec<_> = restored
        .events_of("database_swapped")
        .iter()
        .map(|it| it["database"].clone())
        .collect();
    let place = |name: &str| swapped.iter().position(|it| it == name);
    assert!(place("db_three") < place("db_two"), "{swapped:?}");
    let all = &restored.events_of("databases_swapped")[0];
    assert_eq!(all["databases"], 3);
    let windows = restored.events_of("database_swapped");
    let windows: u64 = windows
        .iter()
        .filter_map(|it| it["window_ms"].as_u64())
        .sum();
    assert!(
        all["window_ms"].as_u64() >= Some(windows),
        "{all} {windows}"
    );
    assert_eq!(has_a(&world.server), ["a", "a"]);
}

#[test]
fn the_old_ones_are_dropped_once_all_are_swapped() {
    let (world, manifest) = three();
    let before = world.server.databases();
    let restored = world.orchestrator.expect(
        &[
            "restore",
            "all",
            "--from",
            &manifest,
            "--drop-old",
            "--output",
            "json",
        ],
        0,
    );
    let last = |kind: &str| restored.events_of(kind).last().map(|it| it["seq"].as_u64());
    let dropped = restored.events_of("old_database_dropped");
    assert_eq!(dropped.len(), 3);
    assert!(
        last("database_swapped") < Some(dropped[0]["seq"].as_u64()),
        "{restored:#?}"
    );
    assert_eq!(world.server.databases(), before);
}

#[test]
fn one_that_cannot_be_filled_holds_all_back() {
    let (world, manifest) = three();
    let mut edited = backup::Manifest::read(manifest.as_ref()).expect("a manifest");
    edited.services[1].applied = 2;
    edited
        .write(std::path::Path::new(&manifest).parent().expect("a folder"))
        .expect("written");
    let before = world.server.databases();
    world
        .orchestrator
        .expect(&["restore", "all", "--from", &manifest], 1);
    assert_eq!(has_a(&world.server), ["", ""]);
    assert_eq!(world.server.databases(), before);
}

#[test]
fn one_that_cannot_be_swapped_is_named_and_a_second_restore_finishes() {
    let (world, manifest) = three();
    let url = world.server.url("db_two");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (server, url) = (&world.server, &url);
        let stop = &stop;
        // Comes after the first look and before the swap of its database.
        scope.spawn(move || {
            wait_until("the first database is swapped", || {
                server.databases().iter().any(|name| {
                    name.starts_with("db_three_before_") || name.starts_with("db_one_before_")
                })
            });
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let (_client, connection) = tokio_postgres::connect(url, NoTls)
                    .await
                    .expect("a connection");
                let driver = tokio::spawn(connection);
                while !stop.load(Ordering::Relaxed) && !driver.is_finished() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            });
        });
        let half = world
            .orchestrator
            .run(&["restore", "all", "--from", &manifest, "--output", "json"]);
        stop.store(true, Ordering::Relaxed);
        if half.code == 0 {
            // The session came too late: nothing to see here, and everything is restored.
            assert_eq!(has_a(&world.server), ["a", "a"]);
            return;
        }
        assert_eq!(half.code, 3, "{}", half.stdout);
        let finished = half.events().pop().expect("an event");
        let next = finished["next"].to_string();
        assert!(next.contains("orchestrator restore"), "{next}");
        assert_eq!(has_a(&world.server)[0], "");
    });
    world
        .orchestrator
        .expect(&["restore", "all", "--terminate", "--from", &manifest], 0);
    assert_eq!(has_a(&world.server), ["a", "a"]);
    let left = world.server.databases();
    assert!(
        !left.iter().any(|name| name.contains("_restoring_")),
        "{left:?}"
    );
}

#[test]
fn two_services_in_one_database_go_back_together() {
    let world = World::new();
    world
        .services
        .service_with(
            "three",
            &[],
            "database = \"db_one\"\nhistory_table = \"three_history\"\n",
        )
        .migration(1, "a", "CREATE TABLE a (id int);\n");
    world.orchestrator.expect(&["all"], 0);
    let manifest = world.back_up("both", &["one"], DumpFormat::Custom);
    let mut both = backup::Manifest::read(&manifest).expect("a manifest");
    let mut third = both.services[0].clone();
    third.service = "three".parse().expect("a name");
    third.history_table = "three_history".to_owned();
    third.applied = 1;
    third.head = Some(backup::Head {
        version: domain::Version::new(1),
        name: "a".to_owned(),
    });
    both.services.push(third);
    both.write(manifest.parent().expect("a folder"))
        .expect("written");
    world
        .server
        .query(DATABASE, "DROP TABLE a, since; DELETE FROM three_history");
    let manifest = manifest.to_str().expect("a path");
    world
        .orchestrator
        .expect(&["restore", "one", "three", "--from", manifest], 0);
    assert_eq!(
        world
            .server
            .value(DATABASE, "SELECT version FROM three_history"),
        "1"
    );
    let rows =
        "SELECT service, version FROM orchestrator.journal WHERE outcome = 'restored' ORDER BY id";
    assert_eq!(
        world.server.query(DATABASE, rows),
        [["one", "3"], ["three", "1"]]
    );
    assert_eq!(world.beside().len(), 1);
    world
        .orchestrator
        .expect(&["history", "all", "--verify"], 0);
}

#[test]
fn what_remains_after_a_swap_is_named_and_leads_to_the_end() {
    let (world, manifest) = three();
    let before = world.server.databases();
    let restore = ["restore", "all", "--from", &manifest, "--drop-old"];
    // The server becomes unreachable for the check after the first swap, and then before the first database is dropped.
    let check = Proxy::at_sql_after(&world.server, "RENAME TO", "h.present");
    let drop = Proxy::at_sql(&world.server, "DROP DATABASE db_", Side::Before);
    for (proxy, restored) in [(check, 1), (drop, 3)] {
        let through = Program::named("orchestrator")
            .env("ORCHESTRATOR_SERVER_URL", &proxy.url("postgres"))
            .services(&world.services);
        let mut running = through.watch(&restore);
        let reached = proxy.wait_until_reached(&mut running).is_some();
        proxy.cut_for_good();
        let outcome = running.end_within(SOON);
        assert!(reached && outcome.code == 5, "{outcome:#?}");
        let finished = outcome.events().pop().expect("an event");
        assert_eq!(finished["verdict"], "unavailable", "{finished}");
        assert_eq!(finished["restored"], restored, "{finished}");
        for failed in outcome.events_of("service_failed") {
            assert_eq!(failed["exit_code"], 5, "{failed}");
        }
        for next in finished["next"].as_array().expect("a list") {
            let (next, _) = next
                .as_str()
                .and_then(|next| next.split_once("   #"))
                .expect("a command");
            let words: Vec<&str> = next.split_whitespace().skip(1).collect();
            world.orchestrator.expect(&words, 0);
        }
        assert_eq!(has_a(&world.server), ["a", "a"]);
        assert!(world.server.contents(DATABASE) == world.now);
        world
            .orchestrator
            .expect(&["restore", "all", "--drop-old"], 0);
        assert_eq!(world.server.databases(), before);
    }
}
