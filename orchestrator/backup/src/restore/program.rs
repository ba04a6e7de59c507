//! Chooses and runs `pg_restore`.

use std::path::Path;
use std::process::Stdio;

use engine::inspect::ServiceError;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::RestoreOptions;
use super::choice::Restoration;
use super::error::RestoreError;
use client_program::{ClientProgram, ClientProgramError, ClientWatch, major};

/// The maximum number of output lines kept for an error message.
const LAST_WORDS: usize = 6;

/// From this major version on `pg_restore` sets `transaction_timeout`, and the server knows the parameter. On an older server that is an
/// error, the only one that is ignored.
const TRANSACTION_TIMEOUT: i32 = 17;

/// Finds a `pg_restore` that can read the backup. Blocks.
pub fn find(
    restoration: &Restoration,
    folder: Option<&Path>,
) -> Result<ClientProgram, ClientProgramError> {
    let written_by = major(&restoration.dump().pg_dump_version);
    ClientProgram::find("pg_restore", folder, written_by)
}

/// The number of objects in a dump's table of contents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    pub entries: usize,
    pub tables: usize,
    pub views: usize,
    pub indexes: usize,
}

/// Reads the table of contents. Blocks.
pub(super) fn contents(
    program: &ClientProgram,
    restoration: &Restoration,
) -> Result<Contents, RestoreError> {
    let output = program
        .on_files()
        .arg("--list")
        .arg(restoration.folder.join(&restoration.dump().path))
        .output()
        .map_err(|source| RestoreError::Start {
            path: program.path.clone(),
            source,
        })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).replace('\n', " ");
        let message = format!("pg_restore cannot read it: {}", said.trim());
        return Err(super::check::refusal(restoration, message).into());
    }
    Ok(count(&String::from_utf8_lossy(&output.stdout)))
}

/// Parses entries such as `215; 1259 16386 TABLE public policies postgres`.
fn count(list: &str) -> Contents {
    let mut contents = Contents::default();
    for line in list.lines().filter(|line| !line.starts_with(';')) {
        let mut columns = line.split_whitespace().skip(3);
        let (Some(kind), Some(next)) = (columns.next(), columns.next()) else {
            continue;
        };
        contents.entries += 1;
        // A schema named like the second word of a kind is ambiguous: the count is then too low, never too high.
        match (kind, next) {
            ("TABLE", "DATA" | "ATTACH") | ("INDEX", "ATTACH") => {}
            ("TABLE", _) => contents.tables += 1,
            ("VIEW", _) => contents.views += 1,
            ("INDEX", _) => contents.indexes += 1,
            _ => {}
        }
    }
    contents
}

/// Fills a new database. Dropping the future ends the program; if this process is killed, the program's next output fails and ends it.
pub(super) async fn fill(
    program: &ClientProgram,
    restoration: &Restoration,
    into: &ClientWatch,
    server_major: i32,
    options: &RestoreOptions,
) -> Result<(), RestoreError> {
    let path = restoration.folder.join(&restoration.dump().path);
    let jobs = format!("--jobs={}", options.restore_jobs);
    pour(program, Poured::At(&path), into, server_major, &[jobs]).await
}

