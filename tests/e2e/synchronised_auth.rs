//! auth from the schema of its migrations to the one that its application synchronises, and on to the repairs.

use tests::{Facts, Program, Server, legacy_facts, synchronised_facts};

const DATABASE: &str = "soc_auth";
const LEGACY: &str = "1707500000000";
const SYNCHRONISED: &str = "1795350600000";
/// The schema that the running application synchronises: it does not load the entity of `user_sessions`.
const WITHOUT_USER_SESSIONS: &str = "1795348800000";

/// A server with auth at a version.
fn at(version: &str) -> (Server, Program) {
    let server = Server::start();
    let orchestrator = Program::orchestrator(&server);
    to(&orchestrator, version);
    (server, orchestrator)
}

fn to(orchestrator: &Program, version: &str) {
    orchestrator.expect(&["run", "auth", "--to", version], 0);
}

fn back_to_legacy(orchestrator: &Program) {
    orchestrator.expect(&["revert", "auth", "--to", LEGACY], 0);
}

#[test]
fn the_schema_becomes_the_synchronised_one_and_the_legacy_one_again() {
    let legacy = legacy_facts("auth").pop().expect("a legacy migration");
    let (server, orchestrator) = at(SYNCHRONISED);
    let synchronised = Facts::of(&server, DATABASE);
    synchronised.assert_are_but_for_the_order_of_columns(&synchronised_facts("auth"), "up");
    let dump = server.schema(DATABASE);

    back_to_legacy(&orchestrator);
    Facts::of(&server, DATABASE).assert_are_restored(&legacy.facts, &synchronised, "down");

    to(&orchestrator, SYNCHRONISED);
    assert_eq!(server.schema(DATABASE), dump);
}

/// The users as the legacy schema has them, but for the column that is lost.
const LEGACY_USERS: &str =
    "SELECT to_jsonb(users) - 'emailVerificationToken' FROM users ORDER BY email";

/// The same, read off the synchronised schema.
const KEPT_OF_USERS: &str = r#"
    SELECT to_jsonb(users)
        - '{roles,resetPasswordToken,resetPasswordExpires,lastLoginAt,phone,title,status,userType,profilePicture}'::text[]
        - '{emailVerifiedAt,mfaBackupCodes,permissions,previousPasswords,lastLoginIp,failedLoginAttempts}'::text[]
        - '{lockedUntil,preferences,passwordChangedAt,deletedAt,disabledAt}'::text[]
        || jsonb_build_object(
            'role', roles,
            'passwordResetToken', "resetPasswordToken",
            'passwordResetExpires', "resetPasswordExpires",
            'lastLogin', "lastLoginAt"
        )
    FROM users ORDER BY email"#;

