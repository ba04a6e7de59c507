//! The human output of `check --fix`: the changed files, and the locks that got weaker or shorter.

use domain::{called, suggest};
use report::units::count;
use report::{Palette, Role, clean};

use super::lines::unrehearsed;
use crate::check::Unrehearsed;
use crate::fix::{FileChange, Fixed, Outcome};

pub(super) fn human(
    fixed: &[Fixed],
    failed: &[Unrehearsed],
    dry_run: bool,
    palette: Palette,
) -> String {
    let mut text = String::new();
    let (mut proven, mut others) = (0, 0);
    for one in fixed {
        let (word, role, why) = match &one.outcome {
            Outcome::Proven { .. } if dry_run => ("would rewrite", Role::Good, None),
            Outcome::Proven { .. } => ("rewritten", Role::Good, None),
            Outcome::Refused { why } => ("refused", Role::Bad, Some(why)),
            Outcome::NotProven { why } => ("not proven", Role::Warning, Some(why)),
            Outcome::NoForm => ("no safe form", Role::Warning, None),
        };
        let word = palette.paint(role, word);
        text.push_str(&format!("{word}  {}\n", clean(&one.file)));
        if let Some(why) = why {
            text.push_str(&format!("  {}\n", clean(why)));
        }
        if let Outcome::Proven { changes, gains } = &one.outcome {
            proven += 1;
            for gain in gains {
                let relation = gain.relation.strip_prefix("public.");
                let relation = clean(relation.unwrap_or(&gain.relation));
                text.push_str(&format!(
                    "  {relation}: {} -> {}\n",
                    gain.before, gain.after
                ));
            }
            for change in changes {
                text.push_str(&of_file(change, dry_run, palette));
            }
        } else {
            others += 1;
        }
        for left in &one.left {
            text.push_str(&format!(
                "  line {} is unchanged: {}\n",
                left.line, left.why
            ));
        }
    }
    text.push_str(&unrehearsed(failed, palette));
    text.push_str(&sums(proven, others, dry_run));
    text
}

fn of_file(change: &FileChange, dry_run: bool, palette: Palette) -> String {
    let path = change.path.display().to_string();
    let path = clean(&path);
    let word = if change.before.is_none() {
        "new"
    } else {
        "changed"
    };
    let mut text = format!("  {word:7}  {path}\n");
    if dry_run {
        let before = change.before.as_deref().unwrap_or_default();
        for line in difference(before, &change.after) {
            let line = match line {
                Line::Kept(line) => format!("      {}", clean(line)),
                Line::Gone(line) => palette.paint(Role::Bad, &format!("    - {}", clean(line))),
                Line::Comes(line) => palette.paint(Role::Good, &format!("    + {}", clean(line))),
            };
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}

fn sums(proven: usize, others: usize, dry_run: bool) -> String {
    if proven + others == 0 {
        return "nothing to rewrite\n".to_owned();
    }
    let verb = if dry_run {
        "can be rewritten"
    } else {
        "rewritten and proven"
    };
    let mut text = format!("{} {verb}", count(proven, "migration"));
    if others > 0 {
        text.push_str(&format!(", {others} unchanged"));
    }
    text.push('\n');
    if proven > 0 && dry_run {
        text.push_str(&format!("next: {}\n", called().without_flag("--dry-run")));
    } else if proven > 0 {
        text.push_str(&format!(
            "next: {}   # review the files first\n",
            suggest(["check"])
        ));
    }
    text
}

/// The most pairs of lines that are compared; of larger files all lines are shown.
const MOST_PAIRS: usize = 4_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line<'a> {
    Kept(&'a str),
    Gone(&'a str),
    Comes(&'a str),
}

/// A line diff of two texts.
fn difference<'a>(before: &'a str, after: &'a str) -> Vec<Line<'a>> {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    if old.len().saturating_mul(new.len()) > MOST_PAIRS {
        let gone = old.into_iter().map(Line::Gone);
        return gone.chain(new.into_iter().map(Line::Comes)).collect();
    }
    // The length of the longest common subsequence from each pair of lines on.
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = match old[i] == new[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push(Line::Kept(old[i]));
            i += 1;
            j += 1;
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push(Line::Gone(old[i]));
            i += 1;
        } else {
            lines.push(Line::Comes(new[j]));
            j += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::Line::{Comes, Gone, Kept};
    use super::difference;

    #[test]
    fn common_lines_are_shown_once() {
        assert_eq!(
            difference("a\nb\nc\n", "a\nx\nc\nd\n"),
            [Kept("a"), Gone("b"), Comes("x"), Kept("c"), Comes("d")]
        );
        assert_eq!(difference("", "a\n"), [Comes("a")]);
        assert_eq!(difference("a\n", ""), [Gone("a")]);
    }
}
