//! Configuration: from command line, environment and files to settings and addresses.
//!
//! Responsible for: every value that a person can set, with its precedence. Not for: parsing the command line, asking
//! the operating system for the environment (both are passed in), connecting. Floor 1.

pub mod address;
mod child_environment;
mod configuration;
mod engine;
mod environment;
mod error;
mod layer;
mod locate;
mod location;
mod origin;
mod project_root;
#[cfg(all(test, unix))]
mod properties;

pub use address::DatabaseAddress;
pub use child_environment::clean_command;
pub use configuration::{Configuration, Overrides};
pub use engine::{EngineSettings, UnknownOutcome};
pub use error::ConfigError;
pub use layer::EngineLayer;
pub use location::{Location, Selection};
pub use origin::Origin;
pub use project_root::ProjectRoot;
