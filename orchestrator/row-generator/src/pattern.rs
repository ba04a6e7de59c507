//! Generates texts that match a regular expression.
//!
//! Supports what constraints use: literals, classes, groups, alternatives, repetitions. Unsupported syntax (lookaround,
//! back references) yields texts that do not match, which the server rejects.

/// A text that matches the pattern; different for each `ordinal` if the pattern allows it.
pub(super) fn matching(pattern: &str, ordinal: usize) -> String {
    let mut reader = Reader {
        letters: pattern.chars().collect(),
        at: 0,
        ordinal,
        chosen: 0,
    };
    reader.alternatives()
}

struct Reader {
    letters: Vec<char>,
    at: usize,
    ordinal: usize,
    /// How many characters were chosen so far.
    chosen: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.peek();
        self.at += 1;
        letter
    }

    fn eat(&mut self, letter: char) -> bool {
        let there = self.peek() == Some(letter);
        if there {
            self.at += 1;
        }
        there
    }

    fn alternatives(&mut self) -> String {
        let mut all = vec![self.sequence()];
        while self.eat('|') {
            all.push(self.sequence());
        }
        all.swap_remove(self.ordinal % all.len())
    }

    fn sequence(&mut self) -> String {
        let mut text = String::new();
        while let Some(letter) = self.peek() {
            if matches!(letter, '|' | ')') {
                break;
            }
            let start = self.at;
            let one = self.atom();
            let after = self.at;
            let (least, most) = self.repetition();
            // More than the minimum only if the minimum is small, so that length limits elsewhere hold.
            let times = if least == 0 { most.min(1) } else { least };
            for round in 0..times {
                if round == 0 {
                    text.push_str(&one);
                    continue;
                }
                let end = self.at;
                self.at = start;
                self.ordinal += round;
                let again = self.atom();
                self.ordinal -= round;
                debug_assert_eq!(self.at, after);
                self.at = end;
                text.push_str(&again);
            }
        }
        text
    }

    fn atom(&mut self) -> String {
        match self.next() {
            None | Some('^' | '$') => String::new(),
            Some('.') => self.one_of(&plain()),
            Some('[') => {
                let class = self.class();
                self.one_of(&class)
            }
            Some('(') => {
                if self.eat('?') {
                    // Skips `?:` and the prefixes of lookaround.
                    while self
                        .peek()
                        .is_some_and(|letter| matches!(letter, ':' | '=' | '!' | '<'))
                    {
                        self.at += 1;
                    }
                }
                let inner = self.alternatives();
                self.eat(')');
                inner
            }
            Some('\\') => {
                let escaped = self.next();
                match escaped.map(class_of) {
                    None => String::new(),
                    Some(class) if class.is_empty() => String::new(),
                    Some(class) => self.one_of(&class),
                }
            }
            Some(letter) => letter.to_string(),
        }
    }

    /// The minimum and maximum number of repetitions.
    fn repetition(&mut self) -> (usize, usize) {
        let bounds = match self.peek() {
            Some('*') => (0, usize::MAX),
            Some('+') => (1, usize::MAX),
            Some('?') => (0, 1),
            Some('{') => return self.counted(),
            _ => return (1, 1),
        };
        self.at += 1;
        self.eat('?');
        bounds
    }

    fn counted(&mut self) -> (usize, usize) {
        self.at += 1;
        let least = self.number().unwrap_or(0);
        let most = if self.eat(',') {
            self.number().unwrap_or(usize::MAX)
        } else {
            least
        };
        self.eat('}');
        // Constraints rarely require more.
        (least.min(1_000), most)
    }

    fn number(&mut self) -> Option<usize> {
        let mut digits = String::new();
        while let Some(digit) = self.peek().filter(char::is_ascii_digit) {
            digits.push(digit);
            self.at += 1;
        }
        digits.parse().ok()
    }

    fn class(&mut self) -> Vec<char> {
        let excluded = self.eat('^');
        let mut class: Vec<char> = Vec::new();
        let mut first = true;
        while let Some(letter) = self.next() {
            match letter {
                ']' if !first => break,
                '[' if self.peek() == Some(':') => {
                    let name: String = self.letters[self.at + 1..]
                        .iter()
                        .take_while(|letter| **letter != ':')
                        .collect();
                    self.at += name.len() + 3;
                    class.extend(named(&name));
                }
                '\\' => class.extend(self.next().map(class_of).unwrap_or_default()),
                _ if self.peek() == Some('-')
                    && self
                        .letters
                        .get(self.at + 1)
                        .is_some_and(|last| *last != ']') =>
                {
                    self.at += 1;
                    let last = self.next().unwrap_or(letter);
                    class.extend((letter..=last).take(200));
                }
                _ => class.push(letter),
            }
            first = false;
        }
        if excluded {
            plain()
                .into_iter()
                .filter(|letter| !class.contains(letter))
                .collect()
        } else {
            class
        }
    }

    fn one_of(&mut self, class: &[char]) -> String {
        // Beyond the alphabet, texts with the same start get different ends.
        let place = self.ordinal + self.ordinal / 26 * self.chosen;
        self.chosen += 1;
        class
            .get(place % class.len().max(1))
            .map(char::to_string)
            .unwrap_or_default()
    }
}

fn plain() -> Vec<char> {
    ('a'..='z').chain('A'..='Z').chain('0'..='9').collect()
}

fn named(name: &str) -> Vec<char> {
    match name {
        "digit" | "xdigit" => ('0'..='9').collect(),
        "upper" => ('A'..='Z').collect(),
        "lower" | "alpha" => ('a'..='z').collect(),
        "space" | "blank" => vec![' '],
        "punct" => vec!['-', '.'],
        _ => plain(),
    }
}

/// The characters that an escape matches; none for a position such as `\b`.
fn class_of(letter: char) -> Vec<char> {
    match letter {
        'd' => ('0'..='9').collect(),
        'w' => plain(),
        's' => vec![' '],
        'D' | 'S' | 'W' => named(if letter == 'W' { "punct" } else { "lower" }),
        'A' | 'Z' | 'b' | 'B' | 'm' | 'M' | 'y' | 'Y' => Vec::new(),
        't' => vec!['\t'],
        'n' => vec!['\n'],
        other => vec![other],
    }
}

#[cfg(test)]
mod tests {
    use super::matching;

    #[test]
    fn texts_match_their_pattern() {
        assert_eq!(matching("^[A-Z]{2}-[0-9]{3}$", 0), "AB-012");
        assert_eq!(matching("^[A-Z]{2}-[0-9]{3}$", 3), "DE-345");
        assert_eq!(matching("^(low|high)$", 1), "high");
        assert_eq!(matching(r"^\d+(\.\d{2})?$", 0), "0.01");
        assert_eq!(matching("^[^@]+@[a-z0-9.-]+\\.[a-z]{2,}$", 0), "a@a.ab");
        assert_eq!(matching("^[[:upper:]_]+x*$", 1), "Bx");
        assert_eq!(matching("^(?:a|b)?c$", 0), "ac");
        assert_eq!(matching("^#[0-9a-f]{6}$", 0), "#012345");
    }

    #[test]
    fn invalid_patterns_also_yield_a_text() {
        for pattern in [
            "[", "(", "\\", "a{", "[]", "[[:", "((((", ")", "{3", "[z-a]", "",
        ] {
            let _text = matching(pattern, 1);
        }
    }
}
