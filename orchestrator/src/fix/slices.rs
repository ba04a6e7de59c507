//! Splits a file into its statements without losing the text between them.
//!
//! Responsible for assigning comments to statements. Not for the effects of a statement. Pure.

use pg_sql::comments;

use lint::Step;

/// A file split into its statements.
pub(super) struct Slices<'a> {
    /// The comments about the file as a whole, including directives.
    pub(super) header: &'a str,
    /// The statements, in order.
    pub(super) statements: Vec<Slice<'a>>,
    /// The text after the last statement.
    pub(super) rest: &'a str,
}

/// A statement with the text that belongs to it.
pub(super) struct Slice<'a> {
    /// The comments and blanks before it.
    pub(super) lead: &'a str,
    /// The statement, without its semicolon.
    pub(super) sql: &'a str,
    /// Its semicolon and the rest of its line.
    pub(super) tail: &'a str,
}

impl<'a> Slices<'a> {
    /// Splits a text at its statements.
    pub(super) fn of(text: &'a str, steps: &[Step]) -> Self {
        let mut statements = Vec::new();
        let mut at = 0;
        for (index, step) in steps.iter().enumerate() {
            let limit = steps
                .get(index + 1)
                .map_or(text.len(), |next| next.range.start);
            let end = end_of_line(text, step.range.end, limit);
            statements.push(Slice {
                lead: &text[at..step.range.start],
                sql: &text[step.range.clone()],
                tail: &text[step.range.end..end],
            });
            at = end;
        }
        let mut slices = Self {
            header: "",
            statements,
            rest: &text[at..],
        };
        match slices.statements.first_mut() {
            None => slices.header = std::mem::take(&mut slices.rest),
            Some(first) => (slices.header, first.lead) = first.lead.split_at(head(first.lead)),
        }
        slices
    }
}

/// The end of a file's header: its last blank line, but after all directives, and never within a comment.
fn head(lead: &str) -> usize {
    let blank_lines = lead.match_indices("\n\n").map(|(at, _)| at + 2);
    let end = blank_lines
        .filter(|end| !is_within_comment(lead, *end))
        .last()
        .unwrap_or(0);
    if end == 0 || lead[end..].contains("migration:") {
        lead.len()
    } else {
        end
    }
}

/// Whether an offset is within a `/* … */`, in a text of blanks and comments only.
fn is_within_comment(text: &str, place: usize) -> bool {
    comments(text).iter().any(|comment| {
        let end = comment.offset + comment.text.len();
        comment.offset < place && place < end
    })
}

/// The offset after the semicolon of a statement that ends at `from`, and after a comment on the same line.
fn end_of_line(text: &str, from: usize, limit: usize) -> usize {
    let between = &text[from..limit];
    let Some(semicolon) = semicolon(between) else {
        return from;
    };
    let behind = semicolon + 1;
    let mut newlines = between[behind..].match_indices('\n');
    match newlines.find(|(at, _)| !is_within_comment(&between[behind..], *at)) {
        Some((newline, _)) => from + behind + newline + 1,
        None => from + behind,
    }
}

/// The offset of the semicolon after a statement, which may follow a comment.
fn semicolon(between: &str) -> Option<usize> {
    let mut places = between.match_indices(';').map(|(at, _)| at);
    places.find(|at| !is_within_comment(between, *at))
}

impl Slice<'_> {
    /// The slice with its statement replaced.
    pub(super) fn with(&self, sql: &str) -> String {
        let tail = if self.tail.is_empty() {
            ";\n"
        } else {
            self.tail
        };
        format!("{}{sql}{tail}", self.lead)
    }

    /// Its comments, in the form in which they precede it in another file.
    pub(super) fn comments(&self) -> String {
        let blank = self.lead.len() - self.lead.trim_start().len();
        let line = self.lead[..blank].rfind('\n').map_or(0, |at| at + 1);
        let mut comments = self.lead[line..].to_owned();
        let behind = semicolon(self.tail).map_or("", |at| self.tail[at + 1..].trim());
        if !behind.is_empty() {
            comments.push_str(&format!("{behind}\n"));
        }
        comments
    }
}

#[cfg(test)]
mod tests {
    use domain::{Direction, ServiceName, Version};
    use engine::source::migration_of;

    use super::Slices;
    use lint::{LintedFile, steps};

    fn parts(text: &str) -> (String, Vec<(String, String, String)>, String) {
        let path = "V1__x.sql".to_owned();
        let migration = migration_of(Version::new(1), "x", (path, text.to_owned()), None).unwrap();
        let service = domain::Service {
            name: "policy".parse::<ServiceName>().unwrap(),
            database: "policy".to_owned(),
            depends_on: Vec::new(),
            history_table: None,
            legacy_table: None,
            description: None,
            owner: None,
            path: String::new(),
            migrations: vec![migration],
        };
        let migration = &service.migrations[0];
        let file = LintedFile::read(migration, Direction::Up).unwrap();
        let steps = steps(&file);
        let slices = Slices::of(text, &steps);
        let statements = slices.statements.iter().map(|slice| {
            (
                slice.lead.to_owned(),
                slice.sql.to_owned(),
                slice.tail.to_owned(),
            )
        });
        (
            slices.header.to_owned(),
            statements.collect(),
            slices.rest.to_owned(),
        )
    }

    #[test]
    fn no_text_is_lost_and_comments_stay_with_their_statements() {
        let text = "-- migration: lock-timeout 2s\n-- Why.\n\n-- One.\nSELECT 1; -- first\n\n-- Two.\nSELECT 2\n;\n-- End.\n";
        let (header, statements, rest) = parts(text);
        assert_eq!(header, "-- migration: lock-timeout 2s\n-- Why.\n\n");
        assert_eq!(statements[0].0, "-- One.\n");
        assert_eq!(statements[0].2, "; -- first\n");
        assert_eq!(statements[1].0, "\n-- Two.\n");
        assert_eq!(rest, "-- End.\n");
        let mut whole = header;
        for (lead, sql, tail) in statements {
            whole.push_str(&(lead + &sql + &tail));
        }
        assert_eq!(whole + &rest, text);
    }

    #[test]
    fn a_header_without_a_blank_line_is_all_header() {
        let (header, statements, _) = parts("-- Why.\nSELECT 1;");
        assert_eq!(header, "-- Why.\n");
        assert_eq!(statements[0].0, "");
    }

    #[test]
    fn comments_are_not_split() {
        let text = "/* Head.\n\n   Why; because. */\nSELECT 1 /* a;\n b */; /* one\n\n two */\n\n/* x\n\n y */\nSELECT 2;\n";
        let (header, statements, rest) = parts(text);
        assert_eq!(header, "/* Head.\n\n   Why; because. */\n");
        assert_eq!(statements[0].2, " /* a;\n b */; /* one\n\n two */\n");
        assert_eq!(statements[1].0, "\n/* x\n\n y */\n");
        assert_eq!(rest, "");
    }

    #[test]
    fn directives_are_never_a_statement_s_comment() {
        let (header, ..) = parts("-- Why.\n\n-- migration: lock-timeout 2s\nSELECT 1;\n");
        assert_eq!(header, "-- Why.\n\n-- migration: lock-timeout 2s\n");
    }
}
