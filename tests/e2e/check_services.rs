//! The eleven services themselves pass `check`: what their migrations do on purpose has a reason beside it.

use std::collections::BTreeSet;

use serde_json::Value;
use tests::Program;

fn findings() -> (i32, Vec<Value>) {
    let outcome =
        Program::named("orchestrator").run(&["check", "--no-rehearsal", "--output", "json"]);
    let findings = outcome.json()["findings"]
        .as_array()
        .expect("a list")
        .clone();
    (outcome.code, findings)
}

#[test]
fn every_finding_has_a_reason() {
    let (code, findings) = findings();
    let bare: Vec<_> = findings
        .iter()
        .filter(|finding| finding["allowed"].is_null())
        .collect();
    assert!(bare.is_empty(), "{bare:#?}");
    assert_eq!(code, 0);
}

#[test]
fn the_fault_of_the_legacy_trigger_is_found_in_all_seven_services_that_had_it() {
    let (_, findings) = findings();
    let services: BTreeSet<_> = findings
        .iter()
        .filter(|finding| finding["rule"] == "unquoted-mixed-case")
        .map(|finding| finding["service"].as_str().expect("a service"))
        .collect();
    assert_eq!(
        services,
        BTreeSet::from([
            "ai",
            "audit",
            "control",
            "integration",
            "notification",
            "policy",
            "workflow"
        ])
    );
}
