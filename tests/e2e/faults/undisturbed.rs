//! What happens when nothing does: the points of a run, and what it leads to.

use std::collections::BTreeMap;

use tests::{Place, Proxy, Services, Side};

use super::world::{Direction, Looks, World};

/// One side of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) place: Place,
    pub(crate) side: Side,
    pub(crate) sql: String,
}

/// Services, and what becomes of them undisturbed.
pub(crate) struct Undisturbed {
    pub(crate) services: Services,
    pub(crate) databases: Vec<String>,
    pub(crate) points: BTreeMap<Direction, Vec<Point>>,
    pub(crate) looks: BTreeMap<Direction, Looks>,
}

impl Undisturbed {
    /// Goes up and down on a server of its own. The databases are those of the services: `db_<name>`.
    pub(crate) fn of(services: Services, names: &[String]) -> Self {
        let databases: Vec<String> = names.iter().map(|name| format!("db_{name}")).collect();
        let mut points = BTreeMap::new();
        let mut looks = BTreeMap::new();
        let world = World::new(&services, &databases);
        for direction in Direction::BOTH {
            let proxy = Proxy::start(&world.server);
            world
                .orchestrator(1)
                .env("ORCHESTRATOR_SERVER_URL", &proxy.url("postgres"))
                .expect(direction.command(), 0);
            let both = proxy.requests().into_iter().flat_map(|request| {
                [Side::Before, Side::After].map(|side| Point {
                    place: request.place.clone(),
                    side,
                    sql: request.sql.clone(),
                })
            });
            points.insert(direction, both.collect());
            looks.insert(direction, world.looks());
        }
        drop(world);
        Self {
            services,
            databases,
            points,
            looks,
        }
    }
}
