//! The build script of the service crates.

use std::env;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Layout, LayoutError, files};

/// Declares the inputs of a service crate to cargo, fails the build if a file violates the layout rules, and writes
/// `dependents.rs`: the migrations of other services that require one of this service.
///
/// `refinery::embed_migrations!` alone would neither rebuild for a *new* file nor reject a misnamed one. With the
/// dependents, a service's own program can refuse a revert that would break another service.
#[allow(
    clippy::print_stdout,
    reason = "standard output is how a build script talks to cargo"
)]
pub fn check_at_build_time() {
    for input in ["migrations", "reverts", "service.toml", ".."] {
        println!("cargo::rerun-if-changed={input}");
    }
    if let Err(error) = check(Path::new(".")) {
        println!("cargo::error={error}");
    }
    if let Err(error) = write_dependents() {
        println!("cargo::error=cannot find the dependents of this service: {error}");
    }
}

/// Also checks that every file can be read: `embed_migrations!` would block on a FIFO.
fn check(service: &Path) -> Result<(), LayoutError> {
    files::check_within(&service.join("service.toml"), service)?;
    files::read_text(&service.join("service.toml"))?;
    let layout = Layout::read(service)?;
    for file in layout.migrations.iter().chain(&layout.reverts) {
        files::read_text(&file.path)?;
    }
    Ok(())
}

fn write_dependents() -> io::Result<()> {
    let service = fs::canonicalize(".")?;
    let name = service
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mut code = String::from("&[\n");
    for folder in neighbours(&service)? {
        let requiring = requiring_files(&folder, &name)?;
        if requiring.is_empty() {
            continue;
        }
        let neighbour = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let _ = writeln!(
            code,
            "    engine::source::EmbeddedDependent {{ folder: {neighbour:?}, definition: include_str!({:?}), migrations: &[",
            folder.join("service.toml")
        );
        for file in requiring {
            let stem = file
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let _ = writeln!(code, "        ({stem:?}, include_str!({file:?})),");
        }
        code.push_str("    ] },\n");
    }
    code.push_str("]\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("dependents.rs"), code)
}

fn neighbours(service: &Path) -> io::Result<Vec<PathBuf>> {
    let Some(services) = service.parent() else {
        return Ok(Vec::new());
    };
    let mut folders = Vec::new();
    for path in files::entries(services)? {
        if path != service
            && files::is_file(&path.join("service.toml"))?
            && files::is_folder(&path.join("migrations"))?
        {
            folders.push(path);
        }
    }
    Ok(folders)
}

/// The migrations that appear to require one of `service`. Their directives are parsed at run time.
fn requiring_files(folder: &Path, service: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let pattern = format!("{service}@");
    for path in files::entries(&folder.join("migrations"))? {
        let requires = path.extension().is_some_and(|extension| extension == "sql")
            && files::read_text(&path)?.lines().any(|line| {
                line.starts_with("--") && line.contains("requires") && line.contains(&pattern)
            });
        if requires {
            found.push(path);
        }
    }
    Ok(found)
}
