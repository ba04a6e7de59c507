//! The two legacy migrations that move rows: what they keep, what they change, and what their reverts bring back.

use tests::{Program, Server};

/// A server with everything that a service depends on, and the service at a version.
fn at(service: &str, version: &str) -> (Server, Program) {
    let server = Server::start();
    let orchestrator = Program::orchestrator(&server);
    orchestrator.expect(&["run", service, "--with-dependencies", "--to", version], 0);
    (server, orchestrator)
}

#[test]
fn control_results_get_new_names_and_their_old_ones_back() {
    const DATABASE: &str = "soc_controls";
    let (server, orchestrator) = at("control", "1753251000000");
    let results = || {
        server
            .query(
                DATABASE,
                "SELECT \"testedBy\", result FROM control_test_results ORDER BY \"testDate\"",
            )
            .into_iter()
            .map(|row| row[1].clone())
            .collect::<Vec<_>>()
    };
    let control = server.insert(DATABASE, "controls", &[]);
    let old = ["PASS", "FAIL", "PARTIAL", "NOT_APPLICABLE", "ERROR"];
    for (day, result) in old.iter().enumerate() {
        let (day, result) = (format!("'2026-01-0{}'", day + 1), format!("'{result}'"));
        let control = format!("'{control}'");
        server.insert(
            DATABASE,
            "control_test_results",
            &[
                ("controlId", &control),
                ("testDate", &day),
                ("result", &result),
            ],
        );
    }

    orchestrator.expect(&["run", "control", "--to", "1753251001000"], 0);
    assert_eq!(
        results(),
        [
            "PASSED",
            "FAILED",
            "PARTIALLY_PASSED",
            "NOT_APPLICABLE",
            "NOT_TESTED"
        ]
    );
    assert_eq!(
        server.value(
            DATABASE,
            "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
        ),
        "0"
    );

    orchestrator.expect(&["revert", "control"], 0);
    assert_eq!(results(), old);
}

#[test]
fn a_result_entered_without_saying_which_means_not_tested_and_then_not_applicable() {
    const DATABASE: &str = "soc_controls";
    let (server, orchestrator) = at("control", "1753251001000");
    let of = |id: &str| {
        server.value(
            DATABASE,
            &format!("SELECT result FROM control_test_results WHERE id = '{id}'"),
        )
    };
    let newer = server.insert(DATABASE, "control_test_results", &[]);
    assert_eq!(of(&newer), "NOT_TESTED");
    orchestrator.expect(&["revert", "control"], 0);
    assert_eq!(of(&newer), "ERROR");
    let older = server.insert(DATABASE, "control_test_results", &[]);
    assert_eq!(of(&older), "NOT_APPLICABLE");
}

const TEMPLATES: &str = "SELECT \"templateId\", content, \"htmlContent\", \"updatedAt\", channel, type FROM notification_templates \
     ORDER BY \"createdAt\", \"templateId\"";

#[test]
fn notification_templates_keep_their_rows_there_and_back() {
    const DATABASE: &str = "soc_notifications";
    let (server, orchestrator) = at("notification", "1706204000000");
    let template = |id: &str, content: &str| {
        server.insert(
            DATABASE,
            "notification_templates",
            &[
                ("templateId", &format!("'{id}'")),
                ("content", &format!("'{content}'")),
                ("htmlContent", "'<p>Hello</p>'"),
                ("updatedAt", "'2026-01-01 00:00Z'"),
            ],
        )
    };
    template("welcome", "Hello {{name}}, \"quoted\"");
    template("empty", "");
    template("looks_like_json", "{\"body\": \"x\"}");
    server.insert(
        DATABASE,
        "notification_preferences",
        &[("channel", "'email'")],
    );
    let before = server.query(DATABASE, TEMPLATES);
    assert_eq!(before.len(), 3);

    orchestrator.expect(&["run", "notification", "--to", "1706205000000"], 0);
    let moved = server.query(
        DATABASE,
        "SELECT code, content ->> 'body', \"htmlBody\", \"updatedAt\", channel, type FROM notification_templates \
         ORDER BY \"createdAt\", code",
    );
    assert_eq!(moved, before);

    orchestrator.expect(&["revert", "notification"], 0);
    assert_eq!(server.query(DATABASE, TEMPLATES), before);
}

#[test]
fn rows_that_only_the_newer_notification_schema_can_hold_survive_its_revert_as_announced() {
    const DATABASE: &str = "soc_notifications";
    let (server, orchestrator) = at("notification", "1706205000000");
    let template =
        |values: &[(&str, &str)]| server.insert(DATABASE, "notification_templates", values);
    let pushed = template(&[
        ("channel", "'push'"),
        ("type", "'marketing'"),
        ("content", "'{\"title\": \"t\"}'"),
    ]);
    template(&[("code", "'shared'"), ("createdAt", "'2026-01-01'")]);
    let second = template(&[("code", "'shared'"), ("createdAt", "'2026-01-02'")]);
    server.insert(
        DATABASE,
        "notification_preferences",
        &[("channel", "'push'")],
    );
    server.insert(
        DATABASE,
        "notification_preferences",
        &[("channel", "'sms'")],
    );
    server.insert(
        DATABASE,
        "notifications",
        &[("channel", "'push'"), ("type", "'marketing'")],
    );

    orchestrator.expect(&["revert", "notification"], 0);
    let ids = server.query(
        DATABASE,
        "SELECT \"templateId\", content, channel, type FROM notification_templates ORDER BY \"createdAt\" DESC",
    );
    assert_eq!(
        ids[0],
        [&pushed, "{\"title\": \"t\"}", "in_app", "announcement"]
    );
    assert_eq!(ids[1][0], format!("shared-{second}"));
    assert_eq!(ids[1][1], "");
    assert_eq!(ids[2][0], "shared");
    assert_eq!(
        server.query(DATABASE, "SELECT channel FROM notification_preferences"),
        [["sms"]]
    );
    assert_eq!(
        server.query(DATABASE, "SELECT channel, type FROM notifications"),
        [["in_app", "announcement"]]
    );
    assert_eq!(
        server.query(
            DATABASE,
            "SELECT enumlabel FROM pg_enum WHERE enumlabel IN ('push', 'marketing') \
             AND enumtypid IN ('notification_channel'::regtype, 'notification_type'::regtype)"
        ),
        Vec::<Vec<String>>::new()
    );
}
