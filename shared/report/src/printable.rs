//! The form in which text may be printed, from wherever it comes: files, servers, names, the environment.
//!
//! Nothing that is printed can steer the terminal, reorder what is read, command the CI that shows the log, or show a secret.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::OnceLock;

use crate::output;
use crate::output::Stream;
use domain::mask_secrets;

use super::style::{Palette, Terminal};
use super::text::{REPLACEMENT, is_hidden};

/// The streams of this process, once its arguments are read.
static TERMINAL: OnceLock<Terminal> = OnceLock::new();

/// Begins: colors are let through where `terminal` has them.
pub fn start(terminal: Terminal) {
    // A second start in one process (tests) keeps the first.
    let _ = TERMINAL.set(terminal);
}

fn terminal() -> Terminal {
    TERMINAL.get().copied().unwrap_or_default()
}

/// Writes human text to standard output, as news of a run.
pub fn write_out(text: &str) {
    write(output::stdout(), &printable(text, terminal().out));
}

/// Writes human text to standard error.
pub fn write_err(text: &str) {
    write(output::stderr(), &printable(text, terminal().err));
}

fn write(mut stream: Stream, text: &str) {
    // Queueing cannot fail.
    let _ = stream.write_all(text.as_bytes());
}

/// Prints human text on standard output, as the result of a command.
pub fn print_result(text: &str) {
    output::print_result(&printable(text, terminal().out));
}

/// Human text as it may be printed: secrets masked, no control character but the colors of a palette that is on, and no line that
/// a CI takes for a command of its own.
pub fn printable(text: &str, palette: Palette) -> String {
    let masked = mask_secrets(text);
    let mut safe = String::with_capacity(masked.len());
    for line in masked.split_inclusive('\n') {
        let mut rest = line;
        while let Some(character) = rest.chars().next() {
            if let Some(color) = palette.color_at(rest) {
                safe.push_str(color);
                rest = &rest[color.len()..];
                continue;
            }
            rest = &rest[character.len_utf8()..];
            match character {
                '\n' | '\t' => safe.push(character),
                '\r' => {}
                other if is_hidden(other) => safe.push(REPLACEMENT),
                other => safe.push(other),
            }
        }
    }
    without_ci_commands(&safe)
}

/// GitHub obeys `::command::` at the beginning of a line and `##[command]` anywhere, Azure `##vso[`, TeamCity `##teamcity[`: a
/// blank makes them text.
fn without_ci_commands(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let begun = line.trim_start();
        let (blanks, mut rest) = line.split_at(line.len() - begun.len());
        safe.push_str(blanks);
        if let Some(command) = rest.strip_prefix("::")
            && command.contains("::")
        {
            safe.push_str(": :");
            rest = command;
        }
        while let Some(at) = rest.find("##") {
            let (before, after) = rest.split_at(at + 2);
            safe.push_str(before);
            if after
                .trim_start_matches(|c: char| c.is_ascii_alphanumeric())
                .starts_with('[')
            {
                safe.push(' ');
            }
            rest = after;
        }
        safe.push_str(rest);
    }
    safe
}

/// JSON as it may be printed: the same values, with escapes for what a terminal or a CI would obey, and secrets masked.
pub fn printable_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(start) = rest.find('"') {
        let (before, string) = rest.split_at(start);
        let (string, after) = string.split_at(string_length(string));
        safe.push_str(before);
        let mut hash = false;
        for character in masked(string).chars() {
            if is_hidden(character) || (hash && character == '#') {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    safe.push_str(&format!("\\u{unit:04x}"));
                }
            } else {
                safe.push(character);
            }
            hash = character == '#';
        }
        rest = after;
    }
    safe.push_str(rest);
    safe
}

/// The length of the JSON string at the beginning, with its quotes.
fn string_length(json: &str) -> usize {
    let mut escaped = false;
    for (index, byte) in json.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    json.len()
}

fn masked(string: &str) -> Cow<'_, str> {
    let Ok(value) = serde_json::from_str::<String>(string) else {
        return Cow::Borrowed(string);
    };
    match mask_secrets(&value) {
        Cow::Borrowed(_) => Cow::Borrowed(string),
        Cow::Owned(masked) => {
            serde_json::to_string(&masked).map_or(Cow::Borrowed("\"***\""), Cow::Owned)
        }
    }
}

/// Standard error for the lines of the log, each of which comes in one write.
#[derive(Debug)]
pub struct Log {
    stream: Stream,
    is_json: bool,
}

impl Log {
    /// With lines of text, or of JSON.
    pub fn new(is_json: bool) -> Self {
        Self {
            stream: output::stderr(),
            is_json,
        }
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let text = if self.is_json {
            printable_json(&text)
        } else {
            printable(&text, terminal().err)
        };
        self.stream.write_all(text.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::super::style::Role;
    use super::*;

    #[test]
    fn only_the_colors_of_the_palette_remain() {
        let on = Palette::new(true);
        let text = format!(
            "{} \u{1b}[8m\u{1b}]0;x\u{7}\u{202e}\u{9b}2J\r\n",
            on.paint(Role::Bad, "a")
        );
        let bad = "\u{1b}[1m\u{1b}[31ma\u{1b}[0m";
        let rest = "\u{fffd}[8m\u{fffd}]0;x\u{fffd}\u{fffd}\u{fffd}2J\n";
        assert_eq!(printable(&text, on), format!("{bad} {rest}"));
        let plain = printable(&text, Palette::default());
        assert!(!plain.contains('\u{1b}'), "{plain:?}");
    }

    #[test]
    fn a_line_is_no_command_for_a_ci() {
        let shown = |text| printable(text, Palette::default());
        assert_eq!(shown("a\n  ::error file=x::y"), "a\n  : :error file=x::y");
        assert_eq!(
            shown("a ##[add-mask]b ##vso[x]"),
            "a ## [add-mask]b ## vso[x]"
        );
        assert_eq!(shown("\r::stop-commands::x"), ": :stop-commands::x");
        assert_eq!(
            shown("SELECT '1'\n  ::int ## a"),
            "SELECT '1'\n  ::int ## a"
        );
    }

    #[test]
    fn json_keeps_its_values() {
        let value =
            serde_json::json!({"a": "\u{202e}\u{85}\u{1b}##[x] \\\"", "b\u{e0001}": [1, "c"]});
        let printed = printable_json(&value.to_string());
        assert!(printed.is_ascii() && !printed.contains("##"), "{printed}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&printed).unwrap(),
            value
        );
        assert_eq!(
            printable_json(r#"{"q":"ALTER ROLE a PASSWORD 'x\"y'","n":"'"}"#),
            r#"{"q":"ALTER ROLE a PASSWORD '***'","n":"'"}"#
        );
    }
}
