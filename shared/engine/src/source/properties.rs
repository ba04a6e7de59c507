//! Property tests for reading names, directives, checksums and `service.toml`.
//!
//! Single cases are tested beside the code.

use std::time::Duration;

use proptest::prelude::*;
use service_layout::FileName;
use toml::{Table, Value};

use super::definition::Definition;
use super::directives::{FileKind, parse};
use domain::{Allow, Directives, Requirement, ServiceName, Version};
use store::checksum;

fn service_names() -> impl Strategy<Value = ServiceName> {
    "[A-Za-z0-9][A-Za-z0-9_-]{0,12}".prop_filter_map("the word all", |name| name.parse().ok())
}

/// The content of a quoted reason: one line that starts and ends with a non-blank character.
fn reasons() -> impl Strategy<Value = String> {
    "[^\\r\\n]{1,30}"
        .prop_map(|reason| reason.trim().to_owned())
        .prop_filter("something", |reason| !reason.is_empty())
}

fn times() -> impl Strategy<Value = Duration> {
    (1..=i32::MAX as u64).prop_map(Duration::from_millis)
}

prop_compose! {
    fn directives()(
        requires in prop::collection::btree_set((service_names(), 0..=i64::MAX), 0..4),
        no_transaction in any::<bool>(),
        irreversible in prop::option::of(reasons()),
        lock_timeout in prop::option::of(times()),
        statement_timeout in prop::option::of(prop_oneof![Just(Duration::ZERO), times()]),
        allow in prop::collection::btree_map("[^\\s]{1,10}", reasons(), 0..3),
    ) -> Directives {
        Directives {
            requires: requires
                .into_iter()
                .map(|(service, version)| Requirement { service, version: Version::new(version) })
                .collect(),
            no_transaction,
            irreversible,
            lock_timeout,
            statement_timeout,
            allow: allow.into_iter().map(|(rule, reason)| Allow { rule, reason }).collect(),
        }
    }
}

/// The directives as text, one per line.
fn written(directives: &Directives) -> Vec<String> {
    let time = |time: &Duration| humantime::format_duration(*time).to_string();
    let mut lines = Vec::new();
    lines.extend(
        directives
            .requires
            .iter()
            .map(|it| format!("requires {it}")),
    );
    lines.extend(
        directives
            .no_transaction
            .then(|| "no-transaction".to_owned()),
    );
    lines.extend(
        directives
            .irreversible
            .iter()
            .map(|it| format!("irreversible \"{it}\"")),
    );
    lines.extend(
        directives
            .lock_timeout
            .iter()
            .map(|it| format!("lock-timeout {}", time(it))),
    );
    lines.extend(
        directives
            .statement_timeout
            .iter()
            .map(|it| format!("statement-timeout {}", time(it))),
    );
    lines.extend(
        directives
            .allow
            .iter()
            .map(|it| format!("allow {} \"{}\"", it.rule, it.reason)),
    );
    lines
}

/// Valid and almost valid file names.
fn file_names() -> impl Strategy<Value = String> {
    let version = prop_oneof![
        "[0-9]{1,20}",
        any::<u64>().prop_map(|n| n.to_string()),
        "[0-9.]{0,3}"
    ];
    let name = prop_oneof!["\\w{1,8}", "[\\w-]{0,8}", "\\PC{0,4}"];
    prop_oneof![
        8 => (version, name).prop_map(|(version, name)| format!("V{version}__{name}.sql")),
        1 => any::<String>(),
    ]
}

