//! Configuration: from command line, environment and files to settings and addresses.
//!
//! Covers every value that a user can set, with its precedence. The command line and the environment are passed in by
//! the caller; connecting happens elsewhere.

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

pub use configuration::{Configuration, Overrides};
pub use engine::{EngineSettings, Setting, UnknownOutcome};
pub use error::ConfigError;
pub use layer::EngineLayer;
pub use location::{Location, Selection};
pub use origin::Origin;
pub use project_root::ProjectRoot;