/// Users with every value that decides something, and with values at the edges.
fn insert_users(server: &Server) {
    let organisation = "'10000000-0000-0000-0000-000000000001'";
    let users: [&[(&str, &str)]; 9] = [
        &[("email", "'1-plain'")],
        &[("email", "'2-inactive'"), ("isActive", "false")],
        &[
            ("email", "'3-invited'"),
            ("emailVerificationToken", "'token'"),
        ],
        &[
            ("email", "'4-signed-in-before'"),
            ("emailVerificationToken", "'token'"),
            ("lastLogin", "'2026-01-01 12:34:56.654321'"),
        ],
        &[
            ("email", "'5-verified-again'"),
            ("emailVerificationToken", "'token'"),
            ("emailVerified", "true"),
        ],
        &[
            ("email", "'6-auditor'"),
            ("role", "'auditor'"),
            ("organizationId", organisation),
        ],
        &[
            ("email", "'7-partner'"),
            ("role", "'partner'"),
            ("organizationId", organisation),
        ],
        &[
            ("email", "'8-リー@例え.jp'"),
            ("password", "''"),
            ("firstName", "repeat('é𝄞', 20000)"),
            ("lastName", "E'O''Neil\\n\\t\\\\'"),
            ("role", "repeat('r', 50000)"),
            ("organizationId", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"),
            ("mfaEnabled", "true"),
            ("mfaSecret", "repeat('s', 50000)"),
            ("passwordResetToken", "repeat('t', 50000)"),
            ("passwordResetExpires", "'infinity'"),
            ("lastLogin", "'-infinity'"),
            ("createdAt", "'0001-01-01 BC'"),
        ],
        &[("email", "''"), ("role", "''"), ("mfaSecret", "''")],
    ];
    for values in users {
        server.insert(DATABASE, "users", values);
    }
}

#[test]
fn users_keep_their_values_under_the_new_names_and_get_sensible_new_ones() {
    let (server, orchestrator) = at(LEGACY);
    insert_users(&server);
    let before = server.query(DATABASE, LEGACY_USERS);

    to(&orchestrator, SYNCHRONISED);
    assert_eq!(server.query(DATABASE, KEPT_OF_USERS), before);
    assert_eq!(
        server.query(
            DATABASE,
            "SELECT email, status, \"userType\" FROM users ORDER BY email"
        ),
        [
            ["", "active", "client"],
            ["1-plain", "active", "client"],
            ["2-inactive", "inactive", "client"],
            ["3-invited", "pending", "client"],
            ["4-signed-in-before", "active", "client"],
            ["5-verified-again", "active", "client"],
            ["6-auditor", "active", "auditor"],
            ["7-partner", "active", "partner"],
            ["8-リー@例え.jp", "active", "client"],
        ]
    );
    assert_eq!(
        server.query(
            DATABASE,
            "SELECT name, type, status FROM organizations ORDER BY id"
        ),
        [
            [
                "Organization 10000000-0000-0000-0000-000000000001",
                "client",
                "active"
            ],
            [
                "Organization ffffffff-ffff-ffff-ffff-ffffffffffff",
                "client",
                "active"
            ],
        ]
    );
    let newer = server.insert(DATABASE, "users", &[("email", "'9-newer'")]);
    assert_eq!(
        server.value(
            DATABASE,
            &format!("SELECT status FROM users WHERE id = '{newer}'")
        ),
        "pending"
    );
    server.query(DATABASE, &format!("DELETE FROM users WHERE id = '{newer}'"));

    back_to_legacy(&orchestrator);
    assert_eq!(server.query(DATABASE, LEGACY_USERS), before);
    let lost = server.value(
        DATABASE,
        "SELECT count(*) FROM users WHERE \"emailVerificationToken\" IS NOT NULL",
    );
    assert_eq!(lost, "0");
}

#[test]
fn sessions_stay_as_they_are_even_of_users_who_are_gone() {
    const SESSIONS: &str = "SELECT to_jsonb(sessions) FROM sessions ORDER BY token";
    let (server, orchestrator) = at(LEGACY);
    server.insert(DATABASE, "sessions", &[("token", "'a'")]);
    server.insert(
        DATABASE,
        "sessions",
        &[
            ("token", "'b'"),
            ("ipAddress", "repeat('1', 50000)"),
            ("userAgent", "repeat('ü', 50000)"),
            ("expiresAt", "'infinity'"),
        ],
    );
    let before = server.query(DATABASE, SESSIONS);
    orchestrator.expect(&["run", "auth"], 0);
    assert_eq!(server.query(DATABASE, SESSIONS), before);
    back_to_legacy(&orchestrator);
    assert_eq!(server.query(DATABASE, SESSIONS), before);
}

const LOG: &str = "SELECT to_jsonb(audit_logs) FROM audit_logs ORDER BY \"createdAt\"";

/// A legacy log entry: action, resource, details as an SQL expression.
type Entry<'a> = (&'a str, &'a str, &'a str);

/// Inserts log entries in their order; NULL is no user.
fn insert_log(server: &Server, user: &str, entries: &[Entry]) {
    let first = server.value(DATABASE, "SELECT count(*) FROM audit_logs");
    let first: usize = first.parse().expect("a number");
    for (number, (action, resource, details)) in entries.iter().enumerate() {
        server.insert(
            DATABASE,
            "audit_logs",
            &[
                ("action", &format!("'{action}'")),
                ("resource", &format!("'{resource}'")),
                ("resourceId", &format!("'{number}'")),
                ("details", details),
                ("userId", user),
                ("ipAddress", "'::1'"),
                ("userAgent", "repeat('ü', 50000)"),
                (
                    "createdAt",
                    &format!(
                        "timestamp '2026-01-01' + {} * interval '1s'",
                        first + number
                    ),
                ),
            ],
        );
    }
}

/// What became of the log: label, status, metadata.
fn log_after(server: &Server) -> Vec<Vec<String>> {
    server.query(
        DATABASE,
        "SELECT action, status, metadata FROM audit_logs ORDER BY \"createdAt\"",
    )
}

