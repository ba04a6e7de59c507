//! The build script of every service crate.

use std::env;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Layout, LayoutError, files};

/// Tells cargo what a service crate is built from, fails the build when a file breaks the layout's rules, and writes
/// `dependents.rs`: the migrations of other services that require one of this service.
///
/// `refinery::embed_migrations!` alone would neither rebuild for a *new* file nor complain about a misnamed one. The
/// dependents let a service's own program refuse a revert that would pull the ground from under another service.
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
        println!("cargo::error=the dependents of this service cannot be found: {error}");
    }
}

/// Also that every file can be read: `embed_migrations!` would wait for a FIFO for ever.
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
            "    shared::source::EmbeddedDependent {{ folder: {neighbour:?}, definition: include_str!({:?}), migrations: &[",
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

/// The migrations that seem to require one of `service`. What they really say is read at run time.
fn requiring_files(folder: &Path, service: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let wanted = format!("{service}@");
    for path in files::entries(&folder.join("migrations"))? {
        let requires = path.extension().is_some_and(|extension| extension == "sql")
            && files::read_text(&path)?.lines().any(|line| {
                line.starts_with("--") && line.contains("requires") && line.contains(&wanted)
            });
        if requires {
            found.push(path);
        }
    }
    Ok(found)
}
