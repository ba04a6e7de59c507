//! The migrations that bring client to the schema that its application's synchronisation made: the schema, the rows, and
//! the repairs that follow.

use std::collections::BTreeMap;

use tests::{Facts, Program, Server, legacy_facts, synchronised_facts};

const DATABASE: &str = "soc_clients";
const LAST_LEGACY: &str = "1754267758986";
/// A synchronised database is at this version.
const SYNCHRONISED: &str = "1795363200000";
/// Parents before children.
const TABLES: [&str; 7] = [
    "clients",
    "client_users",
    "contracts",
    "contract_line_items",
    "client_audits",
    "client_documents",
    "audit_trails",
];
const NULL: &str = "<null>";

/// A server with everything that client depends on, and client at a version.
fn at(version: &str) -> (Server, Program) {
    let server = Server::start();
    let orchestrator = Program::orchestrator(&server);
    orchestrator.expect(
        &["run", "client", "--with-dependencies", "--to", version],
        0,
    );
    (server, orchestrator)
}

#[test]
fn the_schema_becomes_the_synchronised_one_and_the_legacy_one_again() {
    let (server, orchestrator) = at(LAST_LEGACY);
    let legacy = legacy_facts("client").pop().expect("a legacy migration");
    let before = server.schema(DATABASE);

    orchestrator.expect(&["run", "client", "--to", SYNCHRONISED], 0);
    Facts::of(&server, DATABASE)
        .assert_are_but_for_the_order_of_columns(&synchronised_facts("client"), "synchronised");
    let synchronised = server.schema(DATABASE);

    orchestrator.expect(&["run", "client"], 0);
    let newest = server.schema(DATABASE);
    orchestrator.expect(&["revert", "client", "--to", SYNCHRONISED], 0);
    assert_eq!(server.schema(DATABASE), synchronised);

    orchestrator.expect(&["revert", "client", "--to", LAST_LEGACY], 0);
    Facts::of(&server, DATABASE).assert_are(&legacy.facts, "legacy again");
    assert_eq!(server.schema(DATABASE), before);

    orchestrator.expect(&["run", "client"], 0);
    assert_eq!(server.schema(DATABASE), newest);
}

#[test]
fn rows_of_every_table_survive_there_and_back() {
    let (server, orchestrator) = at(LAST_LEGACY);
    for table in TABLES {
        fill(&server, table);
    }
    let legacy = TABLES.map(|table| rows(&server, table));

    orchestrator.expect(&["run", "client"], 0);
    for (table, legacy) in TABLES.into_iter().zip(&legacy) {
        let expected = legacy
            .iter()
            .map(|(id, row)| (id.clone(), adopted(table, row)));
        assert_rows(&rows(&server, table), &expected.collect(), table);
    }

    orchestrator.expect(&["revert", "client", "--to", LAST_LEGACY], 0);
    for (table, legacy) in TABLES.into_iter().zip(&legacy) {
        let expected = legacy
            .iter()
            .map(|(id, row)| (id.clone(), restored(table, row)));
        assert_rows(&rows(&server, table), &expected.collect(), table);
    }
}

