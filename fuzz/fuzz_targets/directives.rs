//! A migration and its revert: read with all directives in their leading comments, or refused with file and line.
#![no_main]

use std::fmt::Write as _;
use std::sync::Once;
use std::time::Duration;

use arbitrary::Arbitrary;
use domain::{Direction, Directives, Fleet, Migration, Script, Service};
use engine::{planning, source};
use fuzz::{chain, folder, write};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Files<'a> {
    head: Vec<Line<'a>>,
    migration: &'a str,
    revert: Option<&'a str>,
}

/// A line at the start of a migration: a directive far more often than by chance.
#[derive(Arbitrary, Debug)]
enum Line<'a> {
    Directive(&'a str),
    Requires(&'a str, u64),
    NoTransaction,
    Irreversible(&'a str),
    LockTimeout(&'a str),
    StatementTimeout(&'a str),
    Allow(&'a str, &'a str),
    Comment(&'a str),
    Text(&'a str),
}

fuzz_target!(|files: Files<'_>| {
    let mut text = String::new();
    for line in &files.head {
        let written = match line {
            Line::Directive(words) => writeln!(text, "-- migration: {words}"),
            Line::Requires(service, version) => {
                writeln!(text, "-- migration: requires {service}@{version}")
            }
            Line::NoTransaction => writeln!(text, "-- migration: no-transaction"),
            Line::Irreversible(reason) => writeln!(text, "-- migration: irreversible \"{reason}\""),
            Line::LockTimeout(time) => writeln!(text, "-- migration: lock-timeout {time}"),
            Line::StatementTimeout(time) => {
                writeln!(text, "-- migration: statement-timeout {time}")
            }
            Line::Allow(rule, reason) => writeln!(text, "-- migration: allow {rule} \"{reason}\""),
            Line::Comment(words) => writeln!(text, "/*{words}*/"),
            Line::Text(words) => writeln!(text, "{words}"),
        };
        written.expect("a string grows");
    }
    text.push_str(files.migration);
    match load(&text, files.revert) {
        Ok(fleet) => {
            let service = shop(&fleet);
            let migration = service.migrations.first().expect("one migration");
            accepted(migration, &text);
            for direction in [Direction::Up, Direction::Down] {
                match planning::step(service, migration, direction) {
                    Ok(step) => assert_eq!(step.version, migration.version),
                    Err(error) => assert!(error.line > 0 && error.column > 0),
                }
            }
            read_back(migration, files.revert);
        }
        Err(error) => {
            let words = chain(&error);
            assert!(words.contains("V1__x.sql"), "{words}");
        }
    }
});

fn load(migration: &str, revert: Option<&str>) -> Result<Fleet, source::SourceError> {
    static OTHER: Once = Once::new();
    let services = folder().join("services");
    // A service whose migrations can be required.
    OTHER.call_once(|| {
        let auth = services.join("auth");
        write(
            &auth.join("service.toml"),
            "name = 'auth'\ndatabase = 'auth'\n",
        );
        write(&auth.join("migrations/V1__x.sql"), "");
        write(&auth.join("migrations/V2__x.sql"), "");
        write(
            &services.join("shop/service.toml"),
            "name = 'shop'\ndatabase = 'shop'\n",
        );
    });
    let shop = services.join("shop");
    write(&shop.join("migrations/V1__x.sql"), migration);
    let reverts = shop.join("reverts/V1__x.sql");
    match revert {
        Some(revert) => write(&reverts, revert),
        None => drop(std::fs::remove_file(reverts)),
    }
    source::load_folder(&services)
}

fn shop(fleet: &Fleet) -> &Service {
    let name = "shop".parse().expect("a name");
    fleet.service(&name).expect("the service")
}

/// The checksum is refinery's, and PostgreSQL accepts the timeouts.
fn accepted(migration: &Migration, text: &str) {
    let refinerys = refinery::Migration::unapplied("V1__x", text).expect("a good name");
    assert_eq!(
        migration.checksum.to_string(),
        refinerys.checksum().to_string()
    );
    assert_eq!(&*migration.script.text, text);
    for script in [Some(&migration.script), migration.revert.as_ref()]
        .into_iter()
        .flatten()
    {
        let directives = &script.directives;
        assert!(
            directives
                .lock_timeout
                .is_none_or(|time| time >= Duration::from_millis(1))
        );
        for time in [directives.lock_timeout, directives.statement_timeout]
            .into_iter()
            .flatten()
        {
            assert!(time.as_millis() <= i32::MAX as u128);
        }
    }
}

/// Printed directives parse to themselves.
fn read_back(migration: &Migration, revert: Option<&str>) {
    let printed = print(&migration.script);
    let again = load(&printed, revert).unwrap_or_else(|error| panic!("{error}\n{printed}"));
    assert_eq!(
        shop(&again).migrations[0].script.directives,
        migration.script.directives
    );
}

fn print(script: &Script) -> String {
    let Directives {
        requires,
        no_transaction,
        irreversible,
        lock_timeout,
        statement_timeout,
        allow,
    } = &script.directives;
    let mut lines = Vec::new();
    lines.extend(requires.iter().map(|it| format!("requires {it}")));
    lines.extend(no_transaction.then(|| "no-transaction".to_owned()));
    lines.extend(
        irreversible
            .iter()
            .map(|it| format!("irreversible \"{it}\"")),
    );
    lines.extend(
        lock_timeout
            .iter()
            .map(|it| format!("lock-timeout {}ms", it.as_millis())),
    );
    lines.extend(
        statement_timeout
            .iter()
            .map(|it| format!("statement-timeout {}ms", it.as_millis())),
    );
    lines.extend(
        allow
            .iter()
            .map(|it| format!("allow {} \"{}\"", it.rule, it.reason)),
    );
    lines
        .iter()
        .map(|line| format!("-- migration: {line}\n"))
        .collect()
}
