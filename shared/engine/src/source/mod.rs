//! Loads services: compiled in, or read from a folder. Both give the same [`Service`](domain::Service)s.
//!
//! Responsible for file names, `service.toml`, directives and refinery's checksums; not for the content of a database.

mod assemble;
mod definition;
mod directives;
mod disk;
mod embedded;
mod outdated;
#[cfg(test)]
mod properties;

pub use assemble::{SourceError, migration_of};
pub use definition::DefinitionError;
pub use directives::DirectiveError;
pub use disk::load_folder;
pub use embedded::{EmbeddedDependent, EmbeddedService};
pub use outdated::outdated_files;
