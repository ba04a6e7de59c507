//! Property tests of addresses, password files, durations and configuration files. Single cases are beside the code.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use proptest::prelude::*;

use super::layer::FileLayer;
use super::{Configuration, Overrides, Selection};
use pg_address::DatabaseAddress;
use pg_address::{LIBPQ_VARIABLES, Password};

/// Every byte except letters and digits, percent-encoded.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

/// Quoted as libpq accepts it in a `key=value` string.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Anything that a name or a password may contain: any text without NUL.
fn words() -> impl Strategy<Value = String> {
    prop_oneof!["[^\\x00]{1,12}", "[@:/?#%&= '\\\\\"\\[\\],\\r\\n]{1,8}"]
}

fn hosts() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z][a-zA-Z0-9.-]{0,12}",
        "/[a-zA-Z0-9 @:?%]{1,12}",
        any::<std::net::Ipv4Addr>().prop_map(|address| address.to_string()),
        any::<std::net::Ipv6Addr>().prop_map(|address| address.to_string()),
    ]
}

prop_compose! {
    fn parts()(host in hosts(), port in 1_u16.., user in words(), password in words(), database in words()) -> Parts {
        Parts { host, port, user, password, database }
    }
}

#[derive(Debug)]
struct Parts {
    host: String,
    port: u16,
    user: String,
    password: String,
    database: String,
}

fn no_variables() -> BTreeMap<String, String> {
    BTreeMap::new()
}

fn assert_parts(address: &DatabaseAddress, parts: &Parts) -> Result<(), TestCaseError> {
    let [endpoint] = address.endpoints() else {
        return Err(TestCaseError::fail(format!("{:?}", address.endpoints())));
    };
    prop_assert_eq!(endpoint.host(), parts.host.as_str());
    prop_assert_eq!(endpoint.port(), parts.port);
    prop_assert_eq!(address.user(), parts.user.as_str());
    prop_assert_eq!(address.database(), parts.database.as_str());
    let password = address.password(endpoint).map(Password::expose);
    prop_assert_eq!(password, Some(parts.password.as_str()));
    Ok(())
}

/// Values that some setting accepts, and some that none does.
fn values() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[0-9]{1,25} ?(ns|ms|s|min|h|days|years)?",
        "postgres(ql)?://[^\\x00]{0,20}",
        "(host|port|user|hostaddr|sslmode|options|service|passfile)=[^ ]{0,8} ?",
        prop::sample::select(vec![
            "0",
            "1",
            "-1",
            "require",
            "verify-full",
            "random",
            "production",
            ",",
            "[::1]"
        ])
        .prop_map(str::to_owned),
    ]
}

fn variables() -> impl Strategy<Value = BTreeMap<String, String>> {
    let own = [
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
        "ORCHESTRATOR_CONNECTIONS",
        "ORCHESTRATOR_MAX_CONNECTIONS",
    ];
    let names: Vec<&str> = own
        .into_iter()
        .chain(LIBPQ_VARIABLES.iter().copied())
        .collect();
    let name = prop::sample::select(names).prop_map(str::to_owned);
    prop::collection::btree_map(name, values(), 0..6)
}

