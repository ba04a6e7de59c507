//! Whatever goes wrong with a dump: there is no manifest, hence no backup, and the run does not begin.

use std::fs;
use std::path::PathBuf;

use nix::sys::signal::Signal;
use serde_json::Value;
use tests::{ClientPrograms, Outcome, Program, Server, Services, wait_until};

use crate::backup::{assert_files_are_true, backups, last, manifest, shop};

/// `pg_dump`'s words for finding the file that it writes.
const FIND_FILE: &str = "for it; do [ \"$before\" = --file ] && file=$it; before=$it; done";

/// A platform with something pending in one of two databases.
struct Shop {
    server: Server,
    _services: Services,
    orchestrator: Program,
    before: String,
}

impl Shop {
    fn open() -> Self {
        let (server, services) = (Server::start(), shop());
        let orchestrator = Program::orchestrator(&server).services(&services);
        orchestrator.expect(&["all"], 0);
        services
            .service("two", &["one"])
            .migration(2, "c", "DROP TABLE b;\n");
        Self {
            before: server.everything("db_two"),
            server,
            _services: services,
            orchestrator,
        }
    }

    /// A run with a backup fails, and so does a backup alone: nothing is begun, and nothing stays behind.
    #[track_caller]
    fn fails(&self, arguments: &[&str], code: i32, words: &str, next: &str) -> Vec<Value> {
        let mut failures = Vec::new();
        for command in [["all", "--backup"].as_slice(), &["backup", "two"]] {
            let all = [command, arguments, &["--output", "json"]].concat();
            let outcome = self.orchestrator.expect(&all, code);
            let failure = self.assert_nothing_begun(&outcome);
            let message = failure["message"].as_str().expect("words");
            assert!(message.contains(words), "{message}");
            let advice = failure["next"].as_str().expect("advice");
            assert!(advice.contains(next), "{advice}");
            assert_eq!(failure["exit_code"], code);
            failures.push(failure);
        }
        failures
    }

    #[track_caller]
    fn assert_nothing_begun(&self, outcome: &Outcome) -> Value {
        let end = last(outcome);
        assert_eq!(end["exit_code"], outcome.code, "{end}");
        assert_eq!(end["applied"], 0, "{end}");
        assert!(end["backup"].is_null(), "{end}");
        for kind in ["migration_started", "backup_taken"] {
            assert!(outcome.events_of(kind).is_empty(), "{}", outcome.stdout);
        }
        assert_eq!(backups(&self.orchestrator), Vec::<PathBuf>::new());
        assert_eq!(self.server.everything("db_two"), self.before);
        let failed = outcome.events_of("service_failed");
        assert_eq!(failed.len(), 1, "{}", outcome.stdout);
        failed[0].clone()
    }

    /// With a `pg_dump` of a script's.
    #[track_caller]
    fn fails_with_script(&self, script: &str, words: &str, next: &str) {
        let programs =
            ClientPrograms::of(&self.server).script("pg_dump", &format!("{FIND_FILE}\n{script}"));
        self.fails(&["--pg-bin", programs.argument()], 1, words, next);
    }
}

#[test]
fn without_a_pg_dump() {
    let shop = Shop::open();
    let programs = ClientPrograms::of(&shop.server).without("pg_dump");
    let arguments = ["--pg-bin", programs.argument()];
    shop.fails(&arguments, 2, "pg_dump not found in", "--pg-bin");
    let programs = ClientPrograms::of(&shop.server).without("pg_restore");
    let arguments = ["--pg-bin", programs.argument()];
    shop.fails(&arguments, 2, "pg_restore not found in", "--pg-bin");
}

#[test]
fn with_a_pg_dump_that_is_older_than_the_server() {
    let shop = Shop::open();
    let old = "#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n";
    let programs = ClientPrograms::of(&shop.server).replace("pg_dump", old);
    let arguments = ["--pg-bin", programs.argument()];
    shop.fails(&arguments, 2, "9.6.24 is older than the server", "or newer");
}

