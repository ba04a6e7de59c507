//! The dependency graph of the whole source, including applied migrations.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use domain::{Fleet, Requirement, Service, ServiceName, Version};
use petgraph::graph::{DiGraph, NodeIndex};

use super::CycleError;
use super::cycle::find_cycle;

/// A point in a service's sequence of migrations.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Node {
    /// Before its first migration.
    Begin(ServiceName),
    /// A migration that requires another or is required by one.
    Migration(ServiceName, Version),
    /// After its last migration.
    End(ServiceName),
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin(service) | Self::End(service) => write!(f, "{service}"),
            Self::Migration(service, version) => write!(f, "{service}@{version}"),
        }
    }
}

/// Refuses a source with a dependency cycle and reports its full path.
///
/// The graph covers the whole source, including applied migrations. Only migrations with `requires` on either side are
/// nodes: the others lie between two nodes and do not affect the order between services, even if there are ten
/// thousand of them.
pub fn refuse_cycles(fleet: &Fleet) -> Result<(), CycleError> {
    let mut builder = Builder::default();
    let linked = linked_versions(fleet);
    for service in fleet.services() {
        builder.chain(service, linked.get(&service.name));
    }
    for service in fleet.services() {
        for dependency in &service.depends_on {
            builder.edge(
                &Node::End(dependency.clone()),
                &Node::Begin(service.name.clone()),
            );
        }
        for (version, requirement) in requirements(service) {
            builder.edge(
                &Node::Migration(requirement.service.clone(), requirement.version),
                &Node::Migration(service.name.clone(), version),
            );
        }
    }
    match find_cycle(&builder.graph) {
        Some(nodes) => Err(CycleError::new(&nodes)),
        None => Ok(()),
    }
}

#[derive(Default)]
struct Builder {
    graph: DiGraph<Node, ()>,
    nodes: BTreeMap<Node, NodeIndex>,
}

impl Builder {
    fn node(&mut self, node: &Node) -> NodeIndex {
        if let Some(&index) = self.nodes.get(node) {
            return index;
        }
        let index = self.graph.add_node(node.clone());
        self.nodes.insert(node.clone(), index);
        index
    }

    fn edge(&mut self, from: &Node, to: &Node) {
        let (from, to) = (self.node(from), self.node(to));
        self.graph.update_edge(from, to, ());
    }

    fn chain(&mut self, service: &Service, versions: Option<&BTreeSet<Version>>) {
        let mut last = Node::Begin(service.name.clone());
        for version in versions.into_iter().flatten() {
            let next = Node::Migration(service.name.clone(), *version);
            self.edge(&last, &next);
            last = next;
        }
        self.edge(&last, &Node::End(service.name.clone()));
    }
}

fn linked_versions(fleet: &Fleet) -> BTreeMap<ServiceName, BTreeSet<Version>> {
    let mut found: BTreeMap<ServiceName, BTreeSet<Version>> = BTreeMap::new();
    for service in fleet.services() {
        for (version, requirement) in requirements(service) {
            found
                .entry(service.name.clone())
                .or_default()
                .insert(version);
            found
                .entry(requirement.service.clone())
                .or_default()
                .insert(requirement.version);
        }
    }
    found
}

/// The requirements of a service's migrations, each with the version that declares it.
pub(super) fn requirements(service: &Service) -> impl Iterator<Item = (Version, &Requirement)> {
    service.migrations.iter().flat_map(|migration| {
        migration
            .script
            .directives
            .requires
            .iter()
            .map(|requirement| (migration.version, requirement))
    })
}