/// The location of a dump.
#[derive(Clone, Copy)]
pub enum Poured<'a> {
    /// A file or a directory.
    At(&'a Path),
    /// A dump in memory.
    Bytes(&'a [u8]),
}

/// Like [`fill`], for any dump and with further arguments.
pub async fn pour(
    program: &ClientProgram,
    from: Poured<'_>,
    into: &ClientWatch,
    server_major: i32,
    arguments: &[String],
) -> Result<(), RestoreError> {
    let lets_pass = program.major >= TRANSACTION_TIMEOUT && server_major < TRANSACTION_TIMEOUT;
    let mut command = program.against(into);
    command
        .args(["--verbose", "--no-password"])
        .args(arguments)
        .arg(format!(
            "--dbname={}",
            into.address().libpq_connection_string()
        ));
    if !lets_pass {
        command.arg("--exit-on-error");
    }
    match from {
        Poured::At(path) => command.arg(path),
        Poured::Bytes(_) => command.stdin(Stdio::piped()),
    };
    let start = |source| RestoreError::Start {
        path: program.path.clone(),
        source,
    };
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(start)?;
    let mut output = ProgramOutput::new(lets_pass);
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let feed = async {
        if let (Some(mut stdin), Poured::Bytes(bytes)) = (stdin, from) {
            // A write error means that pg_restore ended early; its own output has the cause.
            let _ = stdin.write_all(bytes).await;
        }
    };
    let listen = async {
        if let Some(stderr) = stderr {
            let mut lines = BufReader::new(stderr).split(b'\n');
            while let Some(line) = lines.next_segment().await? {
                if !output.push_line(&String::from_utf8_lossy(&line)) {
                    break;
                }
            }
        }
        Ok(())
    };
    let heard = into.over(child.id(), async { tokio::join!(feed, listen).1 });
    match heard.await {
        Some(listened) => listened.map_err(start)?,
        None => {
            child.kill().await.map_err(start)?;
            return Err(ServiceError::silent(into.address(), "pg_restore").into());
        }
    }
    if output.has_failed() {
        // Output after the first error is irrelevant.
        child.kill().await.map_err(start)?;
        return Err(RestoreError::Failed {
            said: output.said(),
        });
    }
    let status = child.wait().await.map_err(start)?;
    if status.success() || output.explains_all() {
        return Ok(());
    }
    let said = match output.said() {
        said if said.is_empty() => status.to_string(),
        said => said,
    };
    Err(RestoreError::Failed { said })
}

/// The output of the program, line by line.
struct ProgramOutput {
    lets_pass: bool,
    passed: usize,
    came_to_its_end: bool,
    failure: Vec<String>,
    last: Vec<String>,
}

impl ProgramOutput {
    fn new(lets_pass: bool) -> Self {
        Self {
            lets_pass,
            passed: 0,
            came_to_its_end: false,
            failure: Vec::new(),
            last: Vec::new(),
        }
    }

    /// Adds a line; returns whether to continue reading.
    fn push_line(&mut self, line: &str) -> bool {
        let line = line.trim_end();
        if !self.failure.is_empty() {
            // The server's message can have further lines, followed by the statement.
            if self.failure.len() < LAST_WORDS && !line.starts_with("Command was:") {
                self.failure.push(line.to_owned());
                return !line.starts_with("pg_restore:");
            }
            return false;
        }
        if let Some(error) = line.strip_prefix("pg_restore: error: ") {
            if self.lets_pass && error.contains("\"transaction_timeout\"") {
                self.passed += 1;
            } else {
                self.failure.push(error.to_owned());
            }
        } else if line.starts_with("pg_restore: warning: errors ignored on restore: ") {
            self.came_to_its_end = true;
        } else if !line.is_empty() {
            self.last.push(line.to_owned());
            if self.last.len() > LAST_WORDS {
                self.last.remove(0);
            }
        }
        true
    }

    fn has_failed(&self) -> bool {
        !self.failure.is_empty()
    }

    /// Whether the program finished and all errors were ignorable. Its own count of errors is not used, because it omits errors of
    /// parallel jobs.
    fn explains_all(&self) -> bool {
        self.lets_pass && self.passed > 0 && self.came_to_its_end
    }

    fn said(&self) -> String {
        let output = if self.failure.is_empty() {
            &self.last
        } else {
            &self.failure
        };
        output
            .iter()
            .map(|line| line.trim_start_matches("pg_restore: ").trim())
            .collect::<Vec<_>>()
            .join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_counted_from_the_table_of_contents() {
        let list = ";\n; Archive created at 2026-11-23\n;     TOC Entries: 12\n;\n\
            2; 3079 16384 EXTENSION - pgcrypto \n\
            215; 1259 16386 TABLE public policies postgres\n\
            216; 1259 16390 VIEW public current_policies postgres\n\
            3345; 0 16386 TABLE DATA public policies postgres\n\
            3346; 0 0 TABLE ATTACH public p1 postgres\n\
            3197; 2606 16394 CONSTRAINT public policies policies_pkey postgres\n\
            3198; 1259 16395 INDEX public policies_title postgres\n\
            3199; 0 0 INDEX ATTACH public p1_title postgres\n";
        let expected = Contents {
            entries: 8,
            tables: 1,
            views: 1,
            indexes: 1,
        };
        assert_eq!(count(list), expected);
    }

    #[test]
    fn an_older_server_that_lacks_a_setting_is_no_failure_and_anything_else_is() {
        let setting = "pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter \"transaction_timeout\"";
        let mut output = ProgramOutput::new(true);
        assert!(output.push_line("pg_restore: connecting to database for restore"));
        assert!(output.push_line(setting));
        assert!(output.push_line("Command was: SET transaction_timeout = 0;"));
        assert!(output.push_line("pg_restore: warning: errors ignored on restore: 1"));
        assert!(output.explains_all() && !output.has_failed());

        let mut output = ProgramOutput::new(true);
        output.push_line(setting);
        assert!(output.push_line("pg_restore: creating TABLE \"public.t\""));
        assert!(!output.explains_all());

        let mut output = ProgramOutput::new(false);
        assert!(output.push_line(setting));
        assert!(output.has_failed());

        let mut output = ProgramOutput::new(true);
        output.push_line(
            "pg_restore: error: could not execute query: ERROR:  role \"x\" does not exist",
        );
        assert!(!output.push_line("Command was: ALTER TABLE public.t OWNER TO x;"));
        assert!(output.has_failed());
        assert!(output.said().contains("role \"x\" does not exist"));
    }
}