#[test]
fn into_a_folder_that_cannot_be_written() {
    let shop = Shop::open();
    let file = tempfile::NamedTempFile::new().expect("a file");
    let inside = file.path().join("backups");
    let arguments = ["--backup-folder", inside.to_str().expect("a path")];
    shop.fails(&arguments, 2, "cannot write a backup to", "--backup-folder");
}

#[test]
fn without_the_right_to_read_a_table() {
    let shop = Shop::open();
    shop.server.query(
        "db_two",
        "CREATE ROLE clerk LOGIN PASSWORD 'clerk'; CREATE TABLE secret (id int); \
         GRANT USAGE ON SCHEMA orchestrator TO clerk; GRANT SELECT ON ALL TABLES IN SCHEMA public, orchestrator TO clerk; \
         REVOKE ALL ON secret FROM clerk",
    );
    let url = shop.server.url_as("clerk", "clerk", "db_two");
    let outcome = shop.orchestrator.expect(
        &["backup", "two", "--database-url", &url, "--output", "json"],
        3,
    );
    let failure = &outcome.events_of("service_failed")[0];
    let message = failure["message"].as_str().expect("words");
    assert!(
        message.contains("permission denied for table secret"),
        "{message}"
    );
    assert!(
        failure["next"]
            .as_str()
            .expect("advice")
            .contains("pg_read_all_data"),
        "{failure}"
    );
    assert!(backups(&shop.orchestrator).is_empty());
}

#[test]
fn on_a_disk_that_is_full() {
    let shop = Shop::open();
    // The file is /dev/full: the words are those of a full disk.
    shop.fails_with_script(
        "for it; do shift; [ \"$it\" = \"$file\" ] && it=/dev/full; set -- \"$@\" \"$it\"; done; exec \"$REAL\" \"$@\"",
        "No space left on device",
        "free disk space",
    );
    shop.fails_with_script(
        "trap '' XFSZ; ulimit -f 2; exec \"$REAL\" \"$@\"",
        "File too large",
        "free disk space",
    );
}

#[test]
fn with_a_pg_dump_that_is_killed() {
    let shop = Shop::open();
    shop.fails_with_script(
        "\"$REAL\" \"$@\"; kill -9 $$",
        "it ended with signal: 9",
        "fix the error of pg_dump",
    );
}

#[test]
fn with_a_dump_that_is_truncated_or_empty() {
    let shop = Shop::open();
    for size in ["0", "100", "3000"] {
        shop.fails_with_script(
            &format!("\"$REAL\" \"$@\" && truncate -s {size} \"$file\""),
            "is invalid",
            "if it fails again",
        );
    }
}

#[test]
fn with_a_dump_that_lacks_a_table() {
    let shop = Shop::open();
    shop.fails_with_script(
        "exec \"$REAL\" --exclude-table-data=public.b \"$@\"",
        "it lacks the rows of 1 table, public.b first",
        "if it fails again",
    );
}

#[test]
fn corrupted_rows_are_found_by_restoring_and_not_by_the_list() {
    let shop = Shop::open();
    let corrupt = format!(
        "{FIND_FILE}\n\"$REAL\" \"$@\" || exit\nsize=$(stat -c %s \"$file\")\n\
         printf '0123456789abcdef0123456789abcdef' | dd of=\"$file\" bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null"
    );
    let programs = ClientPrograms::of(&shop.server).script("pg_dump", &corrupt);
    let arguments = ["--pg-bin", programs.argument(), "--verify", "restore"];
    shop.fails(
        &arguments,
        1,
        "is invalid: pg_restore failed",
        "if it fails again",
    );
    assert_eq!(
        shop.server.databases(),
        ["db_one", "db_two"],
        "no scratch database stays"
    );
    let listed = ["backup", "two", "--pg-bin", programs.argument()];
    shop.orchestrator.expect(&listed, 0);
}

#[test]
fn rows_that_a_dump_lost_are_found_by_restoring() {
    let shop = Shop::open();
    let psql = shop.server.program("psql");
    // Restored, a table is one row short.
    let lossy = format!(
        "for it; do case $it in --dbname=*) database=${{it#*=}};; esac; done\n\
         \"$REAL\" \"$@\"; ended=$?\n\
         [ -z \"$database\" ] || {} -qXd \"$database\" -c 'DELETE FROM b WHERE id = 7'\n\
         exit $ended",
        psql.display()
    );
    let programs = ClientPrograms::of(&shop.server).script("pg_restore", &lossy);
    let arguments = ["--pg-bin", programs.argument(), "--verify", "restore"];
    let words = "public.b has 999 rows instead of 1000";
    shop.fails(&arguments, 1, words, "if it fails again");
}

