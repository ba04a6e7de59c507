//! Which files differ from the commit where this branch left another one.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::GitError;
use super::hunks::new_lines;
use super::program::Git;

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was not there.
    Added,
    /// It says something else.
    Edited,
    /// It is there no more.
    Removed,
}

/// The files of a folder that differ, committed or not.
#[derive(Clone, Debug)]
pub struct Changes {
    git: Git,
    root: PathBuf,
    /// The folder as it is called from the root of the repository.
    folder: String,
    /// The commit from which this branch comes.
    base: String,
    files: BTreeMap<String, Change>,
}

impl Changes {
    /// Of a folder, since this branch left `revision`. Blocks.
    ///
    /// # Errors
    /// Where git is not there, the folder in no repository, or the revision unknown.
    pub fn since(revision: &str, folder: &Path) -> Result<Self, GitError> {
        let canonical = folder.canonicalize().map_err(GitError::Start)?;
        let here = Git::in_folder(&canonical);
        let root = match here.ask(&["rev-parse", "--show-toplevel"])? {
            Ok(answer) => PathBuf::from(String::from_utf8_lossy(&answer).trim_end_matches('\n')),
            Err(said) => {
                return Err(GitError::NoRepository {
                    folder: folder.display().to_string(),
                    said,
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

    /// The commit from which this branch comes, short.
    pub fn base(&self) -> &str {
        &self.base[..self.base.floor_char_boundary(12)]
    }

    /// The files that differ, as they are called from the root of the repository.
    pub fn files(&self) -> impl Iterator<Item = (&str, Change)> {
        self.files
            .iter()
            .map(|(path, change)| (path.as_str(), *change))
    }

    /// What became of a file, as it is called from the root of the repository.
    pub fn of(&self, path: &str) -> Option<Change> {
        self.files.get(path).copied()
    }

    /// What of the folder stood at the base, as it is called from the root of the repository.
    ///
    /// # Errors
    /// Where git gives no answer.
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

    /// The lines of an edited file that are new; all of a file that was not there.
    ///
    /// # Errors
    /// Where git gives no answer.
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

/// Whatever a user has configured.
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
    // Where no line differs, only the rights do.
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

/// Whether a file that is out of the index, but still in its folder, is as it was: git's difference takes it for removed.
fn is_as_at(git: &Git, base: &str, path: &str) -> Result<bool, GitError> {
    let before = git.line(&["rev-parse", &format!("{base}:{path}")])?;
    let now = git.line(&["hash-object", "--", path])?;
    Ok(before.is_some() && before == now)
}

fn entries(answer: &str) -> impl Iterator<Item = &str> {
    answer.split('\0').filter(|entry| !entry.is_empty())
}
