//! A page of the documentation, read and done: each of its commands in order, as it stands there, with the exit code and the
//! output that the page promises.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::{Program, Server};

/// A page.
pub struct Page {
    name: &'static str,
    text: &'static str,
}

/// The database user of a page, and its password.
pub struct PageUser {
    /// Its name, which the page sets as `PGUSER`.
    pub name: String,
    /// Its password.
    pub password: String,
}

impl PageUser {
    /// The user of a page that is no superuser, but sees and ends the sessions of others; and an application's, `app`.
    pub fn migrator(server: &Server) -> Self {
        let (name, password) = ("migrator".to_owned(), "secret".to_owned());
        server.query(
            "postgres",
            &format!(
                "CREATE ROLE {name} LOGIN PASSWORD '{password}' CREATEDB; GRANT pg_monitor, pg_signal_backend TO {name}; \
                 CREATE ROLE app LOGIN PASSWORD 'app'"
            ),
        );
        Self { name, password }
    }

    /// The orchestrator, as this user.
    pub fn orchestrator(&self, server: &Server) -> Program {
        let url = server.url_as(&self.name, &self.password, "postgres");
        Program::named("orchestrator").env("ORCHESTRATOR_SERVER_URL", &url)
    }
}

impl Page {
    /// A page, named for messages, with its text.
    pub fn new(name: &'static str, text: &'static str) -> Self {
        Self { name, text }
    }

