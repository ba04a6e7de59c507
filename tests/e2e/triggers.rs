//! At the newest version a row can be inserted, updated and deleted in every table with a trigger, and an update is dated.

use std::collections::BTreeSet;

use tests::{Program, SERVICES, Server, legacy_facts};

#[test]
fn rows_of_every_table_with_a_trigger_can_be_inserted_updated_and_deleted() {
    let server = Server::start();
    Program::orchestrator(&server).expect(&["all"], 0);

    let mut triggers = 0;
    for (service, database) in SERVICES.iter().copied() {
        let tables = tables_with_triggers(&server, database);
        for table in &tables {
            exercise(&server, database, table);
        }
        triggers += tables.len();
        let legacy = legacy_facts(service);
        let newest = legacy.last().expect("a legacy migration");
        let expected: BTreeSet<String> = newest.facts.tables_with_triggers().map(quoted).collect();
        assert!(
            expected.is_subset(&tables),
            "{service}: {expected:?} {tables:?}"
        );
    }
    assert!(triggers >= 45, "{triggers}");
}

fn tables_with_triggers(server: &Server, database: &str) -> BTreeSet<String> {
    server
        .query(
            database,
            "SELECT DISTINCT quote_ident(c.relname) FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid \
             WHERE NOT t.tgisinternal",
        )
        .into_iter()
        .map(|row| row[0].clone())
        .collect()
}

fn quoted(table: &str) -> String {
    let plain = table.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    assert!(plain, "{table} needs quotes");
    table.to_owned()
}

/// Inserts a row dated long ago, changes nothing in it, and deletes it.
fn exercise(server: &Server, database: &str, table: &str) {
    let dated = server.value(
        database,
        &format!(
            "SELECT attname FROM pg_attribute \
             WHERE attrelid = '{table}'::regclass AND attname IN ('updatedAt', 'updated_at')"
        ),
    );
    let id = server.insert(database, table, &[(&dated, "'2000-01-01'")]);
    let key = server.key(database, table);
    let updated = server.value(
        database,
        &format!(
            "UPDATE {table} SET {key} = {key} WHERE {key} = '{id}' \
             RETURNING \"{dated}\" > now() - interval '1 hour'"
        ),
    );
    assert_eq!(updated, "t", "{database}: {table}.{dated} does not advance");
    let deleted = server.query(
        database,
        &format!("DELETE FROM {table} WHERE {key} = '{id}' RETURNING 1"),
    );
    assert_eq!(deleted.len(), 1, "{database}: {table}");
}
