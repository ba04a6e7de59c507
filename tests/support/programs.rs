//! The real binaries, run as a user would run them.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::binaries::{first_in_path, workspace};
use crate::suggestions::check;
use crate::{Server, Services};

/// A program with its environment: nothing of the caller's configuration reaches it, and it runs in an empty folder.
pub struct Program {
    name: String,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
    folder: TempDir,
    current: Option<PathBuf>,
    hears_hangups: bool,
}

/// How a program ended.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Program {
    /// `orchestrator` on a server.
    pub fn orchestrator(server: &Server) -> Self {
        Self::named("orchestrator").env("ORCHESTRATOR_SERVER_URL", &server.url("postgres"))
    }

    /// A program of this workspace, without any configuration.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            environment: Vec::new(),
            arguments: Vec::new(),
            folder: tempfile::tempdir().expect("a folder"),
            current: None,
            hears_hangups: false,
        }
    }

    /// With services on disk.
    #[must_use]
    pub fn services(self, services: &Services) -> Self {
        let path = services.path().display().to_string();
        self.arg("--services-dir").arg(&path)
    }

    /// With scratch databases on the server of the live ones: a local server of its own takes a second to start.
    #[must_use]
    pub fn scratch_beside(self) -> Self {
        self.env("ORCHESTRATOR_SCRATCH_SERVER", "same")
    }

    /// With an argument before those of each call.
    #[must_use]
    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// With an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// In a folder of the caller's.
    #[must_use]
    pub fn current_dir(mut self, folder: &Path) -> Self {
        self.current = Some(folder.to_owned());
        self
    }

    /// The folder that it runs in.
    pub fn folder(&self) -> &Path {
        self.current
            .as_deref()
            .unwrap_or_else(|| self.folder.path())
    }

    /// Starts it with SIGHUP as it is by default, also where what started the tests ignores it.
    #[must_use]
    pub fn hearing_hangups(mut self) -> Self {
        self.hears_hangups = true;
        self
    }

    /// A command for further settings; standard output and error are piped.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Command {
        let mut command = if self.hears_hangups {
            let mut command = Command::new("env");
            command.arg("--default-signal=HUP").arg(binary(&self.name));
            command
        } else {
            Command::new(binary(&self.name))
        };
        command.env_clear();
        for name in ["PATH", "HOME", "TMPDIR", "USER", "LANG"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        if let Some(folder) = first_in_path() {
            command.env("PATH", before_path(folder));
        }
        // The tests count on attempts to fail soon.
        command.env("ORCHESTRATOR_LOCK_TIMEOUT", "1s");
        command
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .args(&self.arguments)
            .args(arguments)
            .current_dir(self.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts it.
    pub fn start<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Child {
        self.command(arguments).spawn().expect("the program starts")
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Outcome {
        let outcome = Outcome::of(self.start(arguments));
        check(&outcome, &self.called_with(arguments));
        outcome
    }

    /// The arguments of a call.
    pub(crate) fn called_with<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Vec<String> {
        let own = arguments
            .iter()
            .map(|argument| argument.as_ref().to_string_lossy().into_owned());
        self.arguments.iter().cloned().chain(own).collect()
    }

    /// Runs it and expects an exit code.
    #[track_caller]
    pub fn expect<A: AsRef<OsStr>>(&self, arguments: &[A], code: i32) -> Outcome {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, code, "{}\n{}", outcome.stdout, outcome.stderr);
        outcome
    }
}

impl Outcome {
    /// Waits for a child.
    pub fn of(child: Child) -> Self {
        let output = child.wait_with_output().expect("the program ends");
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Standard output as one JSON document.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// Standard output as JSON Lines.
    pub fn events(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }

    /// The events of one kind.
    pub fn events_of(&self, kind: &str) -> Vec<Value> {
        self.events()
            .into_iter()
            .filter(|event| event["event"] == kind)
            .collect()
    }
}

/// The binary of a program. All are built once per test process, so that they are those of this source. With cargo-nextest each
/// test is a process, and `.config/nextest.toml` has them built before the first.
fn binary(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    if std::env::var_os("NEXTEST").is_none() {
        BUILT.get_or_init(build);
    }
    let profile = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    target_folder().join(profile).join(name)
}

fn build() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--workspace", "--bins", "--quiet"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    // What cargo tells a test about its package would make build scripts that look at it (ring's) run again, and
    // rebuild all that depends on them: now, and again at the next `cargo test`.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_CRATE_",
            "CARGO_BIN_",
        ]
        .iter()
        .any(|prefix| text.starts_with(prefix))
        {
            command.env_remove(&name);
        }
    }
    let built = command
        .current_dir(workspace())
        .status()
        .expect("cargo runs");
    assert!(built.success(), "the programs are built");
}

/// `PATH` with a folder before all others.
fn before_path(folder: PathBuf) -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(folder).chain(std::env::split_paths(&path)))
        .expect("a folder without a colon")
}

/// Where cargo builds: above the running test (`target/debug/deps/e2e-…`).
pub(crate) fn target_folder() -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    test.ancestors()
        .nth(3)
        .expect("target/<profile>/deps/<test>")
        .to_owned()
}