#[test]
fn every_label_that_is_an_action_already_stays_with_its_details() {
    let (server, orchestrator) = at(SYNCHRONISED);
    let labels: Vec<String> = server
        .query(
            DATABASE,
            "SELECT unnest(enum_range(NULL::audit_logs_action_enum))",
        )
        .into_iter()
        .map(|row| row[0].clone())
        .collect();
    assert_eq!(labels.len(), 32);
    back_to_legacy(&orchestrator);

    let user = server.insert(DATABASE, "users", &[]);
    let entries: Vec<Entry> = labels
        .iter()
        .map(|label| (label.as_str(), "user", "'{\"b\": [1, null], \"a\": \"ü\"}'"))
        .collect();
    insert_log(&server, &format!("'{user}'"), &entries);
    let before = server.query(DATABASE, LOG);

    to(&orchestrator, SYNCHRONISED);
    let after = log_after(&server);
    for (label, row) in labels.iter().zip(&after) {
        let status = match label.as_str() {
            "login_failed" | "mfa_failed" => "failure",
            _ => "success",
        };
        assert_eq!(
            row,
            &[label, status, "{\"a\": \"ü\", \"b\": [1, null]}"],
            "{label}"
        );
    }
    let others = server.query(
        DATABASE,
        &format!(
            "SELECT DISTINCT \"userId\" = '{user}', \"targetResourceType\", \"ipAddress\", length(\"userAgent\") \
             FROM audit_logs"
        ),
    );
    assert_eq!(others, [["t", "user", "::1", "50000"]]);

    back_to_legacy(&orchestrator);
    assert_eq!(server.query(DATABASE, LOG), before);
}

