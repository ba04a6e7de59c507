//! The build script of every service crate.

use std::path::Path;

use crate::Layout;

/// Tells cargo what a service crate is built from, and fails the build when a file breaks the layout's rules.
///
/// `refinery::embed_migrations!` alone would neither rebuild for a *new* file nor complain about a misnamed one.
#[allow(
    clippy::print_stdout,
    reason = "standard output is how a build script talks to cargo"
)]
pub fn check_at_build_time() {
    for input in ["migrations", "reverts", "service.toml"] {
        println!("cargo::rerun-if-changed={input}");
    }
    if let Err(error) = Layout::read(Path::new(".")) {
        println!("cargo::error={error}");
    }
}
