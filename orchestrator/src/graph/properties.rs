//! Property tests of the graph.

use std::collections::BTreeMap;

use domain::{
    Checksum, Direction, Directives, Fleet, Migration, Requirement, Script, Service, ServiceName,
    Step, Version,
};
use engine::planning::{Order, step};
use proptest::prelude::*;

use super::{GraphOrder, Shape, document, refuse_cycles, render};

const SERVICES: usize = 6;
const FILES: i64 = 4;

/// The edges of a fleet: which service depends on which, and which file requires which.
#[derive(Clone, Debug)]
struct Edges {
    depends_on: Vec<(usize, usize)>,
    requires: Vec<((usize, i64), (usize, i64))>,
}

/// With `acyclic`, every edge leads from a later service to an earlier one; names are in random order.
fn edges(acyclic: bool) -> impl Strategy<Value = (Edges, Vec<usize>)> {
    let file = || (0..SERVICES, 1..=FILES);
    let depends_on = prop::collection::vec((0..SERVICES, 0..SERVICES), 0..8);
    let requires = prop::collection::vec((file(), file()), 0..10);
    let names = Just((0..SERVICES).collect::<Vec<_>>()).prop_shuffle();
    (depends_on, requires, names).prop_map(move |(mut depends_on, mut requires, names)| {
        if acyclic {
            depends_on.retain(|(service, other)| other < service);
            requires.retain(|((service, _), (other, _))| other < service);
        }
        (
            Edges {
                depends_on,
                requires,
            },
            names,
        )
    })
}

fn name(number: usize) -> ServiceName {
    format!("s{number}").parse().unwrap()
}

fn fleet(edges: &Edges, names: &[usize]) -> Fleet {
    let script = |requires| Script {
        path: "x.sql".to_owned(),
        text: "SELECT 1".into(),
        directives: Directives {
            requires,
            ..Directives::default()
        },
    };
    let requires = |index: usize, version: i64| {
        let own = edges
            .requires
            .iter()
            .filter(|(file, _)| *file == (index, version));
        own.map(|(_, (other, version))| Requirement {
            service: name(names[*other]),
            version: Version::new(*version),
        })
        .collect()
    };
    Fleet::new((0..SERVICES).map(|index| {
        Service {
            name: name(names[index]),
            database: format!("db{index}"),
            depends_on: edges
                .depends_on
                .iter()
                .filter(|(service, _)| *service == index)
                .map(|(_, other)| name(names[*other]))
                .collect(),
            history_table: None,
            legacy_table: None,
            description: None,
            owner: None,
            path: String::new(),
            migrations: (1..=FILES)
                .map(|version| Migration {
                    version: Version::new(version),
                    name: "x".to_owned(),
                    checksum: Checksum::new(0),
                    script: script(requires(index, version)),
                    revert: Some(script(Vec::new())),
                })
                .collect(),
        }
    }))
    .unwrap()
}

/// The steps of each service from one file on, as in a run.
fn steps(fleet: &Fleet, first: &[i64], direction: Direction) -> Vec<Step> {
    let mut all = Vec::new();
    for (service, first) in fleet.services().zip(first) {
        let chosen = service
            .migrations
            .iter()
            .filter(|it| it.version.number() > *first);
        let mut own: Vec<Step> = chosen
            .map(|it| step(service, it, direction).unwrap())
            .collect();
        if direction == Direction::Down {
            own.reverse();
        }
        all.extend(own);
    }
    all
}

proptest! {
    #[test]
    fn a_plan_respects_every_edge(
        (edges, names) in edges(true),
        first in prop::collection::vec(0..=FILES, SERVICES),
        is_down in any::<bool>(),
    ) {
        let fleet = fleet(&edges, &names);
        prop_assert!(refuse_cycles(&fleet).is_ok());
        let direction = if is_down { Direction::Down } else { Direction::Up };
        let steps = steps(&fleet, &first, direction);
        let plan = GraphOrder.arrange(&fleet, steps.clone(), direction);
        let key = |step: &Step| (step.service.clone(), step.version);
        let places: BTreeMap<_, _> = plan.steps.iter().enumerate().map(|(place, step)| (key(step), place)).collect();
        prop_assert_eq!(places.len(), steps.len(), "each step exactly once");
        prop_assert!(steps.iter().all(|step| places.contains_key(&key(step))));
        for (place, step) in plan.steps.iter().enumerate() {
            prop_assert!(step.after.iter().all(|&before| before < place));
            let service = fleet.service(&step.service).unwrap();
            for (other, earlier) in plan.steps.iter().enumerate() {
                let waits = service.depends_on.contains(&earlier.service)
                    || (earlier.service == step.service && earlier.version < step.version)
                    || step.requires.iter().any(|it| it.service == earlier.service && it.version == earlier.version);
                let (first, second) = if is_down { (place, other) } else { (other, place) };
                if waits {
                    prop_assert!(first < second, "{:?} {:?}", key(step), key(earlier));
                    prop_assert!(plan.steps[first].wave < plan.steps[second].wave);
                }
            }
        }
        let again = GraphOrder.arrange(&fleet, steps, direction);
        prop_assert_eq!(plan, again);
    }

    #[test]
    fn a_cycle_path_leads_from_a_service_back_to_itself((edges, names) in edges(false)) {
        let fleet = fleet(&edges, &names);
        match refuse_cycles(&fleet) {
            Ok(()) => {
                let document = document(&fleet);
                for shape in [Shape::Text, Shape::Dot, Shape::Mermaid] {
                    let text = render(&document, shape);
                    prop_assert!(fleet.names().all(|name| text.contains(name.as_str())), "{}", text);
                }
            }
            Err(error) => {
                let stops: Vec<&str> = error.path.split(" → ").collect();
                prop_assert!(stops.len() > 1 && stops.first() == stops.last(), "{}", error.path);
            }
        }
    }
}
