//! What is not restored, and that nothing is touched then.

use std::fs;

use backup::{DumpFormat, Manifest};
use tests::Outcome;

use crate::restore::world::{DATABASE, World};

/// What it says, wherever it says it.
fn words(outcome: &Outcome) -> String {
    format!("{}{}", outcome.stdout, outcome.stderr)
}

/// Refused, for a reason, and nothing was done.
#[track_caller]
fn assert_refused(world: &World, reason: &str) {
    for further in [&[][..], &["--dry-run"], &["--terminate"]] {
        let refused = world.orchestrator.expect(&world.restore(further), 3);
        let said = words(&refused);
        assert!(said.contains(reason), "{said}");
        assert!(said.contains("next: "), "{said}");
        world.assert_untouched();
    }
}

fn edit(world: &World, change: impl Fn(&mut Manifest)) {
    let mut manifest = Manifest::read(&world.manifest).expect("a manifest");
    change(&mut manifest);
    manifest
        .write(world.manifest.parent().expect("a folder"))
        .expect("written");
}

#[test]
fn a_file_that_is_shorter_than_it_was() {
    let world = World::new();
    let dump = world.manifest.with_file_name("one.dump");
    let whole = fs::read(&dump).expect("a dump");
    for kept in [0, 1, whole.len() / 2, whole.len() - 1] {
        fs::write(&dump, &whole[..kept]).expect("written");
        let refused = world.orchestrator.expect(&world.restore(&[]), 3);
        let said = words(&refused);
        assert!(
            said.contains(&format!("has {kept} bytes instead of {}", whole.len())),
            "{said}"
        );
    }
    world.assert_untouched();
    assert_refused(&world, "one.dump");
}

#[test]
fn a_file_of_which_one_bit_differs() {
    let world = World::new();
    let dump = world.manifest.with_file_name("one.dump");
    let mut bytes = fs::read(&dump).expect("a dump");
    let at = bytes.len() * 9 / 10;
    bytes[at] ^= 1;
    fs::write(&dump, bytes).expect("written");
    assert_refused(&world, "its SHA-256 differs");
}

#[test]
fn a_file_that_is_gone() {
    let mut world = World::new();
    world.manifest = world.back_up("second", &["one"], DumpFormat::Directory);
    let folder = world.manifest.with_file_name("one");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("a folder")
        .map(|it| it.expect("a file").path())
        .collect();
    files.sort();
    fs::remove_file(&files[0]).expect("removed");
    assert_refused(&world, "No such file");
}

#[test]
fn a_dump_that_is_not_among_the_files_with_sums_or_is_elsewhere() {
    let mut world = World::new();
    let elsewhere = tempfile::tempdir().expect("a folder");
    let other = elsewhere.path().join("other.dump");
    fs::copy(world.manifest.with_file_name("one.dump"), &other).expect("a copy");
    let beside = world.manifest.with_file_name("beside.dump");
    fs::copy(&other, &beside).expect("a copy");
    let restore = |world: &World| words(&world.orchestrator.expect(&world.restore(&[]), 3));

    edit(&world, |manifest| {
        "beside.dump".clone_into(&mut manifest.services[0].path)
    });
    let said = restore(&world);
    assert!(
        said.contains("beside.dump is not listed in the manifest"),
        "{said}"
    );
    // A link to another place, of the same content.
    fs::remove_file(&beside).expect("removed");
    std::os::unix::fs::symlink(&other, &beside).expect("a link");
    edit(&world, |manifest| {
        "beside.dump".clone_into(&mut manifest.services[0].files[0].path)
    });
    let said = restore(&world);
    assert!(
        said.contains("is outside of the manifest's directory"),
        "{said}"
    );
    edit(&world, |manifest| {
        other
            .to_str()
            .expect("a path")
            .clone_into(&mut manifest.services[0].path);
    });
    let said = restore(&world);
    assert!(
        said.contains("is outside of the manifest's directory"),
        "{said}"
    );

    // A folder with a file that has no sum.
    world.manifest = world.back_up("second", &["one"], DumpFormat::Directory);
    let folder = world.manifest.with_file_name("one");
    fs::write(folder.join("9999.dat.gz"), "").expect("a file");
    assert_refused(&world, "9999.dat.gz is not listed in the manifest");
}

#[test]
fn a_manifest_that_was_cut_off() {
    let world = World::new();
    let text = fs::read_to_string(&world.manifest).expect("a manifest");
    fs::write(&world.manifest, &text[..text.len() / 2]).expect("written");
    assert_refused(&world, "not a backup manifest");
    let folder = world.backups.path().to_str().expect("a path");
    let latest = [
        "restore",
        "one",
        "--from",
        "latest",
        "--backup-folder",
        folder,
    ];
    world.orchestrator.expect(&latest, 3);
    world.assert_untouched();
}

