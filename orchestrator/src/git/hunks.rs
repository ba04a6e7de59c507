//! Parses the new lines from a diff without context.

use std::ops::RangeInclusive;

/// The lines of the new file that a `diff -U0` reports.
pub(super) fn new_lines(diff: &str) -> Vec<RangeInclusive<u32>> {
    diff.lines()
        .filter_map(|line| line.strip_prefix("@@ "))
        .filter_map(|header| header.split_once('+')?.1.split(' ').next())
        .filter_map(|range| {
            let (start, length) = range.split_once(',').unwrap_or((range, "1"));
            let (start, length): (u32, u32) = (start.parse().ok()?, length.parse().ok()?);
            (length > 0).then(|| start..=start.saturating_add(length - 1))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::new_lines;

    #[test]
    fn only_lines_of_the_new_file_count() {
        let diff = "--- a/x\n+++ b/x\n@@ -1 +1,3 @@\n-a\n+b\n+@@ -9 +9 @@\n+c\n@@ -7,2 +8,0 @@ text\n-d\n-e\n@@ -20 +12 @@\n+f\n";
        assert_eq!(new_lines(diff), [1..=3, 12..=12]);
    }
}