/// What a legacy row is after the migrations: as it was, but for this.
fn adopted(table: &str, legacy: &Row) -> Row {
    let mut row = legacy.clone();
    let mut change = |column: &str, change: &dyn Fn(&str) -> String| {
        let value = row.get_mut(column).expect("a column");
        *value = change(value);
    };
    let or = |other: &'static str| {
        move |value: &str| match value {
            NULL => other.to_owned(),
            _ => value.to_owned(),
        }
    };
    match table {
        "clients" => {
            change("partnerReferralDate", &|date| match date {
                NULL | "infinity" => date.to_owned(),
                _ => format!("{date}T00:00:00"),
            });
            change("complianceScore", &or("0.00"));
        }
        "client_users" => {
            for column in ["lastLoginAt", "invitedAt", "acceptedAt"] {
                change(column, &|time| match time.split_once('T') {
                    Some((date, _)) => date.to_owned(),
                    None => time.to_owned(),
                });
            }
        }
        "contracts" => {
            change("totalValue", &or("0.00"));
            change("monthlyValue", &or("0.00"));
            // The day of creation that `fill` gives.
            change("startDate", &or("2024-02-29"));
            change("endDate", &or("9999-12-31"));
        }
        "contract_line_items" => {
            change("unitOfMeasure", &or("units"));
            change("sortOrder", &or("0"));
        }
        "client_audits" => {
            change("scheduledStartDate", &or("9999-12-31"));
            change("scheduledEndDate", &or("9999-12-31"));
        }
        "client_documents" => {
            change("fileUrl", &or(""));
            change("versionNumber", &or("1"));
        }
        "audit_trails" => {
            let user = legacy["userId"].clone();
            change("userName", &|name| match name {
                NULL => user.clone(),
                _ => name.to_owned(),
            });
        }
        other => panic!("{other}"),
    }
    row
}

/// What a legacy row is after the migrations and their reverts: as it was, but for this.
fn restored(table: &str, legacy: &Row) -> Row {
    let mut row = legacy.clone();
    let adopted = adopted(table, legacy);
    let stays: &[&str] = match table {
        "clients" => &["complianceScore"],
        "contracts" => &["totalValue", "monthlyValue", "startDate"],
        "contract_line_items" => &["unitOfMeasure", "sortOrder"],
        "client_documents" => &["versionNumber"],
        _ => &[],
    };
    for column in stays {
        row.insert((*column).to_owned(), adopted[*column].clone());
    }
    if table == "client_users" {
        for column in ["lastLoginAt", "invitedAt", "acceptedAt"] {
            let date = &adopted[column];
            let time = match date.as_str() {
                NULL | "infinity" => date.clone(),
                _ => format!("{date}T00:00:00"),
            };
            row.insert(column.to_owned(), time);
        }
    }
    row
}

#[test]
fn dates_that_were_empty_get_the_nearest_that_is_known() {
    const CONTRACTS: [[&str; 5]; 5] = [
        // signed, start and end before; start and end after
        ["2024-03-01", "", "", "2024-03-01", "9999-12-31"],
        ["", "", "2025-01-31", "2024-02-29", "2025-01-31"],
        ["", "", "2023-01-31", "2023-01-31", "2023-01-31"],
        ["2024-03-01", "2024-02-01", "", "2024-02-01", "9999-12-31"],
        ["", "", "", "2024-02-29", "9999-12-31"],
    ];
    const AUDITS: [[&str; 6]; 6] = [
        // actual start and end, scheduled start and end before; scheduled start and end after
        ["", "", "", "", "9999-12-31", "9999-12-31"],
        ["2024-05-02", "", "", "", "2024-05-02", "9999-12-31"],
        [
            "2024-05-02",
            "2024-05-09",
            "",
            "",
            "2024-05-02",
            "2024-05-09",
        ],
        ["", "2024-05-09", "", "", "2024-05-09", "2024-05-09"],
        [
            "2024-05-02",
            "",
            "",
            "2024-05-01",
            "2024-05-01",
            "2024-05-01",
        ],
        [
            "",
            "2024-05-09",
            "2024-05-10",
            "",
            "2024-05-10",
            "2024-05-10",
        ],
    ];
    let (server, orchestrator) = at(LAST_LEGACY);
    let client = format!("'{}'", server.insert(DATABASE, "clients", &[]));
    let date = |text: &str| match text {
        "" => "NULL".to_owned(),
        _ => format!("'{text}'"),
    };
    for [signed, start, end, ..] in CONTRACTS.map(|row| row.map(date)) {
        server.insert(
            DATABASE,
            "contracts",
            &[
                ("clientId", client.as_str()),
                ("createdAt", "'2024-02-29 13:00'"),
                ("signedDate", &signed),
                ("startDate", &start),
                ("endDate", &end),
            ],
        );
    }
    for [start, end, planned_start, planned_end, ..] in AUDITS.map(|row| row.map(date)) {
        server.insert(
            DATABASE,
            "client_audits",
            &[
                ("clientId", client.as_str()),
                ("actualStartDate", &start),
                ("actualEndDate", &end),
                ("scheduledStartDate", &planned_start),
                ("scheduledEndDate", &planned_end),
            ],
        );
    }
    let sorted = |mut rows: Vec<Vec<String>>| {
        rows.sort();
        rows
    };

    orchestrator.expect(&["run", "client"], 0);
    let contracts = server.query(DATABASE, "SELECT \"startDate\", \"endDate\" FROM contracts");
    let expected = CONTRACTS.map(|row| row[3..].iter().map(ToString::to_string).collect());
    assert_eq!(sorted(contracts), sorted(expected.to_vec()));
    let audits = server.query(
        DATABASE,
        "SELECT \"scheduledStartDate\", \"scheduledEndDate\" FROM client_audits",
    );
    let expected = AUDITS.map(|row| row[4..].iter().map(ToString::to_string).collect());
    assert_eq!(sorted(audits), sorted(expected.to_vec()));
}

