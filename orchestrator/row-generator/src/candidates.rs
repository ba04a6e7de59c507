//! Values that may satisfy a check constraint.
//!
//! Guesses them from the constraint's text: the constants that it compares with, lengths, patterns. `search` tests
//! them.

use super::pattern::matching;
use super::types::{Typed, Types};
use super::values::{Want, within_quotes};

/// The constants in expressions.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Mentioned {
    pub texts: Vec<String>,
    pub numbers: Vec<String>,
}

impl Mentioned {
    /// Collects the constants of expressions that the server printed.
    pub fn of<'a>(expressions: impl IntoIterator<Item = &'a str>) -> Self {
        let mut mentioned = Self::default();
        for expression in expressions {
            mentioned.read(expression);
        }
        mentioned
    }

    fn read(&mut self, expression: &str) {
        let letters: Vec<char> = expression.chars().collect();
        let mut at = 0;
        while at < letters.len() {
            match letters[at] {
                '\'' => {
                    let escapes = at > 0 && letters[at - 1] == 'E';
                    let (text, after) = quoted(&letters, at + 1, '\'', escapes);
                    at = after;
                    self.text(&text);
                }
                '"' => at = quoted(&letters, at + 1, '"', false).1,
                letter if letter.is_ascii_digit() => {
                    let end = letters[at..]
                        .iter()
                        .position(|letter| !letter.is_ascii_digit() && *letter != '.')
                        .map_or(letters.len(), |length| at + length);
                    let number: String = letters[at..end].iter().collect();
                    self.number(&number);
                    at = end;
                }
                letter if letter.is_alphabetic() || letter == '_' => {
                    while at < letters.len()
                        && (letters[at].is_alphanumeric() || letters[at] == '_')
                    {
                        // The `E` of `E'…'` starts a string.
                        at += 1;
                    }
                }
                _ => at += 1,
            }
        }
    }

    fn text(&mut self, text: &str) {
        if text.parse::<f64>().is_ok() {
            self.number(text);
        }
        if let Some(elements) = text
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
            .filter(|elements| !elements.contains(':'))
        {
            for element in elements.split(',') {
                keep(&mut self.texts, element.trim_matches('"').to_owned());
            }
        }
        keep(&mut self.texts, text.to_owned());
    }

    fn number(&mut self, number: &str) {
        keep(&mut self.numbers, number.to_owned());
    }
}

/// The text up to the closing quote, and the position after it.
fn quoted(letters: &[char], mut at: usize, quote: char, escapes: bool) -> (String, usize) {
    let mut text = String::new();
    while at < letters.len() {
        if letters[at] == quote {
            if letters.get(at + 1) != Some(&quote) {
                return (text, at + 1);
            }
            at += 1;
        } else if escapes && letters[at] == '\\' {
            at += 1;
        }
        text.extend(letters.get(at));
        at += 1;
    }
    (text, at)
}

fn keep(list: &mut Vec<String>, value: String) {
    if !list.contains(&value) {
        list.push(value);
    }
}

/// Texts that constraints typically require.
const TYPICAL: [&str; 36] = [
    "a",
    "A",
    "ab",
    "AB",
    "abc",
    "ABC",
    "abcd",
    "ABCD",
    "a1",
    "A1",
    "AB-1",
    "AB-001",
    "abc-def",
    "abc_def",
    "ABC_DEF",
    "abc.def",
    "1",
    "12",
    "123",
    "123456",
    "1.0",
    "1.0.0",
    "v1.0.0",
    "+12025550123",
    "a@example.com",
    "https://example.com/a",
    "example.com",
    "192.0.2.1",
    "2024-01-02",
    "10:20",
    "en",
    "en-US",
    "USD",
    "#a1b2c3",
    "/a/b",
    "{}",
];

/// The longest text that is generated because of a number in a constraint.
const LONGEST: usize = 1_000;

impl Types {
    /// The candidate values, likeliest first.
    pub fn candidates(&self, typed: Typed, column: &str, mentioned: &Mentioned) -> Vec<String> {
        let typed = if self.known(typed.oid).is_some() {
            typed
        } else {
            self.base(typed)
        };
        let usual = |range: std::ops::Range<usize>| {
            range.filter_map(move |ordinal| {
                self.value(Want {
                    typed,
                    column,
                    ordinal,
                    demanding: false,
                })
            })
        };
        let mut all = Vec::new();
        for value in usual(0..4) {
            keep(&mut all, value);
        }
        for value in self.fitting(typed, mentioned) {
            keep(&mut all, value);
        }
        for value in usual(4..12) {
            keep(&mut all, value);
        }
        for label in self.labels(typed.oid) {
            keep(&mut all, label.clone());
        }
        all
    }

    /// Candidates derived from the constants.
    fn fitting(&self, typed: Typed, mentioned: &Mentioned) -> Vec<String> {
        let Some(found) = self.get(typed.oid) else {
            return Vec::new();
        };
        if found.array {
            return self.arrays(found.element, mentioned);
        }
        match found.name.as_str() {
            "text" | "citext" | "varchar" | "bpchar" | "name" => texts(typed, mentioned),
            "int2" | "int4" | "int8" | "numeric" | "float4" | "float8" | "money" | "oid" => {
                numbers(
                    mentioned,
                    found.name.starts_with("int") || found.name == "oid",
                )
            }
            "json" | "jsonb" => documents(mentioned),
            "bool" => vec!["true".to_owned(), "false".to_owned()],
            "date" | "timestamp" | "timestamptz" => {
                let mut dates = datelike(mentioned);
                dates.extend(
                    ["2099-01-01", "2098-12-31", "1970-01-01", "1999-12-31"].map(str::to_owned),
                );
                dates
            }
            "time" | "timetz" => {
                let mut times = datelike(mentioned);
                times.extend(["00:00:00", "12:00:00", "23:00:00"].map(str::to_owned));
                times
            }
            "interval" => {
                let mut lengths = datelike(mentioned);
                lengths.extend(["1 hour", "1 second", "0", "1 year"].map(str::to_owned));
                lengths
            }
            "inet" | "cidr" | "uuid" | "bytea" | "bit" | "varbit" => mentioned.texts.clone(),
            _ => Vec::new(),
        }
    }

