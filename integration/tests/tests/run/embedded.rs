//! A program that was built with the modules in it.

use std::path::{Path, PathBuf};
use std::process::Command;
use weft_tests::{env, weft};

/// What stands for the modules: whatever was in the folder has to come out again.
const MODULES: [(&str, &str); 3] =
    [("weft-route.wasm", "the small one"), ("weft.wasm", "the whole one"), ("weft-full.wasm", "the full one")];

/// Builds `weft` as the README says, into a folder of its own that later runs find again.
fn build() -> PathBuf {
    let target = env::workspace().join("target/embedded");
    let modules = target.join("modules");
    std::fs::create_dir_all(&modules).unwrap();
    for (name, text) in MODULES {
        let file = modules.join(name);
        // A file that is written anew is embedded anew.
        if std::fs::read_to_string(&file).ok().as_deref() != Some(text) {
            std::fs::write(&file, text).unwrap();
        }
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--locked", "-p", "weft", "--target-dir"]).arg(&target);
    // Nobody looks into this one with a debugger, and it is built much faster so.
    cargo.env("CARGO_PROFILE_DEV_DEBUG", "false").env("WEFT_EMBED_WASM", &modules);
    let built = cargo.current_dir(env::workspace()).status().unwrap();
    assert!(built.success(), "{built}");
    target.join("debug/weft")
}

#[test]
fn a_program_that_holds_the_modules_needs_no_others() {
    let program = build();
    let folder = tempfile::tempdir().unwrap();
    let none = folder.path().join("none");
    std::fs::create_dir(&none).unwrap();
    let render = |more: &[&Path]| {
        let mut command = Command::new(&program);
        command.args(["render", "--app-id", "orders"]).args(more).env_remove("WEFT_WASM").current_dir(folder.path());
        weft::Weft::of(command).wait()
    };
    let [route, whole, _full] = MODULES;
    for (out, resources, (name, text)) in [("route", Some(&none), route), ("whole", None, whole)] {
        let resources = resources.into_iter().flat_map(|path| [Path::new("--resources-path"), path]);
        let arguments: Vec<&Path> = [Path::new("--out"), Path::new(out)].into_iter().chain(resources).collect();
        let ended = render(&arguments);
        assert_eq!((ended.status, ended.err.as_str()), (0, ""));
        assert_eq!(std::fs::read_to_string(folder.path().join(out).join(name)).unwrap(), text);
    }
    let ended = render(&[]);
    assert_eq!((ended.status, ended.out.as_str()), (1, ""));
    assert!(ended.err.contains("write it by --out, or name it by --module-path"), "{}", ended.err);
}
