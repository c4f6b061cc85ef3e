//! The filter's modules: which one serves a configuration, and where it is.

use crate::bootstrap::App;
use std::fs;
use std::path::{Path, PathBuf};
use weft_core::components::needs_full;

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The modules, from the smallest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// Invocation only.
    Route,
    /// State and publish/subscribe too, in memory and on Redis.
    Whole,
    /// Every component that there is.
    Full,
}

/// A module that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Module {
    /// In a file.
    File(PathBuf),
    /// In this program, under this file name.
    Embedded(&'static str, &'static [u8]),
}

/// Whether policies hold for components of an application.
fn has_policies(app: &App) -> bool {
    !app.rules.plugin.components.is_empty()
}

impl Variant {
    /// The smallest one that serves these applications.
    #[must_use]
    pub fn serving(apps: &[App]) -> Self {
        let mut components = apps.iter().flat_map(|app| &app.components).peekable();
        if components.peek().is_none() {
            Self::Route
        } else if components.any(needs_full) || apps.iter().any(has_policies) {
            Self::Full
        } else {
            Self::Whole
        }
    }

    /// This one and those that can do more.
    fn candidates(self) -> &'static [Self] {
        match self {
            Self::Route => &[Self::Route, Self::Whole, Self::Full],
            Self::Whole => &[Self::Whole, Self::Full],
            Self::Full => &[Self::Full],
        }
    }

    fn file_name(self) -> &'static str {
        match self {
            Self::Route => "weft-route.wasm",
            Self::Whole => "weft.wasm",
            Self::Full => "weft-full.wasm",
        }
    }

    fn embedded(self) -> Option<Module> {
        let bytes = match self {
            Self::Route => ROUTE,
            Self::Whole => WHOLE,
            Self::Full => FULL,
        };
        bytes.map(|bytes| Module::Embedded(self.file_name(), bytes))
    }

    fn in_folder(self, folder: &Path) -> Option<Module> {
        let found = self.candidates().iter().map(|variant| folder.join(variant.file_name()));
        found.into_iter().find(|file| file.is_file()).map(Module::File)
    }

    /// Finds the module: in `given` (a module's file, or a folder of modules) if there is one, else in this program,
    /// else beside it, else in the folder `weft` beside its own, where `cargo xtask wasm` puts it.
    ///
    /// # Errors
    /// It is nowhere; the text says where it was looked for and what to do.
    pub fn find(self, given: Option<&Path>) -> Result<Module, String> {
        if let Some(path) = given {
            return self.given(path);
        }
        if let Some(module) = self.candidates().iter().find_map(|variant| variant.embedded()) {
            return Ok(module);
        }
        let program = std::env::current_exe().map_err(|error| format!("where is this program? {error}"))?;
        let beside = program.parent().unwrap_or(Path::new("."));
        let folders = [beside.to_path_buf(), beside.join("../weft")];
        folders.iter().find_map(|folder| self.in_folder(folder)).ok_or_else(|| {
            format!(
                "the filter's module {} is neither in this program nor in {}; name it with --wasm or WEFT_WASM",
                self.file_name(),
                beside.display()
            )
        })
    }

    fn given(self, path: &Path) -> Result<Module, String> {
        if path.is_file() {
            return Ok(Module::File(path.to_path_buf()));
        }
        self.in_folder(path).ok_or_else(|| {
            let (file, path) = (self.file_name(), path.display());
            format!("the filter's module: {path} is no file and no folder with {file} in it")
        })
    }
}

impl Module {
    /// The file name, for messages.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            Self::Embedded(name, _) => (*name).to_owned(),
        }
    }

    /// Gives the module's file, which is put into `folder` if it was in this program.
    ///
    /// # Errors
    /// The file cannot be written, or there is none of that path any more.
    pub fn file(&self, folder: &Path) -> Result<PathBuf, String> {
        match self {
            // Absolute, because Envoy may be started in another folder.
            Self::File(path) => fs::canonicalize(path).map_err(|error| format!("{}: {error}", path.display())),
            Self::Embedded(name, bytes) => {
                let file = folder.join(name);
                fs::write(&file, bytes).map_err(|error| format!("{}: {error}", file.display()))?;
                Ok(file)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_core::config::Component;

    fn folder_with(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            fs::write(folder.path().join(file), b"module").unwrap();
        }
        folder
    }

    #[test]
    fn invocation_alone_takes_the_small_module_and_components_the_smallest_that_has_them() {
        let mut app = App::new("a", 1, 2, None);
        assert_eq!(Variant::serving(std::slice::from_ref(&app)), Variant::Route);
        for (kind, variant) in [
            ("state.in-memory", Variant::Whole),
            ("pubsub.redis", Variant::Whole),
            ("state.postgresql", Variant::Full),
            ("state.redis", Variant::Full),
            ("state.etcd", Variant::Full),
        ] {
            app.components.push(Component {
                name: "s".to_owned(),
                kind: kind.to_owned(),
                version: "v1".to_owned(),
                cluster: None,
                metadata: Default::default(),
            });
            assert_eq!(Variant::serving(&[App::new("b", 3, 4, None), app.clone()]), variant, "after {kind}");
        }
    }

    #[test]
    fn a_redis_of_several_servers_takes_the_full_module() {
        for (name, value, variant) in [
            ("redisType", "cluster", Variant::Full),
            ("Failover", "true", Variant::Full),
            ("failover", "false", Variant::Whole),
        ] {
            let mut app = App::new("a", 1, 2, None);
            app.components.push(Component {
                name: "s".to_owned(),
                kind: "pubsub.redis".to_owned(),
                version: "v1".to_owned(),
                cluster: None,
                metadata: [(name.to_owned(), value.to_owned())].into(),
            });
            assert_eq!(Variant::serving(&[app]), variant, "{name}: {value}");
        }
    }

    #[test]
    fn a_folder_gives_the_smallest_module_that_will_do() {
        let both = folder_with(&["weft.wasm", "weft-route.wasm"]);
        let found = |variant: Variant, folder: &Path| variant.find(Some(folder)).map(|module| module.name());
        assert_eq!(found(Variant::Route, both.path()).unwrap(), "weft-route.wasm");
        assert_eq!(found(Variant::Whole, both.path()).unwrap(), "weft.wasm");
        let whole = folder_with(&["weft.wasm"]);
        assert_eq!(found(Variant::Route, whole.path()).unwrap(), "weft.wasm");
        let full = folder_with(&["weft-full.wasm"]);
        assert_eq!(found(Variant::Whole, full.path()).unwrap(), "weft-full.wasm");
        assert!(found(Variant::Full, both.path()).unwrap_err().contains("weft-full.wasm"));
        let route = folder_with(&["weft-route.wasm"]);
        let why = found(Variant::Whole, route.path()).unwrap_err();
        assert!(why.contains("weft.wasm") && why.contains(&route.path().display().to_string()), "{why}");
    }

    #[test]
    fn a_file_is_taken_whatever_its_name() {
        let folder = folder_with(&["other.wasm"]);
        let file = folder.path().join("other.wasm");
        let module = Variant::Whole.find(Some(&file)).unwrap();
        assert_eq!(module.file(Path::new("/nowhere")).unwrap(), fs::canonicalize(&file).unwrap());
    }

    #[test]
    fn a_module_in_the_program_is_written_where_it_is_needed() {
        let folder = folder_with(&[]);
        let file = Module::Embedded("weft.wasm", b"bytes").file(folder.path()).unwrap();
        assert_eq!(fs::read(file).unwrap(), b"bytes");
    }
}
