//! Errors of the git queries.

use domain::{Diagnostic, ExitStatus, called, commented};
use std::io;

/// Why a git query failed.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("--changed-since requires git, which is not on PATH")]
    Absent,
    #[error("cannot run git")]
    Start(#[source] io::Error),
    #[error("{folder} is not in a git repository: {output}")]
    NoRepository {
        /// The services' folder.
        folder: String,
        output: String,
    },
    #[error("unknown git revision {revision}")]
    UnknownRevision {
        /// The revision as given.
        revision: String,
        /// Whether the clone is shallow.
        shallow: bool,
    },
    #[error("{revision} and HEAD have no common commit")]
    NoMergeBase {
        /// The revision as given.
        revision: String,
        /// Whether the clone is shallow.
        shallow: bool,
    },
    /// Any other failure.
    #[error("git {command} failed: {output}")]
    Failed {
        /// The arguments.
        command: String,
        output: String,
    },
}

impl From<GitError> for Diagnostic {
    fn from(error: GitError) -> Self {
        let without = || called().without_option("--changed-since").to_string();
        let next = match &error {
            GitError::Absent | GitError::Start(_) => commented(without(), "checks everything; or install git"),
            GitError::NoRepository { .. } => {
                commented(without(), "checks everything; or run it in a clone, or with --services-dir in one")
            }
            GitError::UnknownRevision { shallow: true, .. }
            | GitError::NoMergeBase { shallow: true, .. } => {
                "git fetch --unshallow   # the clone is shallow; in a workflow, set fetch-depth: 0 for actions/checkout"
                    .to_owned()
            }
            GitError::UnknownRevision { .. } => "git branch --all   # lists the branches, such as origin/main".to_owned(),
            GitError::NoMergeBase { .. } => {
                "git branch --all   # lists the branches; specify the one that this branch started from, such as origin/main".to_owned()
            }
            GitError::Failed { .. } => "git status   # shows the state of the clone".to_owned(),
        };
        Self::of(ExitStatus::Usage, &error, Some(next))
    }
}
