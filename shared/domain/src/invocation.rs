//! How this program was called, and the commands that messages suggest. Each can be pasted as it is.
//!
//! This is the only global state of the process. It is set once, when the arguments are parsed.

use std::fmt::{self, Display, Formatter};
use std::sync::OnceLock;

use super::ServiceName;

static CURRENT: OnceLock<Invocation> = OnceLock::new();

/// How this program was called.
#[derive(Clone, Debug, Default)]
pub struct Invocation {
    /// The name of a service binary, such as `policy-migrations`, and its service; `None` for the orchestrator.
    pub own: Option<(String, ServiceName)>,
    /// The given global flags that affect what a command does, unquoted and without passwords.
    pub flags: Vec<String>,
    /// The given arguments, without passwords.
    pub called: Vec<String>,
    /// Whether `-v` was given.
    pub verbose: bool,
}

/// The command as it was called, to be rerun as it is or with other flags.
#[derive(Clone, Debug)]
pub struct Call {
    program: String,
    arguments: Vec<String>,
}

/// Sets how this program was called.
pub fn begin(invocation: Invocation) {
    // A second call in the same process (tests) keeps the first value.
    let _ = CURRENT.set(invocation);
}

/// Whether `-v` was given.
pub fn is_verbose() -> bool {
    CURRENT.get().is_some_and(|current| current.verbose)
}

/// The command with these arguments and the given global flags: `orchestrator run policy --server-url …`. A service binary
/// suggests itself where it has the same command.
pub fn suggest<S: AsRef<str>>(arguments: impl IntoIterator<Item = S>) -> String {
    let arguments: Vec<String> = arguments
        .into_iter()
        .map(|argument| argument.as_ref().to_owned())
        .collect();
    command(CURRENT.get().unwrap_or(&Invocation::default()), arguments)
}

/// The command that this process was called with.
pub fn called() -> Call {
    Call::of(CURRENT.get().unwrap_or(&Invocation::default()))
}

/// Suggests to rerun this process's command, with a comment on when to do so.
pub fn rerun(comment: impl Display) -> String {
    commented(called().to_string(), comment)
}

/// A command with a comment that a shell ignores. An empty command means this process's command.
pub fn commented(command: impl Into<String>, comment: impl Display) -> String {
    let mut command = command.into();
    if command.is_empty() {
        command = called().to_string();
    }
    // A command that already has a comment gets a longer one.
    let is_commented = ["   # ", "   -- "]
        .iter()
        .any(|sign| command.contains(sign));
    let sign = if is_commented { "; " } else { "   # " };
    format!("{command}{sign}{}", one_line(&comment.to_string()))
}

/// Statements for psql with an SQL comment.
pub fn in_sql(statements: impl AsRef<str>, comment: impl Display) -> String {
    let statements = statements.as_ref().trim_end_matches([';', ' ']);
    format!("{statements};   -- {}", one_line(&comment.to_string()))
}

/// Removes line breaks, which would end a comment.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Call {
    fn of(invocation: &Invocation) -> Self {
        let own = invocation.own.as_ref();
        Self {
            program: own.map_or_else(|| "orchestrator".to_owned(), |(program, _)| program.clone()),
            arguments: invocation.called.clone(),
        }
    }

    /// The same command with more arguments at the end.
    #[must_use]
    pub fn with<S: Into<String>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// The same command without a flag that has no value.
    #[must_use]
    pub fn without_flag(mut self, flag: &str) -> Self {
        self.arguments.retain(|argument| argument != flag);
        self
    }

    /// The same command without a flag and its value: `--flag value` or `--flag=value`.
    #[must_use]
    pub fn without_option(mut self, flag: &str) -> Self {
        let mut is_value = false;
        self.arguments.retain(|argument| {
            let is_removed =
                std::mem::take(&mut is_value) || argument.starts_with(&format!("{flag}="));
            is_value = !is_removed && argument == flag;
            !is_removed && !is_value
        });
        self
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&quoted(&self.program))?;
        self.arguments
            .iter()
            .try_for_each(|argument| write!(f, " {}", quoted(argument)))
    }
}