#[test]
fn with_a_manifest_that_cannot_be_written() {
    let shop = Shop::open();
    // The last that is done before the manifest.
    let programs = ClientPrograms::of(&shop.server).script(
        "pg_restore",
        "\"$REAL\" \"$@\" || exit\nfor file; do :; done\nmkdir \"$(dirname \"$file\")/manifest.json.unfinished\"",
    );
    let arguments = ["--pg-bin", programs.argument()];
    shop.fails(&arguments, 1, "manifest.json", "free disk space");
}

#[test]
fn with_a_connection_that_is_cut() {
    let shop = Shop::open();
    for command in [["all", "--backup"].as_slice(), &["backup", "two"]] {
        let holder = shop.server.session("db_two");
        holder.run("BEGIN; LOCK TABLE b");
        let running = shop.orchestrator.watch(command);
        running.wait_for_event("backup_blocked");
        shop.server.query(
            "postgres",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'orchestrator backup%'",
        );
        let outcome = running.end();
        assert_eq!(outcome.code, 5, "{}", outcome.stdout);
        drop(holder);
        shop.assert_nothing_begun(&outcome);
    }
}

#[test]
fn sigkill_while_it_dumps_leaves_no_manifest_and_the_next_backup_clears_up() {
    let shop = Shop::open();
    let gate = "\"$REAL\" \"$@\" || exit; touch \"$HERE/written\"; while [ ! -e \"$HERE/go\" ]; do sleep 0.02; done";
    let programs = ClientPrograms::of(&shop.server).script("pg_dump", gate);
    let running = shop
        .orchestrator
        .watch(&["all", "--backup", "--pg-bin", programs.argument()]);
    wait_until("the dump is written", || {
        programs.path().join("written").exists()
    });
    running.signal(Signal::SIGKILL);
    let outcome = running.end();
    assert_eq!(outcome.code, -1);
    let left = backups(&shop.orchestrator);
    assert_eq!(left.len(), 1);
    assert!(!left[0].join("manifest.json").exists());
    assert_eq!(shop.server.everything("db_two"), shop.before);

    // Its pg_dump is still at work there.
    shop.orchestrator.expect(&["backup", "one"], 0);
    assert!(left[0].exists(), "nobody removes what a process works on");
    fs::write(programs.path().join("go"), "").expect("a file");
    wait_until("the folder is cleared up once it has ended", || {
        shop.orchestrator
            .expect(&["backup", "one", "--keep", "1"], 0);
        !left[0].exists()
    });
    shop.orchestrator.expect(&["all", "--backup"], 0);
    assert_eq!(shop.server.applied("db_two"), [1, 2]);
}

#[test]
fn sigkill_at_any_moment_leaves_the_old_or_the_new_and_true_manifests() {
    let shop = Shop::open();
    for moment in [5, 40, 80, 120, 160, 200, 240, 280, 320, 400] {
        let running = shop.orchestrator.watch(&["all", "--backup"]);
        std::thread::sleep(std::time::Duration::from_millis(moment));
        running.signal(Signal::SIGKILL);
        running.end();
        let applied = shop.server.applied("db_two");
        assert!(applied == [1] || applied == [1, 2], "{applied:?}");
        let whole: Vec<PathBuf> = backups(&shop.orchestrator)
            .into_iter()
            .filter(|backup| backup.join("manifest.json").exists())
            .collect();
        for backup in &whole {
            assert_files_are_true(backup, &manifest(backup));
        }
        if applied == [1, 2] {
            assert!(!whole.is_empty(), "what changed was dumped before");
            return;
        }
        assert_eq!(shop.server.everything("db_two"), shop.before);
    }
    shop.orchestrator.expect(&["all", "--backup"], 0);
    assert_eq!(shop.server.applied("db_two"), [1, 2]);
}
