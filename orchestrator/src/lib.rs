//! The orchestrator: many services, in the order of their dependencies.
//!
//! What only the fleet or the reviewer needs lives here; what one service needs to migrate itself lives in `shared`.
//! Floors, arrows going down only (a test holds that): 5 `cli` · 3 `generate`, `schema` · 1 `graph`, `embedded`.

pub mod cli;
pub mod embedded;
pub mod generate;
pub mod graph;
pub mod schema;