fn command(invocation: &Invocation, mut arguments: Vec<String>) -> String {
    let mut program = "orchestrator";
    if let Some((name, service)) = &invocation.own
        && matches!(
            arguments.first().map(String::as_str),
            Some("run" | "status" | "revert")
        )
        && arguments
            .get(1)
            .is_some_and(|named| named == service.as_str())
        && arguments.get(2).is_none_or(|next| next.starts_with("--"))
        && !arguments
            .iter()
            .any(|argument| argument.starts_with("--with-"))
    {
        program = name;
        arguments.remove(1);
    }
    std::iter::once(program)
        .chain(arguments.iter().map(String::as_str))
        .chain(invocation.flags.iter().map(String::as_str))
        .map(quoted)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Quotes an argument for a POSIX shell.
fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    // The output escapes control characters, text direction and CI commands; bash, zsh and ksh support $'…'.
    let is_odd = |c: char| c.is_control() || !(c.is_ascii() || c.is_alphanumeric());
    if argument.chars().any(is_odd) || argument.contains("##") {
        let escaped: String = argument
            .chars()
            .map(|c| match c {
                '\'' | '\\' => format!("\\{c}"),
                '#' => "\\x23".to_owned(),
                c if c.is_ascii_control() => format!("\\x{:02x}", u32::from(c)),
                c if is_odd(c) => format!("\\U{:08x}", u32::from(c)),
                c => c.to_string(),
            })
            .collect();
        return format!("$'{escaped}'");
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(invocation: &Invocation, arguments: &str) -> String {
        let arguments = arguments.split(' ').map(str::to_owned).collect();
        command(invocation, arguments)
    }

    #[test]
    fn flags_are_repeated_and_quoted() {
        let invocation = Invocation {
            flags: [
                "--services-dir",
                "it's here",
                "--server-url",
                "postgres://u@h/?a=b&c=d",
            ]
            .map(str::to_owned)
            .into(),
            ..Invocation::default()
        };
        assert_eq!(
            built(&invocation, "run policy"),
            r"orchestrator run policy --services-dir 'it'\''s here' --server-url 'postgres://u@h/?a=b&c=d'"
        );
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("a\nb'"), r"$'a\x0ab\''");
        assert_eq!(quoted("$(x)"), "'$(x)'");
    }

    #[test]
    fn a_call_is_repeated_with_other_flags() {
        let call = |arguments: &str| {
            Call::of(&Invocation {
                called: arguments.split(' ').map(str::to_owned).collect(),
                ..Invocation::default()
            })
        };
        assert_eq!(
            call("all --yes --services-dir a'b").to_string(),
            r"orchestrator all --yes --services-dir 'a'\''b'"
        );
        for arguments in ["run a --to 5 --atomic", "run a --to=5 --atomic"] {
            assert_eq!(
                call(arguments)
                    .without_option("--to")
                    .without_flag("--atomic")
                    .with(["--yes"])
                    .to_string(),
                "orchestrator run a --yes"
            );
        }
        assert_eq!(commented("a   # b", "c\nd"), "a   # b; c d");
        assert_eq!(in_sql("SELECT 1;", "why"), "SELECT 1;   -- why");
    }

    #[test]
    fn a_service_binary_suggests_itself_for_what_it_can_do() {
        let service: ServiceName = "policy".parse().unwrap();
        let invocation = Invocation {
            own: Some(("policy-migrations".to_owned(), service)),
            ..Invocation::default()
        };
        for (arguments, command) in [
            ("run policy", "policy-migrations run"),
            (
                "revert policy --steps 2",
                "policy-migrations revert --steps 2",
            ),
            (
                "revert policy --with-dependents",
                "orchestrator revert policy --with-dependents",
            ),
            ("run auth", "orchestrator run auth"),
            ("run policy auth", "orchestrator run policy auth"),
            ("doctor --fix", "orchestrator doctor --fix"),
        ] {
            assert_eq!(built(&invocation, arguments), command);
        }
    }
}
