//! Any configuration: files, variables, password and service files. The result is an address that libpq interprets in the
//! same way, or an error with its origin.
#![no_main]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use arbitrary::Arbitrary;
use fuzz::{chain, folder, write};
use libfuzzer_sys::fuzz_target;
use pg_address::DatabaseAddress;
use pg_address::{LIBPQ_VARIABLES, Password};
use settings::{Configuration, Overrides, ProjectRoot, Selection};

#[derive(Arbitrary, Debug)]
struct Sources<'a> {
    default_file: &'a str,
    production_file: Option<&'a str>,
    variables: Vec<(Variable, &'a str)>,
    password_file: Option<&'a str>,
    service_file: Option<&'a str>,
    server_url: Option<&'a str>,
    max_connections: Option<&'a str>,
    lock_timeout: Option<&'a str>,
}

#[derive(Arbitrary, Debug)]
enum Variable {
    Libpq(u8),
    Own(u8),
}

const OWN: &[&str] = &[
    "DATABASE_URL",
    "SHOP_DATABASE_URL",
    "ORCHESTRATOR_SERVER_URL",
    "DB_HOST",
    "DB_PORT",
    "DB_USERNAME",
    "DB_PASSWORD",
    "APP_ENV",
    "NODE_ENV",
    "ORCHESTRATOR_LOCK_TIMEOUT",
    "ORCHESTRATOR_LOCK_RETRIES",
    "ORCHESTRATOR_STATEMENT_TIMEOUT",
    "ORCHESTRATOR_CONCURRENTLY_TIMEOUT",
    "ORCHESTRATOR_ADVISORY_LOCK_WAIT",
    "ORCHESTRATOR_CONNECT_TIMEOUT",
    "ORCHESTRATOR_MAX_CONNECTIONS",
];

fuzz_target!(|sources: Sources<'_>| {
    let root = folder().join("project");
    write(&root.join("config/default.toml"), sources.default_file);
    let production = root.join("config/production.toml");
    match sources.production_file {
        Some(text) => write(&production, text),
        None => drop(fs::remove_file(production)),
    }
    let variables = variables(&sources);
    let mut overrides = Overrides::default();
    overrides.server_url = sources.server_url.map(str::to_owned);
    overrides.max_connections = sources.max_connections.map(str::to_owned);
    overrides.engine.lock_timeout = sources.lock_timeout.map(str::to_owned);
    let configuration = match Configuration::load(&overrides, &variables, &ProjectRoot::find(&root))
    {
        Ok(configuration) => configuration,
        Err(error) => return assert!(!chain(&error).is_empty()),
    };
    let engine = configuration.engine();
    assert!(engine.lock_timeout.as_millis() >= 1);
    for time in [
        engine.lock_timeout,
        engine.statement_timeout,
        engine.concurrently_timeout,
    ] {
        assert!(time.as_millis() <= i32::MAX as u128);
    }
    for selection in [
        Selection::One("shop"),
        Selection::One("other"),
        Selection::Many,
    ] {
        match configuration.locate("shop", "soc_shop", selection) {
            Ok(location) => {
                if let Some(address) = location.address() {
                    means_the_same_to_libpq(address, &variables);
                }
            }
            Err(error) => assert!(!chain(&error).is_empty()),
        }
    }
});

fn variables(sources: &Sources<'_>) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for (variable, value) in &sources.variables {
        let name = match variable {
            Variable::Libpq(index) => LIBPQ_VARIABLES[usize::from(*index) % LIBPQ_VARIABLES.len()],
            Variable::Own(index) => OWN[usize::from(*index) % OWN.len()],
        };
        variables.insert(name.to_owned(), (*value).to_owned());
    }
    let home = folder().join("home");
    variables.insert("HOME".to_owned(), home.display().to_string());
    let passwords = home.join(".pgpass");
    match sources.password_file {
        Some(text) => {
            write(&passwords, text);
            let mode = fs::Permissions::from_mode(0o600);
            fs::set_permissions(&passwords, mode).expect("the mode of a file of ours");
        }
        None => drop(fs::remove_file(passwords)),
    }
    let services = home.join(".pg_service.conf");
    match sources.service_file {
        Some(text) => write(&services, text),
        None => drop(fs::remove_file(services)),
    }
    variables
}

/// psql and pg_dump, configured through variables, connect to the same address.
fn means_the_same_to_libpq(address: &DatabaseAddress, given: &BTreeMap<String, String>) {
    let mut variables: BTreeMap<String, String> = address
        .libpq_environment(Duration::from_secs(10))
        .into_iter()
        .collect();
    variables.insert("HOME".to_owned(), given["HOME"].clone());
    let again = DatabaseAddress::parse("application_name=again", &variables)
        .unwrap_or_else(|error| panic!("{address}: {}: {variables:?}", chain(&error)))
        .with_database(variables.get("PGDATABASE").cloned().unwrap_or_default());
    assert_eq!(again.to_string(), address.to_string());
    assert_eq!(again.server_key(), address.server_key());
    assert_eq!(again.database_key(), address.database_key());
    assert_eq!(again.is_local(), address.is_local());
    assert_eq!(again.tls().mode, address.tls().mode);
    assert_eq!(
        again.network().connect_timeout,
        address.network().connect_timeout
    );
    for (one, other) in address.endpoints().iter().zip(again.endpoints()) {
        assert_eq!(one, other);
        assert_eq!(
            address.password(one).map(Password::expose),
            again.password(other).map(Password::expose)
        );
    }
}
