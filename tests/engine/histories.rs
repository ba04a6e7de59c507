//! Property tests for random sources and histories.

#![allow(
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

use std::collections::BTreeSet;

use proptest::prelude::*;

use domain::{AppliedMigration, History, Interruption};
use domain::{Checksum, Direction, Directives, Migration, RefusalKind, Script, Service, Version};
use engine::planning;
use engine::reconcile::{State, reconcile};
use engine::revert::{Scope, select};

/// Mostly existing versions, and some unlikely ones.
fn versions() -> impl Strategy<Value = Version> {
    prop_oneof![6 => 0_i64..8, 1 => any::<i64>()].prop_map(Version::new)
}

fn script(text: &str) -> Script {
    Script {
        path: "shop/migrations/V1__x.sql".to_owned(),
        text: text.into(),
        directives: Directives::default(),
    }
}

fn services() -> impl Strategy<Value = Service> {
    let file = (0_i64..8, any::<bool>());
    prop::collection::btree_map(file.0, file.1, 0..8).prop_map(|files| Service {
        name: "shop".parse().expect("a name"),
        database: "shop".to_owned(),
        depends_on: Vec::new(),
        history_table: None,
        legacy_table: None,
        description: None,
        owner: None,
        path: "shop/service.toml".to_owned(),
        migrations: files
            .into_iter()
            .map(|(version, has_revert)| Migration {
                version: Version::new(version),
                name: "x".to_owned(),
                checksum: Checksum::new(version.unsigned_abs()),
                script: script("SELECT 1"),
                revert: has_revert.then(|| script("SELECT 2")),
            })
            .collect(),
    })
}

/// Rows in any order, some twice, some with the checksum of the file.
fn histories() -> impl Strategy<Value = History> {
    let checksum = |version: Version, kind: u8| match kind {
        0 => None,
        1 => Some(Checksum::new(u64::MAX)),
        _ => Some(Checksum::new(version.number().unsigned_abs())),
    };
    let row = (versions(), any::<String>(), 0_u8..8).prop_map(move |(version, text, kind)| {
        AppliedMigration {
            version,
            name: text.clone(),
            checksum: checksum(version, kind),
            applied_on: text,
        }
    });
    let half = (
        versions(),
        any::<bool>(),
        0_u8..4,
        any::<usize>(),
        any::<usize>(),
    )
        .prop_map(move |(version, is_down, kind, done, total)| Interruption {
            version,
            direction: if is_down {
                Direction::Down
            } else {
                Direction::Up
            },
            checksum: checksum(version, kind),
            done,
            total,
        });
    (
        prop::collection::vec(row, 0..8),
        prop::collection::vec(half, 0..3),
        prop::collection::vec(versions(), 0..4),
    )
        .prop_map(|(applied, interrupted, legacy)| History {
            applied,
            interrupted,
            owed: Vec::new(),
            journal: None,
            legacy,
        })
}

fn scopes() -> impl Strategy<Value = Scope> {
    prop_oneof![
        any::<usize>().prop_map(Scope::Steps),
        Just(Scope::All),
        versions().prop_map(Scope::To),
        versions().prop_map(Scope::From),
    ]
}

proptest! {
    #[test]
    fn every_version_has_one_state(service in services(), history in histories()) {
        let reconciliation = reconcile(&service, &history);
        let versions: Vec<Version> = reconciliation.standings().iter().map(|it| it.version).collect();
        let known: BTreeSet<Version> = history
            .applied
            .iter()
            .map(|row| row.version)
            .chain(service.migrations.iter().map(|migration| migration.version))
            .chain(history.interrupted.iter().map(|it| it.version))
            .collect();
        prop_assert_eq!(&versions, &known.into_iter().collect::<Vec<_>>());
        prop_assert_eq!(
            reconciliation.applied_count() + reconciliation.pending_count(),
            versions.len()
        );
        for standing in reconciliation.standings() {
            let rows: Vec<_> = history.applied.iter().filter(|row| row.version == standing.version).collect();
            let is_in_history = !rows.is_empty();
            prop_assert_eq!(standing.applied_on.is_some(), is_in_history);
            let is_interrupted = matches!(standing.state, State::Interrupted { .. });
            prop_assert_eq!(
                standing.state == State::Missing || is_interrupted && standing.migration.is_none(),
                standing.migration.is_none()
            );
            if let Some(migration) = standing.migration {
                let differs = rows.iter().any(|row| row.checksum != Some(migration.checksum));
                prop_assert_eq!(standing.state == State::Divergent, differs);
            }
        }
    }

    #[test]
    fn a_run_applies_what_is_pending_in_order_or_reports_why_not(
        service in services(),
        history in histories(),
        to in prop::option::of(versions()),
    ) {
        let reconciliation = reconcile(&service, &history);
        match reconciliation.to_apply(to) {
            Ok(chosen) => {
                let is_odd = |state| matches!(state, State::Divergent | State::Missing | State::OutOfOrder);
                prop_assert!(!reconciliation.standings().iter().any(|it| is_odd(it.state)));
                prop_assert!(chosen.is_sorted_by(|a, b| a.version < b.version));
                prop_assert!(chosen.iter().all(|it| to.is_none_or(|to| it.version <= to)));
                let newest = history.applied.iter().map(|row| row.version).max();
                let begun = |version| history.interrupted.iter().any(|it| it.version == version);
                for migration in chosen {
                    prop_assert!(newest.is_none_or(|newest| migration.version > newest) || begun(migration.version));
                    prop_assert!(planning::step(&service, migration, Direction::Up).is_ok());
                }
            }
            Err(refusal) => {
                prop_assert!(!refusal.message.is_empty() && !refusal.next.is_empty());
                let kinds = [
                    RefusalKind::Divergent,
                    RefusalKind::Missing,
                    RefusalKind::OutOfOrder,
                    RefusalKind::Interrupted,
                    RefusalKind::LegacyHistory,
                ];
                prop_assert!(kinds.contains(&refusal.kind));
            }
        }
    }

    #[test]
    fn a_revert_undoes_what_is_applied_newest_first_or_reports_why_not(
        service in services(),
        history in histories(),
        scope in scopes(),
    ) {
        let reconciliation = reconcile(&service, &history);
        match select(&service, &reconciliation, scope) {
            Ok(chosen) => {
                prop_assert!(chosen.is_sorted_by(|a, b| a.version > b.version));
                prop_assert!(chosen.iter().all(|it| it.is_reversible()));
                match scope {
                    Scope::Steps(steps) => prop_assert!(chosen.len() <= steps),
                    Scope::To(stays) => prop_assert!(chosen.iter().all(|it| it.version > stays)),
                    Scope::From(first) => prop_assert!(chosen.iter().all(|it| it.version >= first)),
                    Scope::All => {}
                }
            }
            Err(refusal) => prop_assert!(!refusal.message.is_empty() && !refusal.next.is_empty()),
        }
    }
}
