//! Lists the files that changed since this branch diverged from another commit.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::GitError;
use super::hunks::new_lines;
use super::program::Git;

/// How a file changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The file is new.
    Added,
    /// The contents differ.
    Edited,
    /// The file no longer exists.
    Removed,
}

/// The changed files of a folder, committed or not.
#[derive(Clone, Debug)]
pub struct Changes {
    git: Git,
    root: PathBuf,
    /// The folder's path relative to the repository root.
    folder: String,
    /// The merge base.
    base: String,
    files: BTreeMap<String, Change>,
}

impl Changes {
    /// Lists the changes in a folder since this branch diverged from `revision`. Blocks.
    ///
    /// # Errors
    /// If git is not installed, the folder is not in a repository, or the revision is unknown.
    pub fn since(revision: &str, folder: &Path) -> Result<Self, GitError> {
        let canonical = folder.canonicalize().map_err(GitError::Start)?;
        let here = Git::in_folder(&canonical);
        let root = match here.ask(&["rev-parse", "--show-toplevel"])? {
            Ok(answer) => PathBuf::from(String::from_utf8_lossy(&answer).trim_end_matches('\n')),
            Err(output) => {
                return Err(GitError::NoRepository {
                    folder: folder.display().to_string(),
                    output,
                });
            }
        };
        let git = Git::in_folder(&root);
        let shallow = git
            .line(&["rev-parse", "--is-shallow-repository"])?
            .as_deref()
            == Some("true");
        let commit = format!("{revision}^{{commit}}");
        let revision = revision.to_owned();
        let Some(commit) = git.line(&[
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &commit,
        ])?
        else {
            return Err(GitError::UnknownRevision { revision, shallow });
        };
        let Some(base) = git.line(&["merge-base", &commit, "HEAD"])? else {
            return Err(GitError::NoMergeBase { revision, shallow });
        };
        let folder = match canonical.strip_prefix(&root) {
            Ok(below) if below.as_os_str().is_empty() => ".".to_owned(),
            Ok(below) => below.display().to_string(),
            Err(_) => canonical.display().to_string(),
        };
        let files = files(&git, &base, &folder)?;
        Ok(Self {
            git,
            root,
            folder,
            base,
            files,
        })
    }

    /// The root of the repository.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The abbreviated merge base.
    pub fn base(&self) -> &str {
        &self.base[..self.base.floor_char_boundary(12)]
    }

    /// The changed files, relative to the repository root.
    pub fn files(&self) -> impl Iterator<Item = (&str, Change)> {
        self.files
            .iter()
            .map(|(path, change)| (path.as_str(), *change))
    }

    /// How a file changed; `path` is relative to the repository root.
    pub fn of(&self, path: &str) -> Option<Change> {
        self.files.get(path).copied()
    }

    /// The files of the folder at the merge base, relative to the repository root.
    ///
    /// # Errors
    /// If git fails.
    pub fn at_base(&self) -> Result<Vec<String>, GitError> {
        let folder = format!("{}/", self.folder.trim_end_matches('/'));
        let mut arguments = vec![
            "ls-tree",
            "-r",
            "-z",
            "--name-only",
            "--full-tree",
            &self.base,
        ];
        if self.folder != "." {
            arguments.push(&folder);
        }
        Ok(entries(&self.git.answer(&arguments)?)
            .map(str::to_owned)
            .collect())
    }

    /// The new lines of a modified file; all lines of an added file.
    ///
    /// # Errors
    /// If git fails.
    pub fn lines(&self, path: &str) -> Result<Vec<RangeInclusive<u32>>, GitError> {
        match self.of(path) {
            Some(Change::Added) => Ok(vec![1..=u32::MAX]),
            Some(Change::Edited) => {
                let mut arguments = vec!["diff", "-U0"];
                arguments.extend(PLAIN);
                arguments.extend([self.base.as_str(), "--", path]);
                Ok(new_lines(&self.git.answer(&arguments)?))
            }
            Some(Change::Removed) | None => Ok(Vec::new()),
        }
    }
}

/// Options that override the user's git configuration.
const PLAIN: [&str; 4] = [
    "--no-renames",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
];

fn files(git: &Git, base: &str, folder: &str) -> Result<BTreeMap<String, Change>, GitError> {
    let asked = |format: &'static str| {
        let mut arguments = vec!["diff", "-z", format];
        arguments.extend(PLAIN);
        arguments.extend([base, "--", folder]);
        git.answer(&arguments)
    };
    let mut files = BTreeMap::new();
    let status = asked("--name-status")?;
    let mut entries_of_status = entries(&status);
    while let (Some(letter), Some(path)) = (entries_of_status.next(), entries_of_status.next()) {
        let change = match letter {
            "A" => Change::Added,
            "D" => Change::Removed,
            _ => Change::Edited,
        };
        files.insert(path.to_owned(), change);
    }
    // If no line differs, only the file mode changed.
    for entry in entries(&asked("--numstat")?) {
        if let Some(path) = entry.strip_prefix("0\t0\t")
            && files.get(path) == Some(&Change::Edited)
        {
            files.remove(path);
        }
    }
    let untracked = git.answer(&[
        "ls-files",
        "-z",
        "--others",
        "--exclude-standard",
        "--",
        folder,
    ])?;
    for path in entries(&untracked) {
        if files.get(path) != Some(&Change::Removed) {
            files.insert(path.to_owned(), Change::Added);
        } else if is_as_at(git, base, path)? {
            files.remove(path);
        } else {
            files.insert(path.to_owned(), Change::Edited);
        }
    }
    Ok(files)
}

/// Whether a file that was removed from the index but not from its folder is unchanged: `git diff` reports it as removed.
fn is_as_at(git: &Git, base: &str, path: &str) -> Result<bool, GitError> {
    let before = git.line(&["rev-parse", &format!("{base}:{path}")])?;
    let now = git.line(&["hash-object", "--", path])?;
    Ok(before.is_some() && before == now)
}

fn entries(answer: &str) -> impl Iterator<Item = &str> {
    answer.split('\0').filter(|entry| !entry.is_empty())
}
