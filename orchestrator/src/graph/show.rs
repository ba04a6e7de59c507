//! Renders the graph as text, Graphviz, Mermaid or JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use domain::{Fleet, Requirement, ServiceName, Version};
use schemars::JsonSchema;
use serde::Serialize;

use super::fleet_graph::requirements;

/// The output format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Shape {
    /// Human-readable levels of services.
    #[default]
    Text,
    /// Graphviz.
    Dot,
    /// Mermaid, as Markdown pages embed it.
    Mermaid,
    /// JSON.
    Json,
}

/// The graph as data.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GraphDocument {
    services: Vec<ServiceNode>,
    requires: Vec<RequiresEdge>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ServiceNode {
    name: ServiceName,
    database: String,
    level: usize,
    depends_on: Vec<ServiceName>,
    migrations: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
struct RequiresEdge {
    service: ServiceName,
    version: Version,
    requires: Requirement,
}

/// The graph as data. The fleet must not have a cycle.
pub fn document(fleet: &Fleet) -> GraphDocument {
    let levels = levels(fleet);
    GraphDocument {
        services: fleet
            .services()
            .map(|service| ServiceNode {
                name: service.name.clone(),
                database: service.database.clone(),
                level: levels.get(&service.name).copied().unwrap_or(1),
                depends_on: service.depends_on.clone(),
                migrations: service.migrations.len(),
            })
            .collect(),
        requires: fleet
            .services()
            .flat_map(|service| {
                requirements(service).map(|(version, requirement)| RequiresEdge {
                    service: service.name.clone(),
                    version,
                    requires: requirement.clone(),
                })
            })
            .collect(),
    }
}

/// Renders the graph as text. The caller prints JSON.
pub fn render(document: &GraphDocument, shape: Shape) -> String {
    match shape {
        Shape::Text | Shape::Json => text(document),
        Shape::Dot => dot(document),
        Shape::Mermaid => mermaid(document),
    }
}

/// The level of each service: one more than the highest level among its dependencies.
fn levels(fleet: &Fleet) -> BTreeMap<ServiceName, usize> {
    let mut levels: BTreeMap<ServiceName, usize> =
        fleet.names().map(|name| (name.clone(), 1)).collect();
    for _ in 0..levels.len() {
        for service in fleet.services() {
            let deepest = service
                .depends_on
                .iter()
                .filter_map(|dependency| levels.get(dependency))
                .max()
                .copied()
                .unwrap_or(0);
            levels.insert(service.name.clone(), deepest + 1);
        }
    }
    levels
}

fn text(document: &GraphDocument) -> String {
    let widest = document
        .services
        .iter()
        .map(|service| service.name.as_str().len())
        .max()
        .unwrap_or(0);
    let deepest = document
        .services
        .iter()
        .map(|service| service.level)
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for level in 1..=deepest {
        for (index, service) in document
            .services
            .iter()
            .filter(|service| service.level == level)
            .enumerate()
        {
            let number = if index == 0 {
                level.to_string()
            } else {
                String::new()
            };
            let needs: Vec<&str> = service.depends_on.iter().map(ServiceName::as_str).collect();
            let after = if needs.is_empty() {
                String::new()
            } else {
                format!("  after {}", needs.join(", "))
            };
            let _ = writeln!(
                text,
                "{number:>3}  {:widest$}{after}",
                service.name.as_str()
            );
        }
    }
    if !document.requires.is_empty() {
        text.push_str("\nMigrations that require a migration of another service:\n");
        for edge in &document.requires {
            let _ = writeln!(
                text,
                "     {}@{}  requires {}",
                edge.service, edge.version, edge.requires
            );
        }
    }
    text
}

fn dot(document: &GraphDocument) -> String {
    let mut text = String::from(
        "digraph services {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n",
    );
    for service in &document.services {
        let _ = writeln!(
            text,
            "  \"{}\" [label=\"{}\\n{}\"];",
            service.name, service.name, service.database
        );
    }
    for service in &document.services {
        for dependency in &service.depends_on {
            let _ = writeln!(text, "  \"{dependency}\" -> \"{}\";", service.name);
        }
    }
    for edge in &document.requires {
        let _ = writeln!(
            text,
            "  \"{}\" -> \"{}\" [style=dashed, label=\"{}\"];",
            edge.requires.service, edge.service, edge.requires.version
        );
    }
    text.push_str("}\n");
    text
}

fn mermaid(document: &GraphDocument) -> String {
    let mut text = String::from("graph LR\n");
    for service in &document.services {
        let _ = writeln!(
            text,
            "  {}[\"{}<br/>{}\"]",
            node(&service.name),
            service.name,
            service.database
        );
    }
    for service in &document.services {
        for dependency in &service.depends_on {
            let _ = writeln!(text, "  {} --> {}", node(dependency), node(&service.name));
        }
    }
    for edge in &document.requires {
        let _ = writeln!(
            text,
            "  {} -. {} .-> {}",
            node(&edge.requires.service),
            edge.requires.version,
            node(&edge.service)
        );
    }
    text
}

/// Mermaid reserves words such as `end`: every node gets a prefix.
fn node(name: &ServiceName) -> String {
    format!("s_{}", name.as_str().replace('-', "_"))
}
