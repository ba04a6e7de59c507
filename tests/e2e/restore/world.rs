//! A database with all that belongs to one, a backup of it, and what was done to it since.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use backup::{
    DatabaseProperties, DumpFile, DumpFormat, Head, Manifest, RoleSetting, SCHEMA, ServiceBackup,
};
use domain::Version;
use tests::{Program, Server, Services, Session, wait_until};
use time::OffsetDateTime;

/// A server with a service `one`, whose backup was taken at version 2, and which is at version 3 with other rows by now.
pub struct World {
    pub server: Server,
    pub services: Services,
    pub orchestrator: Program,
    pub backups: tempfile::TempDir,
    /// The manifest.
    pub manifest: PathBuf,
    /// What pg_dump knew of the database when the backup was taken, without what the engine keeps there.
    pub then: String,
    /// The same as it is now.
    pub now: String,
}

pub const DATABASE: &str = "db_one";

impl World {
    pub fn new() -> Self {
        Self::on(Server::with(&[("max_prepared_transactions", "5")]), "")
    }

    /// With a database that was created with these options.
    pub fn on(server: Server, options: &str) -> Self {
        let services = Services::new();
        services
            .service("one", &[])
            .reversible(
                1,
                "tables",
                "CREATE TABLE t (id int PRIMARY KEY, note text);\nINSERT INTO t SELECT g, 'row ' || g FROM generate_series(1, 500) g;\n\
                 CREATE VIEW v AS SELECT count(*) FROM t;\n",
                "DROP VIEW v;\nDROP TABLE t;\n",
            )
            .reversible(
                2,
                "more",
                "CREATE TYPE mood AS ENUM ('good', 'bad');\nALTER TABLE t ADD COLUMN mood mood DEFAULT 'good';\nCREATE INDEX t_note ON t (note);\n\
                 CREATE SEQUENCE s START 7;\nSELECT nextval('s');\n",
                "DROP SEQUENCE s;\nALTER TABLE t DROP COLUMN mood;\nDROP TYPE mood;\n",
            );
        let orchestrator = Program::orchestrator(&server).services(&services);
        server.query("postgres", &format!("CREATE DATABASE {DATABASE} {options}"));
        orchestrator.expect(&["all"], 0);
        let backups = tempfile::tempdir().expect("a folder");
        let mut world = Self {
            orchestrator,
            services,
            manifest: PathBuf::new(),
            backups,
            then: String::new(),
            now: String::new(),
            server,
        };
        world.manifest = world.back_up("first", &["one"], DumpFormat::Custom);
        world.then = world.server.contents(DATABASE);
        world.move_on();
        world
    }

    /// What a day brings: rows, a migration, and rows that go.
    fn move_on(&mut self) {
        self.services.service("one", &[]).reversible(
            3,
            "since",
            "CREATE TABLE since (id int);\nINSERT INTO since VALUES (1);\n",
            "DROP TABLE since;\n",
        );
        self.orchestrator.expect(&["all"], 0);
        self.server.query(
            DATABASE,
            "DELETE FROM t WHERE id > 400; UPDATE t SET mood = 'bad' WHERE id < 10; INSERT INTO t VALUES (1000, 'new')",
        );
        self.now = self.server.contents(DATABASE);
    }