    fn arrays(&self, element: u32, mentioned: &Mentioned) -> Vec<String> {
        let one = |ordinal| {
            let typed = Typed {
                oid: element,
                typmod: -1,
            };
            self.value(Want {
                typed,
                column: "",
                ordinal,
                demanding: false,
            })
            .map(|value| within_quotes(&value))
        };
        let mut arrays = Vec::new();
        for text in &mentioned.texts {
            arrays.push(format!("{{{}}}", within_quotes(text)));
        }
        for number in mentioned
            .numbers
            .iter()
            .filter_map(|number| number.parse::<usize>().ok())
        {
            for length in number.saturating_sub(1)..=number + 1 {
                if length <= 20 {
                    let elements: Option<Vec<_>> = (0..length).map(one).collect();
                    arrays.extend(elements.map(|elements| format!("{{{}}}", elements.join(","))));
                }
            }
        }
        arrays.push("{}".to_owned());
        arrays
    }
}

fn is_pattern(text: &str) -> bool {
    text.contains(['^', '$', '[', '\\', '(', '+', '*', '.'])
}

fn texts(typed: Typed, mentioned: &Mentioned) -> Vec<String> {
    let room = match usize::try_from(typed.typmod - 4) {
        Ok(room) if typed.typmod >= 4 => room,
        _ => LONGEST,
    };
    let mut all = Vec::new();
    for text in &mentioned.texts {
        keep(&mut all, text.clone());
        if text.contains(['%', '_']) {
            keep(&mut all, text.replace('%', "x").replace('_', "y"));
            keep(&mut all, text.replace('%', "").replace('_', "z"));
        }
        if is_pattern(text) {
            for ordinal in 0..4 {
                keep(&mut all, matching(text, ordinal));
            }
        }
    }
    for number in mentioned
        .numbers
        .iter()
        .filter_map(|number| number.parse::<usize>().ok())
    {
        for length in number.saturating_sub(1)..=number + 1 {
            if length <= LONGEST {
                for letter in ["a", "B", "1"] {
                    keep(&mut all, letter.repeat(length));
                }
            }
        }
        keep(&mut all, number.to_string());
    }
    for text in TYPICAL {
        keep(&mut all, text.to_owned());
    }
    for text in &mentioned.texts {
        if is_pattern(text) {
            for ordinal in 4..130 {
                keep(&mut all, matching(text, ordinal));
            }
        }
    }
    all.retain(|text| text.chars().count() <= room);
    all
}

fn numbers(mentioned: &Mentioned, whole: bool) -> Vec<String> {
    let mut all = Vec::new();
    for number in &mentioned.numbers {
        if let Ok(number) = number.parse::<i64>() {
            for near in [
                Some(number),
                number.checked_add(1),
                number.checked_sub(1),
                number.checked_neg(),
            ]
            .into_iter()
            .flatten()
            {
                keep(&mut all, near.to_string());
            }
        } else if let Ok(value) = number.parse::<f64>()
            && !whole
        {
            keep(&mut all, number.clone());
            for near in [value + 1.0, value - 1.0, -value] {
                keep(&mut all, near.to_string());
            }
        }
    }
    let more: &[&str] = if whole {
        &["0", "10", "50", "100", "1000", "-1"]
    } else {
        &["0", "0.5", "0.25", "10", "50", "100", "1000", "-1", "-0.5"]
    };
    for number in more {
        keep(&mut all, (*number).to_owned());
    }
    all
}

fn documents(mentioned: &Mentioned) -> Vec<String> {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let keys: Vec<&String> = mentioned.texts.iter().collect();
    let mut all = Vec::new();
    for value in ["\"value\"", "1", "[]", "{}", "true"] {
        let fields: Vec<String> = keys
            .iter()
            .map(|key| format!("{}: {value}", text(key)))
            .collect();
        all.push(format!("{{{}}}", fields.join(", ")));
    }
    for key in keys {
        all.push(format!("[{}]", text(key)));
        all.push(text(key));
    }
    all.extend(["[]", "[1]", "{}", "\"value\"", "1", "true", "null"].map(str::to_owned));
    all
}

/// The texts that look like a date, a time or an interval.
fn datelike(mentioned: &Mentioned) -> Vec<String> {
    mentioned
        .texts
        .iter()
        .filter(|text| text.starts_with(|first: char| first.is_ascii_digit()))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Mentioned;

    #[test]
    fn the_constants_of_an_expression_are_found() {
        let mentioned = Mentioned::of([
            "((status)::text = ANY ((ARRAY['it''s'::character varying, 'b'::character varying])::text[]))",
            "((\"a 7\" > 10.5) AND (v2 <= 3) AND x = ANY ('{p,\"q\"}'::text[]) AND y ~ E'^\\\\d$'::text)",
        ]);
        assert_eq!(
            mentioned.texts,
            ["it's", "b", "p", "q", "{p,\"q\"}", "^\\d$"]
        );
        assert_eq!(mentioned.numbers, ["10.5", "3"]);
    }
}
