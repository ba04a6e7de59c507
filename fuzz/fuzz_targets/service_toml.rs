//! Any `service.toml`: read, or refused with file and line; the result is unchanged after being written and read again.
#![no_main]

use std::sync::Once;

use domain::{Fleet, Service};
use engine::source::{SourceError, load_folder};
use fuzz::{chain, folder, write};
use libfuzzer_sys::fuzz_target;
use toml::{Table, Value};

fuzz_target!(|text: &str| {
    match load(text) {
        Ok(fleet) => {
            let service = shop(&fleet);
            assert!((1..=63).contains(&service.database.len()));
            let written = write_again(service).to_string();
            let again = load(&written).unwrap_or_else(|error| panic!("{error}\n{written}"));
            assert_eq!(write_again(shop(&again)).to_string(), written);
        }
        Err(error) => {
            let words = chain(&error);
            assert!(words.contains("service.toml"), "{words}");
        }
    }
});

fn load(text: &str) -> Result<Fleet, SourceError> {
    static OTHER: Once = Once::new();
    let services = folder().join("services");
    // A service that others can depend on.
    OTHER.call_once(|| {
        let auth = services.join("auth");
        write(
            &auth.join("service.toml"),
            "name = 'auth'\ndatabase = 'auth'\n",
        );
        write(&auth.join("migrations/V1__x.sql"), "");
        write(&services.join("shop/migrations/V1__x.sql"), "");
    });
    write(&services.join("shop/service.toml"), text);
    load_folder(&services)
}

fn shop(fleet: &Fleet) -> &Service {
    let name = "shop".parse().expect("a name");
    fleet.service(&name).expect("the service")
}

fn write_again(service: &Service) -> Table {
    let depends_on = service
        .depends_on
        .iter()
        .map(|name| Value::from(name.as_str()));
    let mut table = Table::new();
    table.insert("name".to_owned(), Value::from(service.name.as_str()));
    table.insert(
        "database".to_owned(),
        Value::from(service.database.as_str()),
    );
    table.insert("depends_on".to_owned(), Value::Array(depends_on.collect()));
    for (key, value) in [
        ("history_table", &service.history_table),
        ("legacy_table", &service.legacy_table),
        ("description", &service.description),
        ("owner", &service.owner),
    ] {
        if let Some(value) = value {
            table.insert(key.to_owned(), Value::from(value.as_str()));
        }
    }
    table
}
