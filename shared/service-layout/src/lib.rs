//! The layout of a service: its files, their names, and its folders.
//!
//! Reads files, and reports those that violate the layout rules. It does not parse SQL and has no dependencies, so that
//! build scripts can apply the same rules as the engine at run time.

mod build_script;
mod file_name;
pub mod files;
mod folder;

pub use build_script::check_at_build_time;
pub use file_name::{FileName, FileNameProblem};
pub use folder::{Layout, LayoutError, SqlFile};
