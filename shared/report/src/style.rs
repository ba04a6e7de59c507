//! Colors, and when to use them: the only module that names a color.

use std::ffi::OsStr;
use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};
use console::Term;

/// The value of `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    /// On a terminal, unless `NO_COLOR` is set or the terminal is dumb.
    #[default]
    Auto,
    /// Always, even into a file.
    Always,
    /// Never.
    Never,
}

impl Colour {
    /// Whether a stream gets colors. `no_color` and `term` are the environment variables `NO_COLOR` and `TERM`.
    ///
    /// `NO_COLOR` counts when it is set and not empty (<https://no-color.org>); an explicit `always` overrides it.
    pub fn applies(
        self,
        is_terminal: bool,
        no_color: Option<&OsStr>,
        term: Option<&OsStr>,
    ) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                is_terminal
                    && no_color.is_none_or(OsStr::is_empty)
                    && term.is_none_or(|term| term != "dumb")
            }
        }
    }
}

/// The properties of the process's streams for the reporters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terminal {
    /// Whether lines may be redrawn: stdout and stderr are both a terminal, and not a dumb one.
    ///
    /// If only one is a terminal, a pipe could write between the redrawn lines.
    pub live: bool,
    /// The width in columns; `None` if unlimited.
    pub width: Option<usize>,
    /// Colors of stdout.
    pub out: Palette,
    /// Colors of stderr.
    pub err: Palette,
}

impl Terminal {
    /// Determines them from the streams and the environment of this process.
    pub fn of_process(colour: Colour) -> Self {
        let no_color = std::env::var_os("NO_COLOR");
        let term = std::env::var_os("TERM");
        let palette = |is_terminal| {
            Palette::new(colour.applies(is_terminal, no_color.as_deref(), term.as_deref()))
        };
        let out_is_terminal = std::io::stdout().is_terminal();
        let err_is_terminal = std::io::stderr().is_terminal();
        let is_dumb = term.as_deref().is_some_and(|term| term == "dumb");
        let size = if out_is_terminal {
            Term::stdout().size_checked()
        } else {
            None
        };
        Self {
            live: out_is_terminal && err_is_terminal && !is_dumb,
            width: size.map(|(_rows, columns)| usize::from(columns)),
            out: palette(out_is_terminal),
            err: palette(err_is_terminal),
        }
    }
}

/// The role of a piece of text, which determines its color.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Ordinary text.
    Plain,
    /// Success.
    Good,
    /// Failure.
    Bad,
    /// A wait or a warning.
    Warning,
    /// Work in progress, or a pointer into a file.
    Accent,
    /// A heading or a command to copy.
    Strong,
    /// Less important than its surroundings.
    Quiet,
}

impl Role {
    const fn style(self) -> Style {
        let style = Style::new();
        match self {
            Self::Plain => style,
            Self::Good => style.fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green))),
            Self::Bad => style
                .fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)))
                .bold(),
            Self::Warning => style.fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow))),
            Self::Accent => style.fg_color(Some(anstyle::Color::Ansi(AnsiColor::Cyan))),
            Self::Strong => style.bold(),
            Self::Quiet => style.dimmed(),
        }
    }
}

/// The colors of one stream: all or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Palette {
    on: bool,
}

impl Palette {
    /// Enables or disables colors.
    pub const fn new(on: bool) -> Self {
        Self { on }
    }

    /// Whether colors are enabled.
    pub const fn is_on(self) -> bool {
        self.on
    }

    /// The escape sequence at the start of a text, if [`Self::paint`] or the help (4: underlined) could have written it.
    pub(super) fn color_at(self, text: &str) -> Option<&str> {
        let codes = text.strip_prefix("\u{1b}[").filter(|_| self.on)?;
        let (code, _) = codes.split_once('m')?;
        matches!(code, "0" | "1" | "2" | "4" | "31" | "32" | "33" | "36")
            .then(|| &text[..code.len() + 3])
    }

    /// The text in the color of its role.
    pub fn paint(self, role: Role, text: &str) -> String {
        if !self.on || role == Role::Plain || text.is_empty() {
            return text.to_owned();
        }
        let style = role.style();
        format!("{style}{text}{style:#}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_requires_a_terminal_and_no_objection() {
        let no = |value: &'static str| Some(OsStr::new(value));
        assert!(Colour::Auto.applies(true, None, no("xterm-256color")));
        assert!(Colour::Auto.applies(true, no(""), None));
        assert!(!Colour::Auto.applies(false, None, None));
        assert!(!Colour::Auto.applies(true, no("1"), None));
        assert!(!Colour::Auto.applies(true, None, no("dumb")));
    }

    #[test]
    fn an_explicit_choice_wins() {
        let set = Some(OsStr::new("1"));
        assert!(Colour::Always.applies(false, set, None));
        assert!(!Colour::Never.applies(true, None, None));
    }

    #[test]
    fn without_colours_text_stays_as_it_is() {
        assert_eq!(Palette::new(false).paint(Role::Bad, "failed"), "failed");
        assert_eq!(
            Palette::new(true).paint(Role::Good, "done"),
            "\u{1b}[32mdone\u{1b}[0m"
        );
        assert_eq!(Palette::new(true).paint(Role::Plain, "done"), "done");
    }
}
