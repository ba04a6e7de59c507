//! Who ends a session or cancels a statement is told apart: the file itself, or another session.

use serde_json::Value;

use crate::shop::Shop;

fn failed(events: &[Value]) -> &Value {
    events
        .iter()
        .find(|event| event["event"] == "migration_failed")
        .unwrap_or_else(|| panic!("{events:?}"))
}

fn shop_with(file: &str) -> Shop {
    let shop = Shop::new();
    write(&shop, file);
    shop
}

fn write(shop: &Shop, file: &str) {
    shop.services
        .service("shop", &[])
        .migration(2, "step", file);
}

#[test]
fn a_file_that_ends_its_own_session_is_blamed_and_not_the_server() {
    let shown = "INSERT INTO t VALUES (7);\nSELECT pg_terminate_backend(pg_backend_pid());\n";
    for file in [
        shown.to_owned(),
        format!("-- migration: no-transaction\n{shown}"),
    ] {
        let events = shop_with(&file).all(1);
        let failed = failed(&events);
        assert_eq!(failed["line"], file.lines().count(), "{failed}");
        assert_eq!(failed["sqlstate"], "57P01");
    }
    // Hidden in a function: the first time it may have been an administrator.
    let shop = shop_with("SELECT gone();");
    shop.server.query(
        "db_shop",
        "CREATE FUNCTION gone() RETURNS bool LANGUAGE sql AS 'SELECT pg_terminate_backend(pg_backend_pid())'",
    );
    shop.all(5);
    shop.all(1);
}

#[test]
fn a_statement_that_another_session_cancels_is_not_the_fault_of_the_file() {
    for directive in ["", "-- migration: no-transaction\n"] {
        let shop = shop_with(&format!(
            "{directive}INSERT INTO t VALUES (7);\nSELECT pg_sleep(60);\n"
        ));
        let run = shop.orchestrator.watch(&["all"]);
        let sleeping = "FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        shop.wait_for("it sleeps", &format!("EXISTS (SELECT {sleeping})"));
        shop.value(&format!("SELECT pg_cancel_backend(pid) {sleeping}"));
        let failed = run.wait_for_event("migration_failed");
        assert_eq!(run.end().code, 1);
        assert_eq!(failed["sqlstate"], "57014");
        let next = failed["next"].as_str().unwrap();
        assert!(!next.contains("statement-timeout"), "{next}");
    }
    // A limit of the file's own is the file's.
    let shop = shop_with("-- migration: statement-timeout 100ms\nSELECT pg_sleep(60);\n");
    let events = shop.all(1);
    let next = failed(&events)["next"].as_str().unwrap();
    assert!(next.contains("statement-timeout"), "{next}");
}
