//! What the text of a migration shows, without a database. Floor 3.
//!
//! Responsible for reading a service's files once and holding each to the rules. Not for what only a database can tell
//! (`rehearsal`), nor for how findings are shown (`cli`).

mod file;

pub use file::LintedFile;