#[test]
fn a_date_that_no_timestamp_can_hold_is_refused_before_anything_changes() {
    let (server, orchestrator) = at(LAST_LEGACY);
    let client = server.insert(
        DATABASE,
        "clients",
        &[("partnerReferralDate", "'294277-01-01'")],
    );
    let failed = orchestrator.expect(&["run", "client"], 1);
    assert!(
        failed.stderr.contains("1 row(s) of clients"),
        "{}",
        failed.stderr
    );
    assert!(
        failed.stderr.contains("next: orchestrator run"),
        "{}",
        failed.stderr
    );
    assert_eq!(
        server.value(
            DATABASE,
            &format!("SELECT \"partnerReferralDate\" FROM clients WHERE id = '{client}'")
        ),
        "294277-01-01"
    );

    server.query(
        DATABASE,
        "UPDATE clients SET \"partnerReferralDate\" = '294276-12-31'",
    );
    orchestrator.expect(&["run", "client"], 0);
    assert_eq!(
        server.value(DATABASE, "SELECT \"partnerReferralDate\" FROM clients"),
        "294276-12-31 00:00:00"
    );
}

#[test]
fn a_revert_stops_at_texts_that_the_legacy_schema_cannot_hold() {
    let (server, orchestrator) = at(SYNCHRONISED);
    for (table, column, bad, good) in [
        ("client_documents", "parentDocumentId", "previous.pdf", ""),
        ("clients", "annualRevenue", "5M", " 0012.50 "),
        (
            "clients",
            "annualRevenue",
            "12345678901234",
            "9999999999999.990",
        ),
        ("clients", "annualRevenue", "0.125", "-.5"),
        (
            "client_users",
            "lastLoginAt",
            "294277-01-01",
            "294276-12-31",
        ),
    ] {
        orchestrator.expect(&["run", "client", "--to", SYNCHRONISED], 0);
        let id = server.insert(DATABASE, table, &[(column, &format!("'{bad}'"))]);
        let failed = orchestrator.expect(&["revert", "client", "--to", LAST_LEGACY], 1);
        assert!(
            failed.stderr.contains(&format!("1 row(s) of {table} have")),
            "{}",
            failed.stderr
        );
        assert!(failed.stderr.contains("revert again"), "{}", failed.stderr);
        assert_eq!(
            server.value(
                DATABASE,
                &format!("SELECT \"{column}\" FROM {table} WHERE id = '{id}'")
            ),
            bad
        );
        server.query(
            DATABASE,
            &format!("UPDATE {table} SET \"{column}\" = '{good}' WHERE id = '{id}'"),
        );
        orchestrator.expect(&["revert", "client", "--to", LAST_LEGACY], 0);
    }
    assert_eq!(
        server.query(
            DATABASE,
            "SELECT \"annualRevenue\" FROM clients WHERE \"annualRevenue\" IS NOT NULL ORDER BY 1"
        ),
        [["-0.50"], ["12.50"], ["9999999999999.99"]]
    );
}

