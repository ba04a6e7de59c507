//! Why git gives no answer.

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
    pub fn next(&self) -> &'static str {
        match self {
            Self::Absent | Self::Start(_) => "install git, or check without --changed-since",
            Self::NoRepository { .. } => {
                "call it in a clone, or with --services-dir in one; or check without --changed-since"
            }
            Self::UnknownRevision { shallow: true, .. }
            | Self::NoMergeBase { shallow: true, .. } => {
                "the clone is shallow: git fetch --unshallow (in a workflow: fetch-depth: 0 for actions/checkout)"
            }
            Self::UnknownRevision { .. } => "name a branch, a tag or a commit, such as origin/main",
            Self::NoMergeBase { .. } => {
                "name the branch that this one comes from, such as origin/main"
            }
            Self::Failed { .. } => "git status shows whether the clone is in order",
        }
    }
}
