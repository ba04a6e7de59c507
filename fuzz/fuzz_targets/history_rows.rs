//! Any files and rows: every version has one state, the steps of a run are in order, and the result is deterministic.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::Arbitrary;
use domain::{AppliedMigration, History, Interruption};
use domain::{
    Checksum, Direction, Directives, Fleet, Migration, Plan, Requirement, Script, Service, Step,
    Version,
};
use engine::planning;
use engine::planning::Order;
use engine::reconcile::{State, reconcile};
use engine::revert::{Scope, select};
use libfuzzer_sys::fuzz_target;
use orchestrator::graph::{GraphOrder, Shape, document, refuse_cycles, render};
use report::Palette;
use report::table::columns;

#[derive(Arbitrary, Debug)]
struct Platform<'a> {
    services: Vec<Files<'a>>,
    down: bool,
    scope: Undo,
    to: Option<u8>,
}

#[derive(Arbitrary, Debug)]
struct Files<'a> {
    files: Vec<File<'a>>,
    depends_on: Vec<u8>,
    rows: Vec<Row<'a>>,
    interrupted: Vec<Half>,
    legacy: Vec<Number>,
}

#[derive(Arbitrary, Debug)]
struct File<'a> {
    version: u8,
    sql: &'a str,
    revert: Option<&'a str>,
    requires: Vec<(u8, u8)>,
    irreversible: bool,
    no_transaction: bool,
}

#[derive(Arbitrary, Debug)]
struct Row<'a> {
    version: Number,
    name: &'a str,
    checksum: &'a str,
    same_checksum: bool,
    applied_on: &'a str,
}

/// Usually an existing version.
#[derive(Arbitrary, Debug, Clone, Copy)]
enum Number {
    Small(u8),
    Any(i64),
}

#[derive(Arbitrary, Debug)]
struct Half {
    version: Number,
    down: bool,
    same_checksum: bool,
    done: usize,
    total: usize,
}

#[derive(Arbitrary, Debug)]
enum Undo {
    Steps(usize),
    All,
    To(u8),
    From(u8),
}

impl Number {
    fn version(self) -> Version {
        match self {
            Self::Small(number) => Version::new(number.into()),
            Self::Any(number) => Version::new(number),
        }
    }
}

fuzz_target!(|platform: Platform<'_>| {
    let services: Vec<Service> = platform
        .services
        .iter()
        .take(8)
        .enumerate()
        .map(|(index, files)| service(index, files, platform.services.len()))
        .collect();
    let Ok(fleet) = Fleet::new(services) else {
        return;
    };
    let services: Vec<_> = fleet.names().collect();
    let has_cycle = refuse_cycles(&fleet).is_err_and(|error| {
        assert!(error.to_string().contains('→'), "{error}");
        true
    });
    if !has_cycle {
        let document = document(&fleet);
        for shape in [Shape::Text, Shape::Dot, Shape::Mermaid] {
            assert!(services.is_empty() || !render(&document, shape).is_empty());
        }
    }
    let direction = if platform.down {
        Direction::Down
    } else {
        Direction::Up
    };
    let mut steps = Vec::new();
    for (service, files) in fleet.services().zip(&platform.services) {
        let history = history(service, files);
        for migration in chosen(service, &history, &platform) {
            match planning::step(service, migration, direction) {
                Ok(step) => steps.push(step),
                Err(error) => assert!(error.line > 0),
            }
        }
    }
    if !has_cycle {
        let plan = GraphOrder.arrange(&fleet, steps.clone(), direction);
        in_order(&plan, &fleet, direction);
        assert_eq!(sorted(&plan.steps), sorted(&steps));
    }
    let chain = planning::chain(steps);
    assert!(
        chain
            .steps
            .iter()
            .enumerate()
            .all(|(index, step)| step.wave == index + 1)
    );
});

fn name(index: usize) -> String {
    format!("s{index}")
}

fn service(index: usize, files: &Files<'_>, count: usize) -> Service {
    let by_version: BTreeMap<u8, &File<'_>> = files
        .files
        .iter()
        .map(|file| (file.version, file))
        .collect();
    let reference = |number: u8| {
        let index = usize::from(number) % count.min(8);
        name(index).parse().expect("a name")
    };
    Service {
        name: name(index).parse().expect("a name"),
        database: name(index),
        depends_on: files
            .depends_on
            .iter()
            .map(|&number| reference(number))
            .collect(),
        history_table: None,
        legacy_table: None,
        description: None,
        owner: None,
        path: format!("{}/service.toml", name(index)),
        migrations: by_version
            .iter()
            .map(|(&version, file)| Migration {
                version: Version::new(version.into()),
                name: "x".to_owned(),
                checksum: Checksum::new(version.into()),
                script: Script {
                    path: format!("{}/migrations/V{version}__x.sql", name(index)),
                    text: file.sql.into(),
                    directives: Directives {
                        requires: file
                            .requires
                            .iter()
                            .map(|&(service, version)| Requirement {
                                service: reference(service),
                                version: Version::new(version.into()),
                            })
                            .collect(),
                        no_transaction: file.no_transaction,
                        irreversible: file.irreversible.then(|| "why".to_owned()),
                        ..Directives::default()
                    },
                },
                revert: file.revert.map(|sql| Script {
                    path: format!("{}/reverts/V{version}__x.sql", name(index)),
                    text: sql.into(),
                    directives: Directives::default(),
                }),
            })
            .collect(),
    }
}

