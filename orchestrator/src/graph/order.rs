//! The order of a run: which step waits for which.

use std::collections::BTreeMap;

use domain::{Direction, Fleet, Plan, ServiceName, Step, Version};
use engine::planning::Order;
use petgraph::Direction as Way;
use petgraph::graph::{DiGraph, NodeIndex};

/// Orders steps along the edges of the graph, or against them for reverts.
#[derive(Clone, Copy, Debug)]
pub struct GraphOrder;

impl Order for GraphOrder {
    fn arrange(&self, fleet: &Fleet, steps: Vec<Step>, direction: Direction) -> Plan {
        let graph = StepGraph::new(fleet, &steps, direction);
        let plan = Plan {
            steps: graph.sorted(steps),
            gates: Vec::new(),
        };
        by_wave(plan.ranked())
    }
}

/// A step, or a point before or after all steps of a service.
#[derive(Clone, Copy, Debug)]
enum Point {
    Step(usize),
    Begin,
    End,
}

struct StepGraph {
    graph: DiGraph<Point, ()>,
    steps: Vec<NodeIndex>,
}

impl StepGraph {
    fn new(fleet: &Fleet, steps: &[Step], direction: Direction) -> Self {
        let mut graph = DiGraph::new();
        let nodes: Vec<NodeIndex> = (0..steps.len())
            .map(|index| graph.add_node(Point::Step(index)))
            .collect();
        let by_version: BTreeMap<(&ServiceName, Version), NodeIndex> = steps
            .iter()
            .zip(&nodes)
            .map(|(step, &node)| ((&step.service, step.version), node))
            .collect();
        let mut ends: BTreeMap<&ServiceName, (NodeIndex, NodeIndex)> = BTreeMap::new();
        for name in fleet.names() {
            let (begin, end) = (graph.add_node(Point::Begin), graph.add_node(Point::End));
            let mut last = begin;
            for (_, &node) in steps
                .iter()
                .zip(&nodes)
                .filter(|(step, _)| step.service == *name)
            {
                graph.add_edge(last, node, ());
                last = node;
            }
            graph.add_edge(last, end, ());
            ends.insert(name, (begin, end));
        }
        for service in fleet.services() {
            for dependency in &service.depends_on {
                if let (Some(own), Some(other)) = (ends.get(&service.name), ends.get(dependency)) {
                    match direction {
                        Direction::Up => graph.add_edge(other.1, own.0, ()),
                        Direction::Down => graph.add_edge(own.1, other.0, ()),
                    };
                }
            }
        }
        for (step, &node) in steps.iter().zip(&nodes) {
            for requirement in &step.requires {
                if let Some(&other) = by_version.get(&(&requirement.service, requirement.version)) {
                    match direction {
                        Direction::Up => graph.add_edge(other, node, ()),
                        Direction::Down => graph.add_edge(node, other, ()),
                    };
                }
            }
        }
        Self {
            graph,
            steps: nodes,
        }
    }

    /// The steps, each after those that it waits for, with `after` filled in.
    fn sorted(&self, steps: Vec<Step>) -> Vec<Step> {
        // The source was checked for cycles when it was read, so a subset cannot have one either.
        let order =
            petgraph::algo::toposort(&self.graph, None).unwrap_or_else(|_| self.steps.clone());
        let mut places = vec![0; steps.len()];
        let mut slots: Vec<Option<Step>> = steps.into_iter().map(Some).collect();
        let mut sorted: Vec<Step> = Vec::with_capacity(slots.len());
        for node in order {
            let Point::Step(index) = self.graph[node] else {
                continue;
            };
            let Some(mut step) = slots[index].take() else {
                continue;
            };
            step.after = self
                .steps_before(node)
                .into_iter()
                .map(|before| places[before])
                .collect();
            places[index] = sorted.len();
            sorted.push(step);
        }
        sorted
    }

    /// The nearest preceding steps, across services without steps.
    fn steps_before(&self, node: NodeIndex) -> Vec<usize> {
        let mut found = Vec::new();
        let mut open: Vec<NodeIndex> = self.graph.neighbors_directed(node, Way::Incoming).collect();
        let mut seen = vec![false; self.graph.node_count()];
        while let Some(node) = open.pop() {
            if std::mem::replace(&mut seen[node.index()], true) {
                continue;
            }
            match self.graph[node] {
                Point::Step(index) => found.push(index),
                Point::Begin | Point::End => {
                    open.extend(self.graph.neighbors_directed(node, Way::Incoming))
                }
            }
        }
        found.sort_unstable();
        found
    }
}

/// Sorts the steps of a plan by wave, service and position: a stable order that respects `after`.
fn by_wave(plan: Plan) -> Plan {
    let mut order: Vec<usize> = (0..plan.steps.len()).collect();
    order.sort_by(|&a, &b| {
        let key = |index: usize| (plan.steps[index].wave, &plan.steps[index].service, index);
        key(a).cmp(&key(b))
    });
    let mut places = vec![0; order.len()];
    for (place, &index) in order.iter().enumerate() {
        places[index] = place;
    }
    let steps = order
        .iter()
        .map(|&index| {
            let mut step = plan.steps[index].clone();
            step.after = step.after.iter().map(|&before| places[before]).collect();
            step.after.sort_unstable();
            step
        })
        .collect();
    Plan {
        steps,
        gates: plan.gates,
    }
}
