//! A real PostgreSQL server, alone for one test or shared by some.

use crate::{env, ports, process, wait};
use postgres::{Client, Config, NoTls, SimpleQueryMessage};
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The user that the tests' components log in as.
pub const USER: &str = "weft";
/// Its password.
pub const PASSWORD: &str = "it's a \"secret\"";

/// How clients show who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// SCRAM-SHA-256.
    Scram,
    /// MD5.
    Md5,
    /// The password itself.
    Clear,
}

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    folder: TempDir,
    settings: Vec<String>,
    process: Option<Child>,
}

impl Postgres {
    /// A server that asks for SCRAM.
    #[must_use]
    pub fn start() -> Self {
        Self::with(Login::Scram, &[])
    }

    /// A server that lets people in this way, with settings such as `max_connections=5`.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn with(login: Login, settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let settings = settings.iter().map(|it| (*it).to_owned()).collect();
        let mut server = Self { port: ports::free(), folder, settings, process: None };
        server.make(login);
        server.restart();
        server
    }

    /// Gives a file to the user that PostgreSQL runs as.
    fn give(&self, path: &Path) {
        if let Some((user, group)) = other_user() {
            std::os::unix::fs::chown(path, Some(user), Some(group)).expect("a change of the owner");
        }
    }

    fn make(&self, login: Login) {
        let secret = self.folder.path().join("secret");
        fs::write(&secret, PASSWORD).expect("a file");
        [self.folder.path(), &secret].into_iter().for_each(|path| self.give(path));
        // The password is kept as the method needs it.
        let method = match login {
            Login::Scram => "scram-sha-256",
            Login::Md5 => "md5",
            Login::Clear => "password",
        };
        let made = self
            .program("initdb")
            .args(["--username", USER, "--encoding", "UTF8", "--no-sync", "--auth", method, "--pwfile"])
            .arg(&secret)
            .arg("--pgdata")
            .arg(self.data())
            .stdout(Stdio::null())
            .status()
            .expect("initdb can be started");
        assert!(made.success(), "initdb: {made}");
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// One of PostgreSQL's programs, which refuse to run as root.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(env::postgres().with_file_name(name));
        command.current_dir(self.folder.path()).env("LC_ALL", "C").stdin(Stdio::null());
        if let Some((user, group)) = other_user() {
            command.uid(user).gid(group);
        }
        command
    }

    /// The port, on 127.0.0.1; the same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What a component's `connectionString` says.
    #[must_use]
    pub fn connection_string(&self) -> String {
        let password = PASSWORD.replace('\'', "\\'");
        format!("host=127.0.0.1 port={} user={USER} password='{password}' database=postgres", self.port)
    }

    /// Ends the server and all that it does at once, as a crash does.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.process.take() {
            // It kills those that serve connections, unless it stands still.
            process::signal("QUIT", server.id());
            process::signal("CONT", server.id());
            server.wait().expect("the server ends");
        }
    }

    /// Lets the server and all that serve connections stand still, until [`Postgres::thaw`].
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// Ends a server that stands still, before it has read what came.
    pub fn kill_frozen(&mut self) {
        if let Some(mut server) = self.process.take() {
            let all = process::children(server.id());
            server.kill().expect("the server can be killed");
            for process in all {
                // It may have ended with the server.
                let _gone = process::try_signal("KILL", process);
            }
            server.wait().expect("the server ends");
        }
    }

    fn signal(&self, name: &str) {
        let server = self.process.as_ref().expect("the server runs").id();
        for process in std::iter::once(server).chain(process::children(server)) {
            // One that served somebody may have ended.
            let _gone = process::try_signal(name, process);
        }
    }

    /// Starts the server again on its port and waits until it serves.
    ///
    /// # Panics
    /// If it does not.
    pub fn restart(&mut self) {
        self.kill();
        let log = File::create(self.folder.path().join("log")).expect("a log file");
        let mut command = self.program("postgres");
        command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        let usual = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"];
        let settings = usual.into_iter().chain(self.settings.iter().map(String::as_str));
        command.args(settings.flat_map(|setting| ["-c", setting])).stderr(log);
        self.process = Some(command.spawn().expect("postgres can be started"));
        wait::until_true("PostgreSQL serves", || self.connect().is_ok());
    }

    /// A client of the server, apart from the proxy.
    ///
    /// # Panics
    /// If the server does not let it in.
    #[must_use]
    pub fn client(&self) -> Sql {
        Sql(self.connect().expect("PostgreSQL lets us in"))
    }

    fn connect(&self) -> Result<Client, postgres::Error> {
        let mut config = Config::new();
        config.host("127.0.0.1").port(self.port).user(USER).password(PASSWORD).dbname("postgres");
        config.connect_timeout(Duration::from_secs(5)).connect(NoTls)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A client that speaks to the server directly.
pub struct Sql(Client);

impl Sql {
    /// Runs statements and gives the rows of the last, each column as text.
    ///
    /// # Panics
    /// If PostgreSQL refuses one.
    pub fn rows(&mut self, sql: &str) -> Vec<Vec<Option<String>>> {
        let found = self.0.simple_query(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let row = |message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
            }
            _ => None,
        };
        found.into_iter().filter_map(row).collect()
    }

    /// Runs statements and gives the one column of the one row of the last.
    ///
    /// # Panics
    /// If there is none, or it is `NULL`.
    pub fn one(&mut self, sql: &str) -> String {
        let rows = self.rows(sql);
        match rows.as_slice() {
            [row] => row[0].clone().unwrap_or_else(|| panic!("{sql} gave NULL")),
            other => panic!("{sql} gave {other:?}"),
        }
    }
}

/// Who runs PostgreSQL's programs, where we are root: Debian's user for them, else nobody.
fn other_user() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    if fs::metadata("/proc/self").expect("we are there").uid() != 0 {
        return None;
    }
    let passwd = fs::read_to_string("/etc/passwd").expect("the list of users");
    let user = |name: &str| {
        let line = passwd.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let mut fields = line.split(':').skip(1).map(|field| field.parse().ok());
        fields.next()?.zip(fields.next()?)
    };
    user("postgres").or_else(|| user("nobody"))
}