proptest! {
    #[test]
    fn directives_that_are_written_are_read_back(
        directives in directives(),
        between in prop::sample::select(vec!["", "\n", "-- words\n", "/* no -- migration: here */", "\r\n  "]),
        rest in prop_oneof![Just(String::new()), any::<String>().prop_map(|rest| format!("SELECT 1;{rest}"))],
    ) {
        let lines: String = written(&directives)
            .iter()
            .map(|line| format!("{between}-- migration: {line}\n"))
            .collect();
        let read = parse("V1__x.sql", &format!("{lines}{rest}"), FileKind::Migration);
        prop_assert_eq!(read.map_err(|error| error.to_string()), Ok(directives), "{}", lines);
    }

    #[test]
    fn a_directive_is_read_or_refused_with_its_line(
        word in prop::sample::select(vec![
            "requires ", "no-transaction", "irreversible ", "lock-timeout ", "statement-timeout ", "allow ", "batch ", "",
        ]),
        argument in prop_oneof![any::<String>(), "\"?[^\"]{0,9}\"?", "[0-9]{1,25}[a-z]{0,4}", "[a-z]{1,4}@V?[0-9]{1,20}"],
        before in 0_usize..4,
    ) {
        let text = format!("{}-- migration: {word}{argument}", "\n".repeat(before));
        for kind in [FileKind::Migration, FileKind::Revert] {
            match parse("V1__x.sql", &text, kind) {
                Ok(directives) => {
                    let again: String = written(&directives)
                        .iter()
                        .map(|line| format!("-- migration: {line}\n"))
                        .collect();
                    let again = parse("V1__x.sql", &again, FileKind::Migration);
                    prop_assert_eq!(again.map_err(|error| error.to_string()), Ok(directives));
                }
                Err(error) => {
                    let words = error.to_string();
                    prop_assert!(words.starts_with("V1__x.sql:"), "{}", words);
                }
            }
        }
    }

    #[test]
    fn limits_fit_the_range_of_postgresql(text in prop_oneof!["[0-9]{1,12}(ns|us|ms|s|m|h|days)", any::<String>()]) {
        let text = format!("-- migration: lock-timeout {text}\n");
        if let Ok(Directives { lock_timeout: Some(time), .. }) = parse("a.sql", &text, FileKind::Migration) {
            // PostgreSQL treats 0 as no limit.
            prop_assert!((1..=i32::MAX as u128).contains(&time.as_millis()), "{:?}", time);
        }
    }

    #[test]
    fn a_name_that_is_taken_is_the_one_that_refinery_reads(file_name in file_names()) {
        let Ok(parsed) = FileName::parse(&file_name) else { return Ok(()) };
        let stem = file_name.trim_end_matches(".sql");
        let refinerys = refinery::Migration::unapplied(stem, "");
        let read = refinerys.map(|it| (it.version(), it.name().to_owned())).map_err(|error| error.to_string());
        prop_assert_eq!(read, Ok((parsed.version, parsed.name.clone())));
        let version = Version::new(parsed.version);
        prop_assert_eq!(version.to_string().parse(), Ok(version));
        prop_assert_eq!(FileName::parse(&parsed.to_string()), Ok(parsed));
    }

    #[test]
    fn the_checksum_is_that_of_refinery(version in 0..=i64::MAX, name in "\\w{1,10}", sql in any::<String>()) {
        prop_assume!(FileName::parse(&format!("V{version}__{name}.sql")).is_ok());
        let refinerys = refinery::Migration::unapplied(&format!("V{version}__{name}"), &sql);
        let refinerys = refinerys.map(|it| it.checksum().to_string()).map_err(|error| error.to_string());
        let ours = checksum(Version::new(version), &name, &sql).map(|it| it.to_string());
        prop_assert_eq!(refinerys.ok(), ours);
    }

    #[test]
    fn a_version_is_read_as_written_or_not_at_all(text in prop_oneof!["V?[0-9]{1,21}", any::<String>()]) {
        if let Ok(version) = text.parse::<Version>() {
            prop_assert!(version.number() >= 0);
            let digits = text.trim_start_matches('V').trim_start_matches('0');
            let printed = version.to_string();
            prop_assert_eq!(printed.trim_start_matches('0'), digits);
        }
    }

    #[test]
    fn a_valid_service_toml_survives(
        name in service_names(),
        database in "\\PC{1,15}",
        depends_on in prop::collection::vec(service_names(), 0..4),
        texts in prop::collection::vec(prop::option::of(any::<String>()), 4),
    ) {
        let names = depends_on.iter().map(|name| Value::from(name.as_str()));
        let mut table = Table::new();
        table.insert("name".to_owned(), Value::from(name.as_str()));
        table.insert("database".to_owned(), Value::from(database.as_str()));
        table.insert("depends_on".to_owned(), Value::Array(names.collect()));
        for (key, text) in ["history_table", "legacy_table", "description", "owner"].into_iter().zip(&texts) {
            if let Some(text) = text {
                table.insert(key.to_owned(), Value::from(text.as_str()));
            }
        }
        let read = Definition::parse("service.toml", &table.to_string());
        prop_assert!(read.is_ok(), "{:?}\n{}", read, table);
        let Ok(read) = read else { return Ok(()) };
        prop_assert_eq!(read.name, name);
        prop_assert_eq!(read.database, database);
        prop_assert_eq!(read.depends_on, depends_on);
        prop_assert_eq!(vec![read.history_table, read.legacy_table, read.description, read.owner], texts);
    }

    #[test]
    fn any_other_service_toml_is_refused_with_its_line(
        text in prop_oneof![any::<String>(), "(name|database|é)? ?=? ?('|\"|\\[|\\{)?\\PC{0,5}\\n?('|\")?\\n\\PC{0,5}"],
    ) {
        if let Err(error) = Definition::parse("service.toml", &text) {
            let words = error.to_string();
            prop_assert!(words.starts_with("service.toml:"), "{}", words);
        }
    }
}
