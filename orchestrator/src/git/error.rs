//! Why git gives no answer.

use shared::domain::{called, commented};
use std::io;

/// Why git gives no answer.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no program.
    #[error("there is no git on PATH, which --changed-since asks")]
    Absent,
    /// It cannot be started, or its answer cannot be read.
    #[error("git cannot be run")]
    Start(#[source] io::Error),
    /// The services are in no repository.
    #[error("{folder} is in no git repository: {said}")]
    NoRepository {
        /// The folder.
        folder: String,
        /// What git said.
        said: String,
    },
    /// Nothing has that name.
    #[error("git knows no commit {revision} here")]
    UnknownRevision {
        /// As it was given.
        revision: String,
        /// Whether the clone holds a part of the history only.
        shallow: bool,
    },
    /// The histories do not meet.
    #[error("{revision} and HEAD have no commit in common here")]
    NoMergeBase {
        /// As it was given.
        revision: String,
        /// Whether the clone holds a part of the history only.
        shallow: bool,
    },
    /// Anything else.
    #[error("git {command} failed: {said}")]
    Failed {
        /// What was asked.
        command: String,
        /// What git said.
        said: String,
    },
}

impl GitError {
    /// What to do next.
    pub fn next(&self) -> String {
        let without = || called().without_option("--changed-since").to_string();
        match self {
            Self::Absent | Self::Start(_) => commented(without(), "checks all; or install git"),
            Self::NoRepository { .. } => {
                commented(without(), "checks all; or call it in a clone, or with --services-dir in one")
            }
            Self::UnknownRevision { shallow: true, .. }
            | Self::NoMergeBase { shallow: true, .. } => {
                "git fetch --unshallow   # the clone is shallow; in a workflow: fetch-depth: 0 for actions/checkout"
                    .to_owned()
            }
            Self::UnknownRevision { .. } => "git branch --all   # lists what can be named, such as origin/main".to_owned(),
            Self::NoMergeBase { .. } => {
                "git branch --all   # name the branch that this one comes from, such as origin/main".to_owned()
            }
            Self::Failed { .. } => "git status   # shows whether the clone is in order".to_owned(),
        }
    }
}
