//! Finds dependency cycles and prints their full path.

use petgraph::algo::{astar, toposort};
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use super::fleet_graph::Node;

/// A dependency cycle.
#[derive(Debug, thiserror::Error)]
#[error("dependency cycle: {path} (each depends on the next)")]
pub struct CycleError {
    /// The cycle, from a node back to itself; each node depends on the next.
    pub path: String,
}

impl CycleError {
    /// How to fix it.
    pub const NEXT: &'static str =
        "first remove one depends_on (service.toml) or one `requires` (migration) from this cycle";

    pub(super) fn new(nodes: &[Node]) -> Self {
        let mut names: Vec<String> = nodes.iter().rev().map(Node::to_string).collect();
        names.dedup();
        if names.first() != names.last() || names.len() == 1 {
            names.extend(names.first().cloned());
        }
        Self {
            path: names.join(" → "),
        }
    }
}

/// The nodes of one cycle, each before the one that depends on it. petgraph's `toposort` returns only one of them.
pub(super) fn find_cycle(graph: &DiGraph<Node, ()>) -> Option<Vec<Node>> {
    let start = toposort(graph, None).err()?.node_id();
    let mut shortest: Option<Vec<NodeIndex>> = None;
    for edge in graph.edges(start) {
        let found = astar(graph, edge.target(), |node| node == start, |_| 1, |_| 0);
        if let Some((_, path)) = found
            && shortest
                .as_ref()
                .is_none_or(|known| path.len() < known.len())
        {
            shortest = Some(path);
        }
    }
    // The path ends at its start: prepend the start, so that the name appears at both ends.
    let around = std::iter::once(start).chain(shortest.unwrap_or_default());
    Some(around.map(|index| graph[index].clone()).collect())
}
