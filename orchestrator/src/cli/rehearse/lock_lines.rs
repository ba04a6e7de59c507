//! The human output of the locks that a rehearsal observed.

use rehearsal::SeenLock;
use report::{Palette, Role, clean};

/// The locks that block applications; with `all` also the others.
pub(super) fn locks(locks: &[SeenLock], verbose: bool, palette: Palette) -> String {
    let shown: Vec<&SeenLock> = locks
        .iter()
        .filter(|lock| verbose || lock.blocks.is_some())
        .collect();
    let width = |of: &dyn Fn(&SeenLock) -> usize| shown.iter().map(|lock| of(lock)).max();
    let relations = width(&|lock| name(lock).chars().count()).unwrap_or(0);
    let modes = width(&|lock| lock.mode.len()).unwrap_or(0);
    let lines = shown.iter().map(|lock| {
        let line = format!(
            "  locks {:relations$}  {:modes$}  {}",
            name(lock),
            lock.mode,
            what(lock)
        );
        format!("{}\n", line.trim_end())
    });
    palette.paint(Role::Quiet, &lines.collect::<String>())
}

/// The schema `public` is omitted.
fn name(lock: &SeenLock) -> String {
    let short = lock.relation.strip_prefix("public.");
    clean(short.unwrap_or(&lock.relation))
}

fn what(lock: &SeenLock) -> String {
    let mut effects = Vec::new();
    if let Some(blocks) = &lock.blocks {
        effects.push(format!("{blocks} for {}", time(lock.held_us)));
    }
    effects.extend(lock.rewritten.then(|| "rewritten".to_owned()));
    effects.extend(lock.emptied.then(|| "emptied".to_owned()));
    effects.extend(lock.scanned.then(|| "all rows read".to_owned()));
    effects.join(", ")
}

fn time(micros: u64) -> String {
    format!("{} ms", micros.div_ceil(1_000).max(1))
}

#[cfg(test)]
mod tests {
    use rehearsal::SeenLock;
    use report::Palette;

    use super::locks;

    fn lock(relation: &str, mode: &str, blocks: Option<&str>) -> SeenLock {
        SeenLock {
            relation: relation.to_owned(),
            mode: mode.to_owned(),
            line: 1,
            held_us: 40_200,
            blocks: blocks.map(str::to_owned),
            rewritten: false,
            emptied: false,
            scanned: blocks.is_some(),
        }
    }

    #[test]
    fn harmless_locks_are_shown_only_on_request() {
        let seen = [
            lock("public.controls", "ShareLock", Some("blocks writes")),
            lock("audit.log", "AccessShareLock", None),
        ];
        assert_eq!(
            locks(&seen, false, Palette::default()),
            "  locks controls  ShareLock  blocks writes for 41 ms, all rows read\n"
        );
        assert_eq!(
            locks(&seen, true, Palette::default()),
            "  locks controls   ShareLock        blocks writes for 41 ms, all rows read\n  \
             locks audit.log  AccessShareLock\n"
        );
        assert_eq!(locks(&seen[1..], false, Palette::default()), "");
    }
}