#[test]
fn rows_of_every_table_can_be_inserted_updated_and_deleted() {
    let (server, orchestrator) = at(SYNCHRONISED);
    for _ in 0..2 {
        for table in TABLES {
            let id = server.insert(DATABASE, table, &[]);
            for change in [
                format!("UPDATE {table} SET id = id WHERE id = '{id}' RETURNING 1"),
                format!("DELETE FROM {table} WHERE id = '{id}' RETURNING 1"),
            ] {
                assert_eq!(server.query(DATABASE, &change), [["1"]], "{change}");
            }
        }
        orchestrator.expect(&["run", "client"], 0);
    }
}

#[test]
fn at_the_newest_version_every_foreign_key_has_an_index_and_no_index_is_there_twice() {
    const BARE: &str = "SELECT k.conname FROM pg_constraint AS k WHERE k.contype = 'f' AND NOT EXISTS ( \
         SELECT FROM pg_index AS i WHERE i.indrelid = k.conrelid AND i.indisvalid AND i.indpred IS NULL \
         AND (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey) ORDER BY 1";
    const TWICE: &str = "SELECT max(c.relname::text) FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid \
         WHERE c.relnamespace = 'public'::regnamespace \
         GROUP BY i.indrelid, i.indkey::text, i.indclass::text, i.indpred::text HAVING count(*) > 1";
    let (server, orchestrator) = at(SYNCHRONISED);
    assert_eq!(server.query(DATABASE, BARE).len(), 2);
    assert_eq!(server.query(DATABASE, TWICE).len(), 2);
    server.insert(DATABASE, "clients", &[("slug", "'acme'")]);
    server.insert(DATABASE, "contracts", &[("contractNumber", "'C-1'")]);

    orchestrator.expect(&["run", "client"], 0);
    assert_eq!(server.query(DATABASE, BARE), Vec::<Vec<String>>::new());
    assert_eq!(server.query(DATABASE, TWICE), Vec::<Vec<String>>::new());
    for again in [
        "INSERT INTO clients (name, slug) VALUES ('Acme', 'acme')",
        "INSERT INTO contracts SELECT (jsonb_populate_record(c, jsonb_build_object('id', gen_random_uuid()))).* \
         FROM contracts AS c",
    ] {
        let refused = server.try_query(DATABASE, again);
        assert!(
            refused.as_ref().is_err_and(|error| error.contains("23505")),
            "{again}: {refused:?}"
        );
    }
}

type Row = BTreeMap<String, String>;

/// Every row of a table by its id, values as text.
fn rows(server: &Server, table: &str) -> BTreeMap<String, Row> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for value in server.query(
        DATABASE,
        &format!(
            "SELECT t.id, e.key, coalesce(e.value, '{NULL}') \
             FROM {table} AS t CROSS JOIN jsonb_each_text(to_jsonb(t)) AS e"
        ),
    ) {
        let [id, column, value] = <[String; 3]>::try_from(value).expect("three columns");
        rows.entry(id).or_default().insert(column, value);
    }
    rows
}

#[track_caller]
fn assert_rows(actual: &BTreeMap<String, Row>, expected: &BTreeMap<String, Row>, table: &str) {
    assert!(expected.len() > 2, "{table} has {} rows", expected.len());
    assert!(actual.keys().eq(expected.keys()), "{table}: other rows");
    for (id, row) in expected {
        for (column, value) in row {
            assert_eq!(&actual[id][column], value, "{table}.{column} of {row:#?}");
        }
        assert_eq!(actual[id].len(), row.len(), "{table}: columns");
    }
}