    /// Does all that the page says, in a folder with the configuration of the workspace. `before` is called before each
    /// command, with its text: for what happens meanwhile in the world.
    #[track_caller]
    pub fn perform(&self, server: &Server, user: &PageUser, mut before: impl FnMut(&str)) {
        let project = tempfile::tempdir().expect("a folder");
        copy_configuration(project.path());
        let steps = steps(self.text);
        let environment = steps.iter().find_map(|step| match step {
            Step::Environment(variables) => Some(variables),
            _ => None,
        });
        let environment = environment.expect("the page says which variables are set");
        let mut shell = Shell::start(server, user, environment, project.path());
        let mut wrong = String::new();
        let mut commands = 0;
        for step in &steps {
            match step {
                Step::Environment(_) => {}
                Step::Configuration { file, text } => append(&project.path().join(file), text),
                Step::Command(command) => {
                    commands += 1;
                    before(&command.text);
                    let (code, output) = shell.run(&command.text);
                    if let Err(why) = command.is_kept(code, &output) {
                        let line = command.line;
                        let _ = writeln!(wrong, "{}:{line}: {}\n{why}", self.name, command.text);
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
        let blocks = self.text.lines().filter(|line| line.trim() == "```sh");
        assert_eq!(commands, blocks.count());
    }
}

fn copy_configuration(project: &Path) {
    let folder = crate::binaries::workspace().join("config");
    std::fs::create_dir(project.join("config")).expect("a folder");
    for entry in std::fs::read_dir(folder).expect("the configuration") {
        let entry = entry.expect("a file");
        let to = project.join("config").join(entry.file_name());
        std::fs::copy(entry.path(), to).expect("a copy");
    }
}

fn append(file: &Path, text: &str) {
    let before = std::fs::read_to_string(file).expect("a file that the page speaks of");
    std::fs::write(file, format!("{before}\n{text}")).expect("a file");
}

/// What a reader does, in the order of the page.
enum Step {
    /// `env`: variables that are set for the whole page.
    Environment(Vec<(String, String)>),
    /// `toml`: lines for a file, which the words before the block name.
    Configuration { file: String, text: String },
    /// `sh`: a command.
    Command(Promise),
}

/// A command, and what the page says comes of it.
struct Promise {
    line: usize,
    text: String,
    /// The words `Exit code N` after the command; else 0.
    code: i32,
    /// The `text` block after the command. A line with nothing but `…` is any number of lines.
    output: Option<Vec<String>>,
}

impl Promise {
    fn is_kept(&self, code: i32, output: &str) -> Result<(), String> {
        if code != self.code {
            return Err(format!(
                "exit code {code} instead of {}:\n{output}",
                self.code
            ));
        }
        let Some(expected) = &self.output else {
            return Ok(());
        };
        let found = normalised_lines(output.lines());
        if matches(expected, &found) {
            return Ok(());
        }
        Err(format!(
            "shows\n{}\ninstead of\n{}",
            output.trim_end(),
            expected.join("\n")
        ))
    }
}

/// Whether lines are those expected, where `…` stands for any number of them.
fn matches(expected: &[String], found: &[String]) -> bool {
    match expected.split_first() {
        None => found.is_empty(),
        Some((first, rest)) if first == "…" => {
            (0..=found.len()).any(|skipped| matches(rest, &found[skipped..]))
        }
        Some((first, rest)) => found
            .split_first()
            .is_some_and(|(line, others)| line == first && matches(rest, others)),
    }
}

/// The lines that are not empty, each without what differs from run to run.
fn normalised_lines<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let lines = lines.into_iter().map(normalised);
    lines.filter(|line| !line.is_empty()).collect()
}

/// A line without what differs from run to run: times, durations, sizes, processes, who ran it, what is named after the time or a
/// number drawn, and how wide these make a column.
fn normalised(line: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        let bare = word.trim_matches(|c: char| "(),;:'".contains(c));
        let starts_with_digit = bare.starts_with(|c: char| c.is_ascii_digit());
        let is_time =
            starts_with_digit && (bare.matches(':').count() == 2 || bare.matches('-').count() == 2);
        let is_person = bare.split_once('@').is_some_and(|(_, host)| {
            !host.starts_with(|c: char| c.is_ascii_digit()) && !host.contains('/')
        });
        let is_number = !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit());
        let is_process = is_number
            && (words.ends_with(&["pid".to_owned()])
                || words.ends_with(&["pid".to_owned(), "=".to_owned()]));
        match (bare, words.last_mut()) {
            _ if is_process => words.push(word.replace(bare, "<pid>")),
            ("ms" | "s" | "min", Some(number)) => *number = word.replace(bare, "<duration>"),
            ("B" | "kB" | "MB", Some(number)) => *number = word.replace(bare, "<size>"),
            _ if is_dated(bare) || bare.contains("_restoring_") => {
                words.push(word.replace(bare, "<name>"));
            }
            _ if is_time => words.push("<time>".to_owned()),
            _ if is_person => words.push("<who>".to_owned()),
            _ => words.push(word.to_owned()),
        }
    }
    words.join(" ")
}

/// Whether a name holds a moment, as in `20261123T041500Z`: that of a backup, of its manifest, of a database that was kept.
fn is_dated(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    upper.match_indices('T').any(|(at, _)| {
        let are_digits = |text: Option<&str>| {
            text.is_some_and(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        };
        are_digits(at.checked_sub(8).and_then(|from| upper.get(from..at)))
            && are_digits(upper.get(at + 1..at + 7))
            && upper.get(at + 7..at + 8) == Some("Z")
    })
}

/// The steps of a page.
fn steps(page: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut prose = String::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(language) = line.trim().strip_prefix("```") else {
            if line.starts_with('#') {
                prose.clear();
            }
            if let Some(Step::Command(command)) = steps.last_mut()
                && let Some((_, code)) = line.split_once("Exit code ")
            {
                let digits: String = code.chars().take_while(char::is_ascii_digit).collect();
                command.code = digits.parse().expect("an exit code");
            }
            prose.push_str(line);
            prose.push('\n');
            continue;
        };
        let block: Vec<&str> = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| line.trim() != "```")
            .collect();
        match language {
            "sh" => steps.push(Step::Command(Promise {
                line: number + 2,
                text: block.join("\n"),
                code: 0,
                output: None,
            })),
            "text" => {
                let Some(Step::Command(command)) = steps.last_mut() else {
                    panic!("line {number}: an output without a command");
                };
                assert!(command.output.is_none(), "line {number}: a second output");
                command.output = Some(normalised_lines(block));
            }
            "toml" => steps.push(Step::Configuration {
                file: named_file(&prose),
                text: block.join("\n"),
            }),
            "env" => steps.push(Step::Environment(block.into_iter().map(variable).collect())),
            // Shown, and of no concern here: the application's source, another system's configuration.
            "ts" | "yaml" => {}
            other => panic!("line {number}: what is a {other:?} block?"),
        }
    }
    steps
}

