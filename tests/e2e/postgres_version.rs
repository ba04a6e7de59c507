//! The tests, and the programs under test, run on the PostgreSQL that was asked for.

use std::fs;
use std::path::Path;

use tests::{Program, Server, binaries};

fn wanted() -> String {
    std::env::var("TEST_POSTGRES")
        .ok()
        .filter(|major| !major.is_empty())
        .unwrap_or_else(|| binaries().version().major().to_string())
}

#[test]
fn the_server_of_a_test_has_the_major_version_asked_for() {
    let server = Server::start();
    let number: u32 = server
        .value("postgres", "SHOW server_version_num")
        .parse()
        .unwrap();
    assert_eq!((number / 10_000).to_string(), wanted());
}

#[test]
fn the_local_server_of_the_programs_has_the_same() {
    let orchestrator = Program::named("orchestrator");
    fs::create_dir(orchestrator.folder().join("config")).unwrap();
    orchestrator.expect(&["local", "start"], 0);
    let status = orchestrator
        .run(&["local", "status", "--output", "json"])
        .json();
    let version = status["data"]
        .as_str()
        .map(|data| fs::read_to_string(Path::new(data).join("PG_VERSION")));
    orchestrator.expect(&["local", "reset"], 0);
    assert_eq!(version.unwrap().unwrap().trim(), wanted());
}
