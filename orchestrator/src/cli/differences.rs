//! Differences between schemas, as people read them.

use shared::domain::{ColumnOrder, SchemaDifference};
use shared::report::{Palette, Role};

/// Objects that are shown; the rest is counted.
const SHOWN: usize = 40;
/// Lines of one definition that are shown.
const LINES: usize = 12;

/// One block of lines for each object: what happened to it, and both definitions.
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
        for (label, definition) in [
            ("expected", &difference.expected),
            ("found", &difference.found),
        ] {
            if let Some(definition) = definition {
                text.push_str(&labelled(label, definition, palette));
            }
        }
    }
    if differences.len() > SHOWN {
        text.push_str(&format!(
            "  and {} more (all of them: --output json)\n",
            differences.len() - SHOWN
        ));
    }
    text
}

fn labelled(label: &str, definition: &str, palette: Palette) -> String {
    let mut text = String::new();
    let count = definition.lines().count();
    for (index, line) in definition.lines().take(LINES).enumerate() {
        let head = if index == 0 { label } else { "" };
        let head = palette.paint(Role::Quiet, &format!("{head:<8}"));
        text.push_str(&format!("           {head}  {}\n", visible(line)));
    }
    if count > LINES {
        let rest = format!("… {} more lines", count - LINES);
        text.push_str(&format!(
            "           {:8}  {}\n",
            "",
            palette.paint(Role::Quiet, &rest)
        ));
    }
    text
}

/// A definition comes from the database: it shall not steer the terminal.
fn visible(line: &str) -> String {
    line.chars()
        .map(|character| match character {
            '\t' => ' ',
            other if other.is_control() => '\u{fffd}',
            other => other,
        })
        .collect()
}

/// A line for each table whose columns stand in another order.
pub(super) fn column_orders(orders: &[ColumnOrder], palette: Palette) -> String {
    orders
        .iter()
        .map(|order| {
            let line = format!(
                "  columns of {} stand in another order: {} (expected {})\n",
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
    fn each_object_says_what_happened_to_it() {
        let difference = |expected: Option<&str>, found: Option<&str>| SchemaDifference {
            kind: "column".to_owned(),
            object: "public.users.email".to_owned(),
            expected: expected.map(str::to_owned),
            found: found.map(str::to_owned),
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
}