/// Inserts a row that is as empty as the table allows, and rows with a value in every column, so that each label of its
/// enums, the longest numbers and the furthest dates occur. Parents are rows that are there already.
fn fill(server: &Server, table: &str) {
    let columns = server.query(
        DATABASE,
        &format!(
            "SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, \
                 (SELECT string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder) FROM pg_enum AS e WHERE e.enumtypid = a.atttypid), \
                 (SELECT k.confrelid::regclass FROM pg_constraint AS k \
                  WHERE k.conrelid = a.attrelid AND k.contype = 'f' AND k.conkey = ARRAY[a.attnum]) \
             FROM pg_attribute AS a \
             WHERE a.attrelid = '{table}'::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'id'"
        ),
    );
    let most_labels = columns.iter().map(|column| column[3].split(',').count());
    let full = most_labels.max().unwrap_or(0).max(3);
    for number in 0..=full {
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for column in &columns {
            let [name, type_name, nullable, labels, parent] = column.as_slice() else {
                panic!("five columns");
            };
            names.push(format!("\"{name}\""));
            values.push(match (number == full, nullable.as_str(), parent.as_str()) {
                (true, "t", _) => "NULL".to_owned(),
                (_, _, "") => edge_value(name, type_name, labels, number),
                (_, nullable, parent) if parent != table => {
                    assert!(number < full || nullable == "f");
                    format!("(SELECT id FROM {parent} LIMIT 1)")
                }
                _ => format!("(SELECT id FROM {table} LIMIT 1)"),
            });
        }
        server.query(
            DATABASE,
            &format!(
                "INSERT INTO {table} ({}) VALUES ({})",
                names.join(", "),
                values.join(", ")
            ),
        );
    }
}

/// An extreme value of a type as an SQL expression; texts differ from row to row.
fn edge_value(name: &str, type_name: &str, labels: &str, number: usize) -> String {
    if !labels.is_empty() {
        let labels: Vec<&str> = labels.split(',').collect();
        return format!("'{}'", labels[number % labels.len()]);
    }
    let one_of = |values: &[&str]| format!("'{}'", values[number % values.len()]);
    match type_name {
        "uuid" => "gen_random_uuid()".to_owned(),
        "character varying" | "text" => match number % 3 {
            0 => format!(
                "'{name} Ünïcødé – 漢字 🦀 \"quoted\" \\ ''{number}'' ' || repeat('é', 800)"
            ),
            1 => format!("'{number}'"),
            _ => format!("'{{\"a\": [{number}, null]}}'"),
        },
        "numeric(15,2)" => one_of(&["9999999999999.99", "-9999999999999.99", "NaN", "1500000.50"]),
        "numeric(12,2)" => one_of(&["9999999999.99", "-0.01", "0"]),
        "numeric(10,2)" => one_of(&["99999999.99", "0.00"]),
        "numeric(5,2)" => one_of(&["999.99", "-999.99"]),
        "numeric(3,2)" => one_of(&["9.99", "-9.99", "0.01"]),
        "integer" => one_of(&["2147483647", "-2147483648", "0"]),
        "boolean" => one_of(&["true", "false"]),
        "date" => one_of(&["2024-02-29", "0001-01-01", "infinity"]),
        "timestamp without time zone" if name == "createdAt" => "'2024-02-29 13:00'".to_owned(),
        "timestamp without time zone" => {
            one_of(&["2024-02-29 23:59:59.999999", "0001-01-01 00:00", "infinity"])
        }
        "timestamp with time zone" => one_of(&["2024-02-29 23:59:59.999999Z", "infinity"]),
        "jsonb" => one_of(&["{\"a\": [1, null, \"é\"]}", "null", "[]"]),
        other => panic!("{name} is {other}"),
    }
}
