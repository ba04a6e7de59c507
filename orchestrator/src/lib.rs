//! The orchestrator: many services, in the order of their dependencies.
//!
//! Commands on a fleet, and the order across its services. Everything that one service needs to migrate itself is below
//! `shared/`, and each larger subject of the orchestrator has a crate of its own.

pub mod check;
pub mod cli;
pub mod embedded;
pub mod fix;
pub mod from_source;
pub mod git;
pub mod graph;
pub mod new_service;
pub mod pattern;
pub mod schema;
pub mod skeleton;