#[test]
fn a_dump_that_pg_restore_cannot_read() {
    let world = World::new();
    let dump = world.manifest.with_file_name("one.dump");
    fs::write(&dump, "no dump at all").expect("written");
    let sum = std::process::Command::new("sha256sum")
        .arg(&dump)
        .output()
        .expect("sha256sum runs");
    let sum = String::from_utf8_lossy(&sum.stdout)[..64].to_owned();
    edit(&world, |manifest| {
        manifest.services[0].files[0].bytes = 14;
        manifest.services[0].files[0].sha256.clone_from(&sum);
    });
    assert_refused(&world, "pg_restore cannot read it");
}

#[test]
fn a_backup_of_a_newer_server() {
    let world = World::new();
    edit(&world, |manifest| {
        "99.1".clone_into(&mut manifest.services[0].server_version)
    });
    assert_refused(&world, "the server is older");
}

#[test]
fn a_dump_that_no_pg_restore_here_can_read_is_no_matter_of_the_backup() {
    let world = World::new();
    edit(&world, |manifest| {
        "99.1".clone_into(&mut manifest.services[0].pg_dump_version)
    });
    let refused = world.orchestrator.expect(&world.restore(&[]), 2);
    assert!(
        words(&refused).contains("is older than the server (99)"),
        "{}",
        words(&refused)
    );
    world.assert_untouched();
}

#[test]
fn a_history_that_is_not_the_manifests() {
    let world = World::new();
    edit(&world, |manifest| manifest.services[0].applied = 7);
    let failed = world.orchestrator.expect(&world.restore(&[]), 1);
    let said = words(&failed);
    assert!(
        said.contains("its history has 2 migrations up to 2 instead of 7 migrations up to 2"),
        "{said}"
    );
    world.assert_untouched();
}

#[test]
fn rows_that_are_not_the_manifests() {
    let world = World::new();
    edit(&world, |manifest| {
        manifest.services[0].rows = Some([("public.t".to_owned(), 501)].into());
    });
    let failed = world.orchestrator.expect(&world.restore(&[]), 1);
    assert!(
        words(&failed).contains("public.t has 500 rows (expected 501)"),
        "{}",
        words(&failed)
    );
    world.assert_untouched();
    edit(&world, |manifest| {
        manifest.services[0].rows = Some([("\"public\".\"t\"".to_owned(), 500)].into());
    });
    world.orchestrator.expect(&world.restore(&[]), 0);
    world.assert_restored();
}

#[test]
fn a_role_that_the_server_lacks() {
    let mut world = World::new();
    world
        .server
        .query(DATABASE, "CREATE ROLE gone; GRANT SELECT ON t TO gone");
    world.manifest = world.back_up("second", &["one"], DumpFormat::Custom);
    world
        .server
        .query(DATABASE, "REVOKE SELECT ON t FROM gone; DROP ROLE gone");
    let failed = world.orchestrator.expect(&world.restore(&[]), 1);
    let said = words(&failed);
    assert!(said.contains("role \"gone\" does not exist"), "{said}");
    world.assert_untouched();
}

#[test]
fn prepared_transactions_are_named() {
    let world = World::new();
    world
        .server
        .session(DATABASE)
        .run("BEGIN; CREATE TABLE x (); PREPARE TRANSACTION 'transfer'");
    for further in [&[][..], &["--terminate"]] {
        let refused = world.orchestrator.expect(&world.restore(further), 3);
        let said = words(&refused);
        assert!(
            said.contains("1 prepared transaction in db_one would be lost: 'transfer'"),
            "{said}"
        );
    }
    world.server.query(DATABASE, "ROLLBACK PREPARED 'transfer'");
    world.assert_untouched();
}

#[test]
fn one_damaged_backup_holds_all_back() {
    let world = World::new();
    for name in ["two", "three"] {
        world
            .services
            .service(name, &[])
            .migration(1, "a", "CREATE TABLE a (id int);\n");
    }
    world.orchestrator.expect(&["all"], 0);
    let manifest = world.back_up("all", &["one", "two", "three"], DumpFormat::Custom);
    fs::write(manifest.with_file_name("two.dump"), "").expect("written");
    let before = world.server.databases();
    let manifest = manifest.to_str().expect("a path");
    let refused = world.orchestrator.expect(
        &["restore", "all", "--from", manifest, "--output", "json"],
        3,
    );
    let outcomes: Vec<String> = refused
        .events_of("service_finished")
        .iter()
        .map(|event| format!("{} {}", event["service"], event["outcome"]).replace('"', ""))
        .collect();
    assert_eq!(outcomes, ["two refused", "one skipped", "three skipped"]);
    assert_eq!(world.server.databases(), before);
}

