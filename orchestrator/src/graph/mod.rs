//! The dependency graph over services and migrations.
//!
//! Determines the order of steps, detects cycles, and renders the graph.

mod cycle;
mod fleet_graph;
mod order;
#[cfg(test)]
mod properties;
mod show;

pub use cycle::CycleError;
pub use fleet_graph::refuse_cycles;
pub use order::GraphOrder;
pub use show::{GraphDocument, Shape, document, render};