/// The last file that a text names.
fn named_file(prose: &str) -> String {
    prose
        .split('`')
        .rfind(|word| word.ends_with(".toml"))
        .expect("the words before a toml block name its file")
        .to_owned()
}

fn variable(line: &str) -> (String, String) {
    let (name, value) = line.split_once('=').expect("NAME=value");
    (name.to_owned(), value.to_owned())
}

/// One shell, in which the commands of the page follow each other.
struct Shell {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    /// This test's server, and what the page calls it.
    places: (String, String),
}

impl Shell {
    /// With the variables of the page; those that say where the server is are this test's.
    fn start(
        server: &Server,
        user: &PageUser,
        variables: &[(String, String)],
        folder: &Path,
    ) -> Self {
        let address = server.url("postgres");
        let (_, place) = address.rsplit_once('@').expect("user@host:port/database");
        let place = place.split('/').next().unwrap_or_default();
        let (host, port) = place.split_once(':').expect("host:port");
        let of_page = |name: &str| {
            let variable = variables.iter().find(|(set, _)| set == name);
            &variable
                .unwrap_or_else(|| panic!("{name} is on the page"))
                .1
        };
        let places = (place.to_owned(), format!("{}:5432", of_page("PGHOST")));
        assert_eq!(of_page("PGUSER"), &user.name);
        let mut child = Command::new("bash")
            .args(["--noprofile", "--norc"])
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .env("PGHOST", host)
            .env("PGPORT", port)
            .env("PGPASSWORD", &user.password)
            .env("PGSSLMODE", "prefer")
            .env("PATH", path(server))
            .env("HOME", folder)
            .env("LC_ALL", "C.UTF-8")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash starts");
        Self {
            stdin: child.stdin.take(),
            stdout: BufReader::new(child.stdout.take().expect("its output")),
            child,
            places,
        }
    }

    /// Runs a command; gives its exit code, and all that it says.
    fn run(&mut self, command: &str) -> (i32, String) {
        const END: &str = "=== ended with ";
        let stdin = self.stdin.as_mut().expect("the shell listens");
        writeln!(stdin, "{{\n{command}\n}} </dev/null 2>&1; echo \"{END}$?\"")
            .expect("the shell lives");
        let mut output = String::new();
        loop {
            let mut line = String::new();
            let read = self.stdout.read_line(&mut line).expect("its output");
            assert!(read > 0, "the shell ended in: {command}\n{output}");
            if let Some((before, code)) = line.split_once(END) {
                output.push_str(before);
                let output = output.replace(&self.places.0, &self.places.1);
                return (code.trim().parse().expect("an exit code"), output);
            }
            output.push_str(&line);
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

/// Where the programs of this workspace are, then those of the server.
fn path(server: &Server) -> OsString {
    let orchestrator = Program::named("orchestrator").command::<&str>(&[]);
    let psql = server.program("psql");
    let ours = Path::new(orchestrator.get_program()).parent();
    let theirs = psql.parent();
    let system = std::env::var_os("PATH").unwrap_or_default();
    let folders = ours.into_iter().chain(theirs).map(Path::to_owned);
    std::env::join_paths(folders.chain(std::env::split_paths(&system))).expect("a path")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_the_page_can_fail() {
        let command = |text: &str| match steps(text).remove(0) {
            Step::Command(command) => command,
            _ => panic!("a command"),
        };
        let page = "```sh\na\n```\n\nExit code 3:\n\n```text\none\n…\ntwo in 0.12 s\n```\n";
        assert_eq!(
            command(page).is_kept(3, "one\nx\ny\ntwo in 3.4 s\n"),
            Ok(())
        );
        assert_eq!(command(page).is_kept(3, "one\ntwo in 40 ms\n"), Ok(()));
        assert!(command(page).is_kept(0, "one\ntwo in 1 s\n").is_err());
        assert!(command(page).is_kept(3, "one\ntwo in 1 s\nx\n").is_err());
        assert!(command(page).is_kept(3, "two in 1 s\n").is_err());
        assert!(command("```sh\na\n```\n").is_kept(1, "").is_err());
    }
}
