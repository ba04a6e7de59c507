//! What programs suggest, wherever a test sees it: each `next` is a command that a shell runs as it is, or a statement for psql.

use serde_json::Value;
use squawk_syntax::SourceFile;

use crate::Outcome;

/// The global flags that decide what a command does, which each suggested command of ours repeats.
const REPEATED: [&str; 7] = [
    "--services-dir",
    "--config",
    "--environment",
    "--server-url",
    "--database-url",
    "--pg-bin",
    "--jobs",
];

/// Other programs that may be suggested.
const FOREIGN: [&str; 6] = ["git", "psql", "cp", "mv", "sudo", "kill"];

/// Everything that an output suggests: in JSON, and in the lines that begin with `next:`.
pub fn suggestions(outcome: &Outcome) -> Vec<String> {
    let mut found = Vec::new();
    match serde_json::from_str(&outcome.stdout) {
        Ok(document) => collect(&document, &mut found),
        Err(_) => {
            for line in outcome.stdout.lines() {
                match serde_json::from_str(line) {
                    Ok(event) => collect(&event, &mut found),
                    Err(_) => found.extend(in_text(line)),
                }
            }
        }
    }
    found.extend(outcome.stderr.lines().filter_map(in_text));
    found
}

/// Fails the test where something is suggested that cannot be pasted.
#[track_caller]
pub(crate) fn check(outcome: &Outcome, called_with: &[String]) {
    for suggestion in suggestions(outcome) {
        if let Err(why) = judge(&suggestion, called_with, outcome.code) {
            panic!(
                "{why}\n  next: {suggestion}\n  called with: {called_with:?}\n{}\n{}",
                outcome.stdout, outcome.stderr
            );
        }
    }
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("next", Value::String(text)) => found.push(text.clone()),
                    ("next", Value::Array(texts)) => {
                        found.extend(texts.iter().filter_map(Value::as_str).map(str::to_owned));
                    }
                    _ => collect(value, found),
                }
            }
        }
        _ => {}
    }
}

fn in_text(line: &str) -> Option<String> {
    let mut plain = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    let text = plain.trim_start().strip_prefix("next: ")?;
    Some(text.to_owned())
}

fn judge(suggestion: &str, called_with: &[String], code: i32) -> Result<(), String> {
    let words = words(suggestion);
    let program = words
        .as_ref()
        .ok()
        .and_then(|words| words.first())
        .map_or("", String::as_str);
    let words = match &words {
        Ok(words) if program == "orchestrator" => {
            orchestrator::cli::accepts(words)?;
            words
        }
        Ok(words) if program.ends_with("-migrations") => {
            service_cli::accepts(words)?;
            words
        }
        Ok(_) if FOREIGN.contains(&program) => return Ok(()),
        _ => return is_sql(suggestion),
    };
    for flag in REPEATED {
        let is_address = flag.ends_with("-url");
        let Some(given) = value_of(called_with, flag) else {
            continue;
        };
        match value_of(words, flag) {
            Some(value) if is_address || value == given => {}
            // An address that cannot be read may hold a password anywhere.
            None if is_address && code == 2 => {}
            found => return Err(format!("{flag} {given} was given, and not {found:?}")),
        }
    }
    Ok(())
}

fn is_sql(text: &str) -> Result<(), String> {
    let is_statement = text
        .split(' ')
        .next()
        .is_some_and(|word| word.len() > 2 && word.chars().all(|c| c.is_ascii_uppercase()));
    if !is_statement {
        return Err("neither a command nor SQL".to_owned());
    }
    match SourceFile::parse(text).errors().first() {
        None => Ok(()),
        Some(error) => Err(format!("no SQL: {error:?}")),
    }
}

fn value_of<'w>(words: &'w [String], flag: &str) -> Option<&'w str> {
    words.iter().enumerate().find_map(|(at, word)| {
        let rest = word.strip_prefix(flag)?;
        match rest.strip_prefix('=') {
            Some(value) => Some(value),
            None if rest.is_empty() => words.get(at + 1).map(String::as_str),
            None => None,
        }
    })
}

/// The words of one command as a shell takes them; a comment ends them.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            ' ' => words.extend(word.take()),
            '#' if word.is_none() => break,
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next() {
                        Some('\'') => break,
                        Some(inner) => word.push(inner),
                        None => return Err("an open quote".to_owned()),
                    }
                }
            }
            '$' if rest.peek() == Some(&'\'') => {
                let word = word.get_or_insert_default();
                rest.next();
                loop {
                    match rest.next() {
                        Some('\\') => word.extend(escaped(&mut rest)),
                        Some('\'') => break,
                        Some(inner) => word.push(inner),
                        None => return Err("an open quote".to_owned()),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(rest.next()),
            '"' | '$' | '`' | ';' | '&' | '|' | '<' | '>' | '(' | ')' | '*' | '?' | '[' | '{'
            | '~' => {
                return Err(format!("`{character}` is not quoted"));
            }
            character => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    Ok(words)
}

/// What a backslash and the characters after it stand for within `$'…'`.
fn escaped(rest: &mut impl Iterator<Item = char>) -> Option<char> {
    let kind = rest.next()?;
    let digits = match kind {
        'x' => 2,
        'U' => 8,
        other => return Some(other),
    };
    let digits: String = rest.take(digits).collect();
    char::from_u32(u32::from_str_radix(&digits, 16).ok()?)
}