    /// The arguments of a restore.
    pub fn restore<'a>(&'a self, further: &[&'a str]) -> Vec<&'a str> {
        let manifest = self.manifest.to_str().expect("a path");
        let mut arguments = vec!["restore", "one", "--from", manifest];
        arguments.extend(further);
        arguments
    }

    /// Backs services up, and gives the manifest.
    pub fn back_up(&self, name: &str, services: &[&str], format: DumpFormat) -> PathBuf {
        let folder = self.backups.path().join(name);
        back_up(&self.server, &folder, services, format)
    }

    /// The databases that stand beside the live one.
    pub fn beside(&self) -> Vec<String> {
        let mut databases = self.server.databases();
        databases.retain(|name| name.starts_with(&format!("{DATABASE}_")));
        databases
    }

    #[track_caller]
    pub fn assert_restored(&self) {
        assert_eq!(self.server.contents(DATABASE), self.then);
        assert_eq!(self.server.applied(DATABASE), [1, 2]);
    }

    #[track_caller]
    pub fn assert_untouched(&self) {
        assert_eq!(self.server.contents(DATABASE), self.now);
        assert_eq!(self.server.applied(DATABASE), [1, 2, 3]);
        assert_eq!(self.beside(), Vec::<String>::new());
    }
}

/// Backs up the databases `db_<service>`, as `backup` does.
pub fn back_up(server: &Server, folder: &Path, services: &[&str], format: DumpFormat) -> PathBuf {
    fs::create_dir_all(folder).expect("a folder");
    let started_at = OffsetDateTime::now_utc();
    let manifest = Manifest {
        schema: SCHEMA,
        backup: folder
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned(),
        run_id: None,
        started_at,
        services: services
            .iter()
            .map(|service| one(server, folder, service, format))
            .collect(),
        finished_at: OffsetDateTime::now_utc(),
        program_version: "0.1.0".to_owned(),
    };
    manifest.write(folder).expect("a manifest")
}

/// What the server's clock says.
fn server_time(server: &Server) -> OffsetDateTime {
    let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8";
    let microseconds: i128 = server.value("postgres", sql).parse().expect("a number");
    OffsetDateTime::from_unix_timestamp_nanos(microseconds * 1000).expect("a time")
}

fn one(server: &Server, folder: &Path, service: &str, format: DumpFormat) -> ServiceBackup {
    let database = format!("db_{service}");
    let path = match format {
        DumpFormat::Custom => format!("{service}.dump"),
        DumpFormat::Directory => service.to_owned(),
    };
    let dumped = Command::new(server.program("pg_dump"))
        .arg(format!(
            "--format={}",
            if format == DumpFormat::Custom {
                "c"
            } else {
                "d"
            }
        ))
        .arg("--file")
        .arg(folder.join(&path))
        .arg("--dbname")
        .arg(server.url(&database))
        .status()
        .expect("pg_dump runs");
    assert!(dumped.success());
    let version = Command::new(server.program("pg_dump"))
        .arg("--version")
        .output()
        .expect("pg_dump runs");
    let version = String::from_utf8_lossy(&version.stdout);
    let applied = server.query(
        &database,
        "SELECT version, name FROM refinery_schema_history ORDER BY version",
    );
    ServiceBackup {
        service: service.parse().expect("a name"),
        server: "127.0.0.1".to_owned(),
        server_version: server
            .value("postgres", "SHOW server_version")
            .split(' ')
            .next()
            .unwrap_or_default()
            .to_owned(),
        pg_dump_version: version
            .split_whitespace()
            .nth(2)
            .expect("a version")
            .to_owned(),
        format,
        files: files(folder, &path),
        path,
        taken_at: Some(server_time(server)),
        duration_ms: 1,
        database_bytes: server
            .value(&database, "SELECT pg_database_size(current_database())")
            .parse()
            .expect("a number"),
        history_table: "refinery_schema_history".to_owned(),
        head: applied.last().map(|row| Head {
            version: Version::new(row[0].parse().expect("a version")),
            name: row[1].clone(),
        }),
        applied: applied.len(),
        properties: properties(server, &database),
        rows: None,
        database,
    }
}

fn files(folder: &Path, path: &str) -> Vec<DumpFile> {
    let place = folder.join(path);
    if place.is_dir() {
        let mut found = Vec::new();
        for entry in fs::read_dir(&place).expect("a folder") {
            let name = entry.expect("a file").file_name();
            found.extend(files(folder, &format!("{path}/{}", name.to_string_lossy())));
        }
        return found;
    }
    let sum = Command::new("sha256sum")
        .arg(&place)
        .output()
        .expect("sha256sum runs");
    vec![DumpFile {
        path: path.to_owned(),
        bytes: fs::metadata(&place).expect("a file").len(),
        sha256: String::from_utf8_lossy(&sum.stdout)[..64].to_owned(),
    }]
}

/// What a dump does not hold, as the manifest has it.
fn properties(server: &Server, database: &str) -> DatabaseProperties {
    let text = |expression: &str| {
        server.value(
            database,
            &format!(
                "SELECT {expression} FROM pg_database d JOIN pg_tablespace t ON t.oid = dattablespace WHERE datname = current_database()"
            ),
        )
    };
    let optional = |expression: &str| Some(text(expression)).filter(|text| !text.is_empty());
    let privileges = server.query(
        database,
        "SELECT unnest(datacl) FROM pg_database WHERE datname = current_database()",
    );
    let settings = server.query(
        database,
        "SELECT rolname, split_part(c, '=', 1), substr(c, strpos(c, '=') + 1) FROM pg_db_role_setting s \
         LEFT JOIN pg_roles r ON r.oid = setrole, unnest(setconfig) c \
         WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())",
    );
    DatabaseProperties {
        owner: text("pg_get_userbyid(datdba)"),
        encoding: text("pg_encoding_to_char(encoding)"),
        collate: text("datcollate"),
        ctype: text("datctype"),
        locale_provider: text("COALESCE(to_jsonb(d)->>'datlocprovider', 'c')"),
        locale: optional("COALESCE(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale')"),
        icu_rules: optional("to_jsonb(d)->>'daticurules'"),
        tablespace: text("spcname"),
        connection_limit: text("datconnlimit").parse().expect("a number"),
        comment: optional("shobj_description(d.oid, 'pg_database')"),
        privileges: Some(
            privileges
                .into_iter()
                .map(|row| row[0].clone())
                .collect::<Vec<_>>(),
        )
        .filter(|privileges| !privileges.is_empty()),
        settings: settings
            .into_iter()
            .map(|row| RoleSetting {
                role: Some(row[0].clone()).filter(|role| !role.is_empty()),
                name: row[1].clone(),
                value: row[2].clone(),
            })
            .collect(),
    }
}

/// Everything that a server knows of a database beside what is in it.
pub fn surroundings(server: &Server, database: &str) -> Vec<Vec<String>> {
    server.query(
        "postgres",
        &format!(
            "SELECT to_jsonb(d) - ARRAY['oid', 'datname', 'datdba', 'datacl', 'datfrozenxid', 'datminmxid', 'datlastsysoid', \
                 'dathasloginevt'], \
               pg_get_userbyid(datdba), shobj_description(d.oid, 'pg_database'), \
               (SELECT jsonb_agg(a ORDER BY a::text) FROM unnest(datacl::text[]) a), \
               (SELECT jsonb_agg(jsonb_build_array(setrole::regrole, one) ORDER BY setrole::regrole::text, one) \
                 FROM pg_db_role_setting, unnest(setconfig) one WHERE setdatabase = d.oid) \
             FROM pg_database d WHERE datname = '{database}'"
        ),
    )
}

impl World {
    /// A backup whose restore waits in the new database, as its index calls a function that does, until the session is dropped.
    pub fn slow_backup(&self) -> (String, Session) {
        let gate = self.server.session("postgres");
        gate.run("SELECT pg_advisory_lock(4711)");
        self.server.query(
            DATABASE,
            "CREATE FUNCTION slow(note text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN \
               IF current_database() LIKE 'db\\_one\\_restoring\\_%' THEN \
                 WHILE EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND objid = 4711) LOOP \
                   PERFORM pg_catalog.pg_sleep(0.01); END LOOP; \
               END IF; RETURN note; END $$; \
             CREATE INDEX slow ON t (slow(note))",
        );
        let manifest = self.back_up("slow", &["one"], DumpFormat::Custom);
        self.server
            .query(DATABASE, "DROP INDEX slow; DROP FUNCTION slow");
        (manifest.to_str().expect("a path").to_owned(), gate)
    }

    /// Waits until a slow restore waits.
    #[track_caller]
    pub fn wait_for_filling(&self) {
        wait_until("the new database is being filled", || {
            self.server.value(
                "postgres",
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname LIKE 'db\\_one\\_restoring\\_%'",
            ) != "0"
        });
    }
}