proptest! {
    #[test]
    fn a_url_decodes_to_its_parts(parts in parts()) {
        let Parts { host, port, user, password, database } = &parts;
        let host = match host.parse::<std::net::Ipv6Addr>() {
            Ok(_) => format!("[{host}]"),
            Err(_) => encoded(host),
        };
        let url = format!(
            "postgres://{}:{}@{host}:{port}/{}", encoded(user), encoded(password), encoded(database)
        );
        let address = DatabaseAddress::parse(&url, &no_variables());
        prop_assert!(address.is_ok(), "{}: {:?}", url, address);
        if let Ok(address) = address {
            assert_parts(&address, &parts)?;
        }
    }

    #[test]
    fn key_value_pairs_decode_to_their_parts(parts in parts()) {
        let Parts { host, port, user, password, database } = &parts;
        let text = format!(
            "host={} port={port} user={} password={} dbname={}",
            quoted(host), quoted(user), quoted(password), quoted(database)
        );
        let address = DatabaseAddress::parse(&text, &no_variables());
        prop_assert!(address.is_ok(), "{}: {:?}", text, address);
        if let Ok(address) = address {
            assert_parts(&address, &parts)?;
        }
    }

    #[test]
    fn psql_and_pg_dump_get_the_same_address(parts in parts(), database in words()) {
        let Parts { host, port, user, password, .. } = &parts;
        let text = format!(
            "host={} port={port} user={} password={}", quoted(host), quoted(user), quoted(password)
        );
        let address = DatabaseAddress::parse(&text, &no_variables()).unwrap().with_database(&database);
        let variables: BTreeMap<String, String> = address.libpq_environment(std::time::Duration::from_secs(10)).into_iter().collect();
        prop_assert_eq!(variables.get("PGDATABASE"), Some(&database));
        let again = DatabaseAddress::parse("application_name=x", &variables).unwrap().with_database(&database);
        assert_parts(&again, &Parts { database, ..parts })?;
    }

    #[test]
    fn a_password_is_found_in_its_file_and_never_printed(parts in parts()) {
        let escaped = |text: &str| text.replace('\\', "\\\\").replace(':', "\\:");
        // A line of the file cannot contain a line break.
        prop_assume!([&parts.user, &parts.database].iter().all(|text| !text.contains(['\n', '\r'])));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("passwords");
        let secret = "uNgUeSsAbLe:\\x";
        let line = format!(
            "{}:{}:{}:{}:{}\n*:*:*:*:no\n",
            escaped(&parts.host), parts.port, escaped(&parts.database), escaped(&parts.user), escaped(secret)
        );
        prop_assume!(!line.starts_with('#'));
        fs::write(&file, line).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let text = format!(
            "host={} port={} user={} passfile={}",
            quoted(&parts.host), parts.port, quoted(&parts.user), quoted(file.to_str().unwrap())
        );
        let address = DatabaseAddress::parse(&text, &no_variables()).unwrap().with_database(parts.database.as_str());
        let found = address.password(&address.endpoints()[0]).map(Password::expose);
        // libpq uses "localhost" for its default socket folder in this file.
        if !["/tmp", "/var/run/postgresql"].contains(&parts.host.as_str()) {
            prop_assert_eq!(found, Some(secret));
        }
        let shown = format!("{address} {address:?}");
        prop_assert!(!shown.contains("uNgUeSsAbLe"), "{}", shown);
    }

    #[test]
    fn any_text_is_an_address_or_an_error(text in values(), variables in variables()) {
        for text in [text.clone(), format!("postgres://{text}"), format!("host=h {text}")] {
            match DatabaseAddress::parse(&text, &variables) {
                Ok(address) => {
                    prop_assert!(!address.endpoints().is_empty());
                    prop_assert!(!address.libpq_environment(std::time::Duration::from_secs(10)).is_empty());
                    for endpoint in address.endpoints() {
                        let _ = address.password(endpoint);
                    }
                }
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }

    #[test]
    fn any_file_and_variables_are_a_configuration_or_an_error(
        file in prop_oneof![
            any::<String>(),
            (prop::sample::select(vec!["server", "engine", "services.shop", "services", "\"a[9]\""]),
             prop::sample::select(vec!["url", "max_connections", "lock_timeout", "database", "\"a.b\"", "\"a[7]\""]),
             prop_oneof![values().prop_map(|value| format!("{value:?}")), any::<i64>().prop_map(|n| n.to_string())])
                .prop_map(|(section, key, value)| format!("[{section}]\n{key} = {value}\n")),
        ],
        variables in variables(),
    ) {
        let mut configuration = match Configuration::load(&Overrides::default(), &variables, &crate::ProjectRoot::find(Path::new("/nowhere"))) {
            Ok(configuration) => configuration,
            Err(error) => {
                prop_assert!(!error.to_string().is_empty());
                return Ok(());
            }
        };
        if let Ok(layer) = FileLayer::parse(Path::new("config/default.toml"), &file) {
            configuration.files.push(layer);
        }
        prop_assert!(!configuration.engine().lock_timeout.is_zero());
        for selection in [Selection::One("shop"), Selection::One("other"), Selection::Many] {
            match configuration.locate("shop", "soc_shop", selection) {
                Ok(location) => prop_assert!(!location.database().is_empty()),
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }
}
