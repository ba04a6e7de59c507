//! The migrations of the platform itself, rehearsed.

use std::collections::BTreeMap;

use tests::{Program, Server};

#[test]
fn every_revert_of_the_platform_undoes_its_migration() {
    let server = Server::start();
    let outcome = Program::orchestrator(&server)
        .scratch_beside()
        .expect(&["rehearse", "all", "--every", "--output", "json"], 0);
    let mut reported: BTreeMap<(String, i64), String> = BTreeMap::new();
    for event in outcome.events_of("migration_rehearsed") {
        let service = event["service"].as_str().expect("text").to_owned();
        let version = event["version"].as_i64().expect("a version");
        let mut findings: Vec<String> = event["findings"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|it| {
                let text = |field: &str| it[field].as_str().expect("text").to_owned();
                // How long a lock is held is another time each time.
                if text("message").contains(" blocks ") {
                    return format!("{} ({})", text("rule"), text("allowed"));
                }
                format!(
                    "{}: {} ({})",
                    text("rule"),
                    text("message"),
                    text("allowed")
                )
            })
            .collect();
        findings.dedup();
        let reversible = event["reversible"].as_str().expect("text");
        let text = format!("{reversible}\n    {}", findings.join("\n    "));
        reported.insert((service, version), text.trim_end().to_owned());
    }
    let lines: Vec<String> = reported
        .iter()
        .map(|((service, version), text)| format!("{service} {version} {text}"))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
    assert_eq!(server.databases(), Vec::<String>::new());
}
