//! The human output of schema differences.

use domain::{ColumnOrder, SchemaDifference};
use report::{Palette, Role};

/// The number of objects shown; the rest is counted.
const SHOWN: usize = 40;
/// The number of lines shown per definition.
const LINES: usize = 12;
/// Of two definitions with at least this many lines, only the lines that differ are shown.
const LONG: usize = 4;

/// One block per object: its change, and both definitions.
pub(super) fn differences(differences: &[SchemaDifference], palette: Palette) -> String {
    let mut text = String::new();
    for difference in differences.iter().take(SHOWN) {
        let (role, word) = match (&difference.expected, &difference.found) {
            (Some(_), None) => (Role::Bad, "missing"),
            (None, _) => (Role::Warning, "extra"),
            (Some(_), Some(_)) => (Role::Warning, "changed"),
        };
        text.push_str(&format!(
            "  {}  {} {}\n",
            palette.paint(role, &format!("{word:<7}")),
            difference.kind,
            palette.paint(Role::Strong, &difference.object)
        ));
        let (expected, found) = differing_lines(difference);
        text.push_str(&labelled("expected", &expected, palette));
        text.push_str(&labelled("found", &found, palette));
    }
    if differences.len() > SHOWN {
        text.push_str(&format!(
            "  and {} more (shown with --output json)\n",
            differences.len() - SHOWN
        ));
    }
    text
}

/// The lines of both definitions; of two long ones only the lines that differ.
fn differing_lines(difference: &SchemaDifference) -> (Vec<&str>, Vec<&str>) {
    let (expected, found) = (lines(&difference.expected), lines(&difference.found));
    if expected.len().min(found.len()) < LONG {
        return (expected, found);
    }
    let (missing, extra) = (only(&expected, &found), only(&found, &expected));
    // The same lines in another order: only the whole definitions show the difference.
    if missing.is_empty() && extra.is_empty() {
        return (expected, found);
    }
    (missing, extra)
}

fn lines(definition: &Option<String>) -> Vec<&str> {
    definition.iter().flat_map(|text| text.lines()).collect()
}

/// The lines that are not in the other definition.
fn only<'t>(own: &[&'t str], other: &[&str]) -> Vec<&'t str> {
    own.iter()
        .filter(|line| !other.contains(line))
        .copied()
        .collect()
}

fn labelled(label: &str, lines: &[&str], palette: Palette) -> String {
    let mut text = String::new();
    for (index, line) in lines.iter().take(LINES).enumerate() {
        let head = if index == 0 { label } else { "" };
        let head = palette.paint(Role::Quiet, &format!("{head:<8}"));
        text.push_str(&format!("           {head}  {}\n", visible(line)));
    }
    if lines.len() > LINES {
        let rest = format!("… {} more lines", lines.len() - LINES);
        text.push_str(&format!(
            "           {:8}  {}\n",
            "",
            palette.paint(Role::Quiet, &rest)
        ));
    }
    text
}

/// A definition comes from the database: it must not contain terminal control sequences.
fn visible(line: &str) -> String {
    line.chars()
        .map(|character| match character {
            '\t' => ' ',
            other if other.is_control() => '\u{fffd}',
            other => other,
        })
        .collect()
}

/// One line per table whose columns are in another order.
pub(super) fn column_orders(orders: &[ColumnOrder], palette: Palette) -> String {
    orders
        .iter()
        .map(|order| {
            let line = format!(
                "  columns of {} are in another order: {} (expected {})\n",
                order.table,
                order.found.join(", "),
                order.expected.join(", ")
            );
            palette.paint(Role::Quiet, &line)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_object_is_shown_with_its_change() {
        let difference = |expected: Option<&str>, found: Option<&str>| SchemaDifference {
            kind: "column".to_owned(),
            object: "public.users.email".to_owned(),
            expected: expected.map(str::to_owned),
            found: found.map(str::to_owned),
            facts: Vec::new(),
        };
        let all = [
            difference(Some("email text"), None),
            difference(None, Some("email text")),
            difference(Some("email text\nNOT NULL"), Some("email \u{1b}[31mtext")),
        ];
        insta::assert_snapshot!(differences(&all, Palette::new(false)), @r"
          missing  column public.users.email
                   expected  email text
          extra    column public.users.email
                   found     email text
          changed  column public.users.email
                   expected  email text
                             NOT NULL
                   found     email �[31mtext
        ");
    }

    #[test]
    fn of_two_long_definitions_only_the_lines_that_differ_are_shown() {
        let difference = SchemaDifference {
            kind: "table".to_owned(),
            object: "public.t".to_owned(),
            expected: Some("CREATE TABLE t (\n  a int,\n  b int\n)\n-- owner: a".to_owned()),
            found: Some("CREATE TABLE t (\n  a int,\n  b int\n)\n-- owner: b".to_owned()),
            facts: Vec::new(),
        };
        let text = differences(&[difference], Palette::new(false));
        insta::assert_snapshot!(text, @r"
          changed  table public.t
                   expected  -- owner: a
                   found     -- owner: b
        ");
    }
}
