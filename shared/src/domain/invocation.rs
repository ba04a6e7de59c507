//! How this program was called, and the commands that messages suggest: each can be pasted as it is.
//!
//! The only fact that the whole process shares, set once when its arguments are read, as the arguments themselves are.
//! Floor 0.

use std::sync::OnceLock;

use super::ServiceName;

static CURRENT: OnceLock<Invocation> = OnceLock::new();

/// How this program was called.
#[derive(Clone, Debug, Default)]
pub struct Invocation {
    /// `policy-migrations`, and its service; `None` for the orchestrator.
    pub own: Option<(String, ServiceName)>,
    /// The global flags that were given and decide what a command does, unquoted and without passwords.
    pub flags: Vec<String>,
    /// Whether more is said: `-v`.
    pub verbose: bool,
}

/// Sets how this program was called.
pub fn begin(invocation: Invocation) {
    // A second start in one process (tests) keeps the first.
    let _ = CURRENT.set(invocation);
}

/// Whether more is said: `-v`.
pub fn is_verbose() -> bool {
    CURRENT.get().is_some_and(|current| current.verbose)
}

/// The command of these words, with the global flags that were given: `orchestrator run policy --server-url …`. A service binary
/// suggests itself where it can do the same.
pub fn suggest<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> String {
    let words: Vec<String> = words
        .into_iter()
        .map(|word| word.as_ref().to_owned())
        .collect();
    command(CURRENT.get().unwrap_or(&Invocation::default()), words)
}

fn command(invocation: &Invocation, mut words: Vec<String>) -> String {
    let mut program = "orchestrator";
    if let Some((name, service)) = &invocation.own
        && matches!(
            words.first().map(String::as_str),
            Some("run" | "status" | "revert")
        )
        && words.get(1).is_some_and(|named| named == service.as_str())
        && words.get(2).is_none_or(|next| next.starts_with("--"))
        && !words.iter().any(|word| word.starts_with("--with-"))
    {
        program = name;
        words.remove(1);
    }
    std::iter::once(program)
        .chain(words.iter().map(String::as_str))
        .chain(invocation.flags.iter().map(String::as_str))
        .map(quoted)
        .collect::<Vec<_>>()
        .join(" ")
}

/// A word as a POSIX shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if word.chars().any(char::is_control) {
        // What a terminal would not show as it is: bash, zsh and ksh read it back.
        let escaped: String = word
            .chars()
            .map(|c| match c {
                '\'' | '\\' => format!("\\{c}"),
                c if c.is_ascii_control() => format!("\\x{:02x}", u32::from(c)),
                c => c.to_string(),
            })
            .collect();
        return format!("$'{escaped}'");
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(invocation: &Invocation, words: &str) -> String {
        let words = words.split(' ').map(str::to_owned).collect();
        command(invocation, words)
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
    fn a_service_binary_suggests_itself_for_what_it_can_do() {
        let service: ServiceName = "policy".parse().unwrap();
        let invocation = Invocation {
            own: Some(("policy-migrations".to_owned(), service)),
            ..Invocation::default()
        };
        for (words, command) in [
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
            assert_eq!(built(&invocation, words), command);
        }
    }
}