#[test]
fn other_actions_get_the_label_that_means_them_and_are_kept_beside_it() {
    let cases: &[(Entry, [&str; 3])] = &[
        (
            ("LOGIN", "auth", "NULL"),
            ["login_success", "success", r#"{"legacyAction": "LOGIN"}"#],
        ),
        (
            ("auth.login-failed", "auth", "NULL"),
            [
                "login_failed",
                "failure",
                r#"{"legacyAction": "auth.login-failed"}"#,
            ],
        ),
        (
            ("CREATE", "Users", r#"'{"a": null}'"#),
            [
                "user_created",
                "success",
                r#"{"legacyAction": "CREATE", "legacyDetails": {"a": null}}"#,
            ],
        ),
        (
            ("update", "organization", "'null'"),
            [
                "organization_updated",
                "success",
                r#"{"legacyAction": "update", "legacyDetails": null}"#,
            ],
        ),
        (
            ("deleteRole", "role", "'[]'"),
            [
                "user_updated",
                "unknown",
                r#"{"legacyAction": "deleteRole", "legacyDetails": []}"#,
            ],
        ),
        (
            ("delete_role", "", "'{}'"),
            [
                "role_deleted",
                "success",
                r#"{"legacyAction": "delete_role", "legacyDetails": {}}"#,
            ],
        ),
        (
            ("", "moon", r#"'{"legacyAction": "x"}'"#),
            [
                "user_updated",
                "unknown",
                r#"{"legacyAction": "", "legacyDetails": {"legacyAction": "x"}}"#,
            ],
        ),
        (
            ("登録", "ユーザー", "NULL"),
            ["user_updated", "unknown", r#"{"legacyAction": "登録"}"#],
        ),
        // Details that look like those of a row that was written anew.
        (
            ("logout", "auth", r#"'{"legacyAction": "x"}'"#),
            [
                "logout",
                "success",
                r#"{"legacyDetails": {"legacyAction": "x"}}"#,
            ],
        ),
        (("logout", "auth", "NULL"), ["logout", "success", ""]),
        (("logout", "auth", "'{}'"), ["logout", "success", "{}"]),
        (
            ("logout", "auth", "'\"text\"'"),
            ["logout", "success", r#""text""#],
        ),
    ];
    let (server, orchestrator) = at(LEGACY);
    let entries: Vec<Entry> = cases.iter().map(|(entry, _)| *entry).collect();
    insert_log(&server, "NULL", &entries);
    let before = server.query(DATABASE, LOG);

    to(&orchestrator, SYNCHRONISED);
    for ((entry, expected), row) in cases.iter().zip(log_after(&server)) {
        assert_eq!(row, expected, "{entry:?}");
    }
    back_to_legacy(&orchestrator);
    assert_eq!(server.query(DATABASE, LOG), before);
}

#[test]
fn an_entry_whose_user_is_gone_remembers_him() {
    const GONE: &str = "00000000-0000-0000-0000-00000000dead";
    let (server, orchestrator) = at(LEGACY);
    insert_log(
        &server,
        &format!("'{GONE}'"),
        &[
            ("logout", "auth", "'{\"a\": 1}'"),
            ("REGISTER", "auth", "NULL"),
        ],
    );
    let before = server.query(DATABASE, LOG);

    to(&orchestrator, SYNCHRONISED);
    let after = server.query(
        DATABASE,
        "SELECT action, \"userId\" IS NULL, metadata FROM audit_logs ORDER BY \"createdAt\"",
    );
    assert_eq!(
        after,
        [
            [
                "logout".to_owned(),
                "t".to_owned(),
                format!(r#"{{"legacyUserId": "{GONE}", "legacyDetails": {{"a": 1}}}}"#)
            ],
            [
                "user_created".to_owned(),
                "t".to_owned(),
                format!(r#"{{"legacyAction": "REGISTER", "legacyUserId": "{GONE}"}}"#)
            ],
        ]
    );
    back_to_legacy(&orchestrator);
    assert_eq!(server.query(DATABASE, LOG), before);
}

#[test]
fn an_address_too_long_for_the_new_index_is_refused_before_anything_is_changed() {
    let (server, orchestrator) = at(LEGACY);
    server.insert(
        DATABASE,
        "audit_logs",
        &[(
            "ipAddress",
            "(SELECT string_agg(gen_random_uuid()::text, ', ') FROM generate_series(1, 200))",
        )],
    );
    let before = server.contents(DATABASE);
    let refused = orchestrator.expect(&["run", "auth", "--to", SYNCHRONISED], 1);
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(said.contains("Shorten them and run again"), "{said}");
    assert_eq!(server.contents(DATABASE), before);

    server.query(
        DATABASE,
        "UPDATE audit_logs SET \"ipAddress\" = left(\"ipAddress\", 255)",
    );
    to(&orchestrator, SYNCHRONISED);
}

#[test]
fn rows_that_only_the_synchronised_schema_can_hold_survive_the_revert_as_announced() {
    let (server, orchestrator) = at(SYNCHRONISED);
    let insert = |table: &str, values: &[(&str, &str)]| server.insert(DATABASE, table, values);
    let organisation = insert("organizations", &[]);
    let organisation = format!("'{organisation}'");
    insert(
        "users",
        &[("email", "'1-new'"), ("organizationId", &organisation)],
    );
    insert(
        "users",
        &[
            ("email", "'2-suspended'"),
            ("status", "'suspended'"),
            ("roles", "'admin,auditor'"),
        ],
    );
    insert("users", &[("email", "'3-deleted'"), ("deletedAt", "now()")]);
    insert(
        "users",
        &[("email", "'4-disabled'"), ("disabledAt", "now()")],
    );
    let log = |second: &str, metadata: &str| {
        insert(
            "audit_logs",
            &[
                ("action", "'session_expired'"),
                ("metadata", metadata),
                ("createdAt", &format!("'2026-01-01 00:00:{second}'")),
            ],
        );
    };
    log("01", "'no JSON'");
    log("02", "'{\"a\": 1}'");
    log("03", "'{\"a\": \"\\u0000\"}'");
    log("04", "'{\"legacyUserId\": \"nobody\"}'");
    log("05", "NULL");

    back_to_legacy(&orchestrator);
    assert_eq!(
        server.query(
            DATABASE,
            "SELECT email, role, \"isActive\", \"organizationId\" IS NOT NULL FROM users ORDER BY email"
        ),
        [
            ["1-new", "user", "t", "t"],
            ["2-suspended", "admin,auditor", "f", "f"],
            ["3-deleted", "user", "f", "f"],
            ["4-disabled", "user", "f", "f"],
        ]
    );
    assert_eq!(
        server.query(
            DATABASE,
            "SELECT action, resource, details FROM audit_logs ORDER BY \"createdAt\""
        ),
        [
            ["session_expired", "unknown", "\"no JSON\""],
            ["session_expired", "unknown", "{\"a\": 1}"],
            [
                "session_expired",
                "unknown",
                "\"{\\\"a\\\": \\\"\\\\u0000\\\"}\""
            ],
            [
                "session_expired",
                "unknown",
                "{\"legacyUserId\": \"nobody\"}"
            ],
            ["session_expired", "unknown", ""],
        ]
    );
    to(&orchestrator, SYNCHRONISED);
}

#[test]
fn rows_of_every_table_can_be_inserted_updated_and_deleted() {
    let server = Server::start();
    Program::orchestrator(&server).expect(&["run", "auth"], 0);
    let tables = server.query(
        DATABASE,
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' \
         AND relname <> 'refinery_schema_history'",
    );
    assert_eq!(tables.len(), 15);
    for table in tables.iter().map(|row| &row[0]) {
        let id = server.insert(DATABASE, table, &[]);
        let key = server.key(DATABASE, table);
        for statement in ["UPDATE {} SET {key} = {key}", "DELETE FROM {}"] {
            let statement = statement.replace("{}", table).replace("{key}", &key);
            let done = server.query(
                DATABASE,
                &format!("{statement} WHERE {key} = '{id}' RETURNING 1"),
            );
            assert_eq!(done, [["1"]], "{statement}");
        }
    }
}

/// Foreign keys that no index on the referencing side serves.
const UNSERVED: &str = "
    SELECT k.conname FROM pg_constraint AS k
    WHERE k.contype = 'f' AND NOT EXISTS (
        SELECT FROM pg_index AS i
        WHERE i.indrelid = k.conrelid AND i.indisvalid AND i.indkey[0] = k.conkey[1]
    )";

/// Indexes over the same columns as another one that serves a constraint.
const DOUBLED: &str = "
    SELECT i.indexrelid::regclass FROM pg_index AS i
    JOIN pg_index AS kept
        ON kept.indrelid = i.indrelid AND kept.indkey::text = i.indkey::text AND kept.indexrelid <> i.indexrelid
    JOIN pg_constraint AS k ON k.conindid = kept.indexrelid AND k.contype = 'u'
    WHERE i.indrelid::regclass::text <> 'refinery_schema_history'";

#[test]
fn the_repairs_index_every_foreign_key_and_leave_no_index_twice() {
    let (server, orchestrator) = at(SYNCHRONISED);
    let synchronised = server.schema(DATABASE);
    assert_eq!(server.query(DATABASE, UNSERVED).len(), 5);
    assert_eq!(server.query(DATABASE, DOUBLED).len(), 7);

    server.insert(DATABASE, "users", &[("email", "'a@b'")]);
    orchestrator.expect(&["run", "auth"], 0);
    assert_eq!(server.query(DATABASE, UNSERVED), Vec::<Vec<String>>::new());
    assert_eq!(server.query(DATABASE, DOUBLED), Vec::<Vec<String>>::new());
    let twice = server.try_query(
        DATABASE,
        "INSERT INTO users (email, password, \"firstName\", \"lastName\") VALUES ('a@b', '', '', '')",
    );
    assert!(
        matches!(&twice, Err(error) if error.contains("23505")),
        "{twice:?}"
    );

    orchestrator.expect(&["revert", "auth", "--to", SYNCHRONISED], 0);
    assert_eq!(server.schema(DATABASE), synchronised);
}

#[test]
fn a_database_without_user_sessions_is_adopted_completed_and_reverted() {
    let server = Server::start();
    let orchestrator = Program::orchestrator(&server).scratch_beside();
    let database = server.synchronised_database("auth");
    let adopted = |newest: &str| {
        orchestrator.expect(&["adopt", "auth"], 0);
        let applied = server.applied(&database);
        assert_eq!(applied.last().map(i64::to_string).as_deref(), Some(newest));
        orchestrator.expect(&["drift", "auth"], 0);
    };
    adopted(SYNCHRONISED);
    orchestrator.expect(&["adopt", "auth", "--undo"], 0);

    server.query(&database, "DROP TABLE user_sessions");
    adopted(WITHOUT_USER_SESSIONS);
    orchestrator.expect(&["run", "auth"], 0);
    orchestrator.expect(&["drift", "auth"], 0);
    back_to_legacy(&orchestrator);
    orchestrator.expect(&["drift", "auth"], 0);

    // Also where somebody dropped the table that the application never used.
    to(&orchestrator, SYNCHRONISED);
    server.query(&database, "DROP TABLE user_sessions");
    back_to_legacy(&orchestrator);
    orchestrator.expect(&["drift", "auth"], 0);
}