#[test]
fn what_is_meant_must_be_clear() {
    let world = World::new();
    let manifest = world.manifest.to_str().expect("a path");
    let empty = tempfile::tempdir().expect("a folder");
    let empty = empty.path().to_str().expect("a path");
    world
        .services
        .service("two", &[])
        .migration(1, "a", "CREATE TABLE a (id int);\n");
    for (arguments, words) in [
        (&["restore", "one"][..], "--from"),
        (&["restore", "--from", manifest], "SERVICE"),
        (
            &["restore", "two", "--from", manifest],
            "the backup does not include two",
        ),
        (&["restore", "one", "--from", "/nowhere"], "/nowhere"),
        (
            &[
                "restore",
                "one",
                "--from",
                "latest",
                "--backup-folder",
                empty,
            ],
            "no backup of one",
        ),
        (
            &[
                "restore",
                "all",
                "--from",
                "latest",
                "--backup-folder",
                empty,
            ],
            "no backup of any",
        ),
        (
            &["restore", "none", "--from", manifest],
            "unknown service `none`",
        ),
    ] {
        let refused = world.orchestrator.expect(arguments, 2);
        assert!(
            refused.stderr.contains(words),
            "{arguments:?}: {}",
            refused.stderr
        );
    }
    world.services.service_with(
        "three",
        &[],
        "database = \"db_one\"\nhistory_table = \"three_history\"\n",
    );
    let refused = world.orchestrator.expect(&world.restore(&[]), 2);
    assert!(
        refused.stderr.contains("include three"),
        "{}",
        refused.stderr
    );
    world.assert_untouched();
}

#[test]
fn production_is_asked() {
    let world = World::new();
    let refused = world
        .orchestrator
        .expect(&world.restore(&["--environment", "production"]), 3);
    let said = words(&refused);
    assert!(said.contains("without anything written since"), "{said}");
    world.assert_untouched();
    world
        .orchestrator
        .expect(&world.restore(&["--environment", "production", "--yes"]), 0);
    world.assert_restored();
    let drop = [
        "restore",
        "one",
        "--drop-old",
        "--environment",
        "production",
    ];
    world.orchestrator.expect(&drop, 3);
    assert_eq!(world.beside().len(), 1);
    world
        .orchestrator
        .expect(&[&drop[..], &["--yes"]].concat(), 0);
}

#[test]
fn what_others_require_is_named() {
    let world = World::new();
    world.services.service("two", &["one"]).migration(
        1,
        "a",
        "-- migration: requires one@3\nCREATE TABLE a (id int);\n",
    );
    world.orchestrator.expect(&["all"], 0);
    let dry = world
        .orchestrator
        .expect(&world.restore(&["--dry-run", "--output", "json"]), 0);
    let warnings = dry.events_of("restore_warning");
    assert_eq!(
        warnings[0]["message"],
        "one@3 is lost, but the applied two@1 requires it"
    );
    let restored = world.orchestrator.expect(&world.restore(&[]), 0);
    assert!(
        restored.stdout.contains("two@1 requires it"),
        "{}",
        restored.stdout
    );
}

#[test]
fn an_edited_migration_is_named() {
    let world = World::new();
    world
        .services
        .service("one", &[])
        .file("migrations/V1__tables.sql", "CREATE TABLE t (id int);\n");
    let restored = world
        .orchestrator
        .expect(&world.restore(&["--output", "json"]), 0);
    let warnings = restored.events_of("restore_warning");
    assert_eq!(
        warnings[0]["message"],
        "1 tables is divergent after the restore"
    );
    world.assert_restored();
}

#[test]
fn a_backup_being_removed_is_ignored_and_one_being_read_is_kept() {
    let world = World::new();
    let lock = fs::File::create(world.manifest.with_file_name("lock")).expect("a file");
    lock.lock().expect("locked");
    let refused = world.orchestrator.expect(&world.restore(&[]), 3);
    assert!(
        words(&refused).contains("is being written or removed"),
        "{}",
        words(&refused)
    );
    world.assert_untouched();
    drop(lock);

    let (slow, gate) = world.slow_backup();
    let lock =
        fs::File::create(std::path::Path::new(&slow).with_file_name("lock")).expect("a file");
    let restore = world
        .orchestrator
        .watch(&["restore", "one", "--from", &slow]);
    world.wait_for_filling();
    assert!(lock.try_lock().is_err());
    drop(gate);
    assert_eq!(restore.end().code, 0);
    assert!(lock.try_lock().is_ok());
}

#[test]
fn what_is_in_no_dump_is_named_beforehand() {
    let world = World::on(tests::Server::with(&[("wal_level", "logical")]), "");
    world.server.query(
        DATABASE,
        "SELECT pg_create_logical_replication_slot('feed', 'pgoutput')",
    );
    world.server.query(
        DATABASE,
        "CREATE SUBSCRIPTION news CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false)",
    );
    let dry = world.orchestrator.expect(&world.restore(&["--dry-run"]), 0);
    for what in ["logical replication slot feed", "subscription news"] {
        assert!(dry.stdout.contains(what), "{}", dry.stdout);
    }
    world.orchestrator.expect(&world.restore(&[]), 0);
    world.assert_restored();
}