fn history(service: &Service, files: &Files<'_>) -> History {
    let checksum = |version: Version, same: bool, text: &str| match service.migration(version) {
        Some(migration) if same => Some(migration.checksum),
        _ => Checksum::parse(text),
    };
    let mut applied: Vec<AppliedMigration> = files
        .rows
        .iter()
        .map(|row| AppliedMigration {
            version: row.version.version(),
            name: row.name.to_owned(),
            checksum: checksum(row.version.version(), row.same_checksum, row.checksum),
            applied_on: row.applied_on.to_owned(),
        })
        .collect();
    applied.sort_by_key(|row| row.version);
    let interrupted = files.interrupted.iter().map(|half| Interruption {
        version: half.version.version(),
        direction: if half.down {
            Direction::Down
        } else {
            Direction::Up
        },
        checksum: checksum(half.version.version(), half.same_checksum, ""),
        done: half.done,
        total: half.total,
    });
    let mut legacy: Vec<Version> = files.legacy.iter().map(|number| number.version()).collect();
    legacy.sort_unstable();
    History {
        applied,
        interrupted: interrupted.collect(),
        owed: Vec::new(),
        journal: None,
        legacy,
    }
}

/// The steps that a run or revert would take for a service, given the states.
fn chosen<'a>(
    service: &'a Service,
    history: &'a History,
    platform: &Platform<'_>,
) -> Vec<&'a Migration> {
    let reconciliation = reconcile(service, history);
    let versions: Vec<Version> = reconciliation
        .standings()
        .iter()
        .map(|it| it.version)
        .collect();
    assert!(
        versions.is_sorted_by(|a, b| a < b),
        "exactly one state per version: {versions:?}"
    );
    let known: BTreeSet<Version> = history
        .applied
        .iter()
        .map(|row| row.version)
        .chain(service.migrations.iter().map(|migration| migration.version))
        .chain(history.interrupted.iter().map(|it| it.version))
        .collect();
    assert_eq!(versions.len(), known.len());
    let interrupted = reconciliation
        .standings()
        .iter()
        .filter(|it| matches!(it.state, State::Interrupted { .. }))
        .count();
    assert_eq!(
        reconciliation.applied_count() + reconciliation.pending_count() + interrupted,
        versions.len()
    );
    let rows: Vec<_> = reconciliation
        .standings()
        .iter()
        .map(|it| {
            vec![
                it.version.to_string().into(),
                it.name.into(),
                it.applied_on.unwrap_or_default().into(),
            ]
        })
        .collect();
    let table = columns(&["a", "b", "c"], &rows, &[], Palette::new(false), Some(80));
    assert!(table.lines().count() > rows.len());
    assert!(!table.contains('\u{1b}'));
    if platform.down {
        let scope = match platform.scope {
            Undo::Steps(steps) => Scope::Steps(steps),
            Undo::All => Scope::All,
            Undo::To(version) => Scope::To(Version::new(version.into())),
            Undo::From(version) => Scope::From(Version::new(version.into())),
        };
        let chosen = select(service, &reconciliation, scope).unwrap_or_default();
        assert!(chosen.is_sorted_by(|a, b| a.version > b.version));
        assert!(chosen.iter().all(|migration| migration.is_reversible()));
        chosen
    } else {
        let to = platform.to.map(|to| Version::new(to.into()));
        let chosen = reconciliation.to_apply(to).unwrap_or_default();
        assert!(chosen.is_sorted_by(|a, b| a.version < b.version));
        chosen
    }
}

/// The plan respects every edge between two steps, by order and by wave.
fn in_order(plan: &Plan, fleet: &Fleet, direction: Direction) {
    let place: BTreeMap<_, _> = plan
        .steps
        .iter()
        .enumerate()
        .map(|(index, step)| ((step.service.clone(), step.version), index))
        .collect();
    let before = |first: usize, second: usize| {
        let (first, second) = match direction {
            Direction::Up => (first, second),
            Direction::Down => (second, first),
        };
        assert!(first < second);
        assert!(plan.steps[first].wave < plan.steps[second].wave);
    };
    for (index, step) in plan.steps.iter().enumerate() {
        assert!(step.after.iter().all(|&earlier| earlier < index));
        let service = fleet
            .service(&step.service)
            .expect("a service of the fleet");
        for requirement in &step.requires {
            if let Some(&other) = place.get(&(requirement.service.clone(), requirement.version)) {
                before(other, index);
            }
        }
        for (other, earlier) in plan.steps.iter().enumerate() {
            let same = earlier.service == step.service;
            if service.depends_on.contains(&earlier.service)
                || same && earlier.version < step.version
            {
                before(other, index);
            }
        }
    }
}

fn sorted(steps: &[Step]) -> Vec<(String, Version)> {
    let mut keys: Vec<_> = steps
        .iter()
        .map(|step| (step.service.to_string(), step.version))
        .collect();
    keys.sort();
    keys
}
