//! `schema dump`: the schema that a service's migrations produce, as SQL.
//!
//! The engine runs the migrations in a scratch database, which is always dropped afterwards.

use std::path::{Path, PathBuf};

use domain::{Diagnostic, ExitStatus, Migration, Service, rerun, suggest};
use pg_address::DatabaseAddress;
use service_cli::command::Context;
use store::DEFAULT_HISTORY_TABLE;

use client_program::ClientProgram;
use scratch::{Replay, ScratchError, ScratchServers};

/// The schema of a service at its newest version, normalized.
pub async fn dump(
    scratch_servers: &ScratchServers<'_>,
    service: &Service,
    server: &DatabaseAddress,
    pg_dump: &ClientProgram,
) -> Result<String, ScratchError> {
    let migrations: Vec<&Migration> = service.migrations.iter().collect();
    let replay = Replay::prepare(scratch_servers, service, server, &[], &migrations).await?;
    replay
        .apply(service, DEFAULT_HISTORY_TABLE, &migrations)
        .await?;
    let text = ::generate::dump_schema(pg_dump, &replay, &[]).await?;
    replay.finish().await;
    Ok(normalize(&String::from_utf8_lossy(&text)))
}

/// Removes from pg_dump's output what depends on the server, the time or the client: session settings, pg_dump's own
/// comments, psql commands, rows, and repeated empty lines.
pub(crate) fn normalize(dump: &str) -> String {
    let mut text = String::new();
    let (mut in_quotes, mut in_rows) = (false, false);
    for line in dump.lines() {
        in_rows |= !in_quotes && line.starts_with("COPY ") && line.ends_with(" FROM stdin;");
        if in_rows {
            in_rows = line != "\\.";
            continue;
        }
        // Keep function bodies unchanged.
        if !in_quotes && is_noise(line) {
            continue;
        }
        if line.matches("$$").count() % 2 == 1 || line.matches("$_$").count() % 2 == 1 {
            in_quotes = !in_quotes;
        }
        if line.is_empty() && !in_quotes && (text.is_empty() || text.ends_with("\n\n")) {
            continue;
        }
        text.push_str(line);
        text.push('\n');
    }
    format!("{}\n", text.trim_end())
}

fn is_noise(line: &str) -> bool {
    line.starts_with("--")
        || line.starts_with("SET ")
        || line.starts_with("SELECT pg_catalog.set_config(")
        || line.starts_with('\\')
        // Written if only this schema was dumped.
        || line == "CREATE SCHEMA public;"
        || line.starts_with("COMMENT ON EXTENSION ")
}

/// The path of a service's `schema.sql` in a services folder.
pub fn path(services: &Path, service: &Service) -> PathBuf {
    services.join(service.name.as_str()).join("schema.sql")
}

/// The contents of a service's `schema.sql`.
pub fn read(context: &Context, service: &Service) -> Result<String, Diagnostic> {
    let path = path(&context.services_folder(), service);
    std::fs::read_to_string(&path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Diagnostic::usage(
            format!("{} does not exist", path.display()),
            suggest(["schema", "dump", service.name.as_str()]),
        ),
        _ => Diagnostic::failed(format!("cannot read {}", path.display()), &source),
    })
}

/// The error of a `schema.sql` that does not load.
pub fn invalid(context: &Context, service: &Service, message: &str) -> Diagnostic {
    let path = path(&context.services_folder(), service);
    Diagnostic::new(
        ExitStatus::Failed,
        format!("cannot load {}: {message}", path.display()),
        rerun("after correcting that"),
    )
}

#[cfg(test)]
mod tests {
    use super::normalize;

    #[test]
    fn variable_parts_are_removed_and_function_bodies_kept() {
        let dump = "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSET statement_timeout = 0;\n\
                    SELECT pg_catalog.set_config('search_path', '', false);\n\n\n--\n-- Name: f()\n--\n\n\
                    CREATE FUNCTION public.f() RETURNS void\n    AS $$\n-- a comment of the author's\n\n\nSET x = 1;\n$$;\n\n\n\
                    \n\\unrestrict abc\n";
        assert_eq!(
            normalize(dump),
            "CREATE FUNCTION public.f() RETURNS void\n    AS $$\n-- a comment of the author's\n\n\nSET x = 1;\n$$;\n"
        );
    }
}
