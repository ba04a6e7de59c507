//! The dependency graph over services and migrations.
//!
//! Responsible for the order between steps, for cycles, and for showing the graph. Not for running anything. Floor 1.

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
