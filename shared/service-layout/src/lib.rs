//! File names and folders of a service's migrations.
//!
//! Responsible for which files a service may hold, for how files are read, and for saying which file breaks the rules. It knows nothing of SQL
//! and has no dependencies, so that build scripts can use the very rules that the engine uses at run time. Floor 0.

mod build_script;
mod file_name;
pub mod files;
mod folder;

pub use build_script::check_at_build_time;
pub use file_name::{FileName, FileNameProblem};
pub use folder::{Layout, LayoutError, SqlFile};
