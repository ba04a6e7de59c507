//! Runs the program `git`.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Output;

use pg_address::clean_command;

use super::GitError;

/// Runs `git` in a folder.
#[derive(Clone, Debug)]
pub(super) struct Git {
    folder: PathBuf,
}

impl Git {
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// The output of git; the inner `Err` contains its error output if it fails.
    pub(super) fn ask(&self, arguments: &[&str]) -> Result<Result<Vec<u8>, String>, GitError> {
        let Output {
            status,
            stdout,
            stderr,
        } = clean_command("git")
            .arg("-C")
            .arg(&self.folder)
            .args(arguments)
            // Output that is parsed must be in English; paths must not be treated as patterns; a query must not write.
            .env("LC_ALL", "C")
            .env("GIT_LITERAL_PATHSPECS", "1")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .output()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => GitError::Absent,
                _ => GitError::Start(error),
            })?;
        if status.success() {
            return Ok(Ok(stdout));
        }
        let output = String::from_utf8_lossy(&stderr);
        let output = output.lines().map(str::trim).find(|line| !line.is_empty());
        Ok(Err(output
            .unwrap_or("no output")
            .trim_start_matches("fatal: ")
            .to_owned()))
    }

    /// The output of a query that must succeed.
    pub(super) fn answer(&self, arguments: &[&str]) -> Result<String, GitError> {
        match self.ask(arguments)? {
            Ok(answer) => Ok(String::from_utf8_lossy(&answer).into_owned()),
            Err(output) => Err(GitError::Failed {
                command: arguments.first().copied().unwrap_or_default().to_owned(),
                output,
            }),
        }
    }

    /// The first line of the output; `None` if git prints nothing.
    pub(super) fn line(&self, arguments: &[&str]) -> Result<Option<String>, GitError> {
        Ok(self
            .ask(arguments)?
            .ok()
            .map(|answer| String::from_utf8_lossy(&answer).trim_end().to_owned())
            .filter(|line| !line.is_empty()))
    }
}
