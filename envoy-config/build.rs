//! Puts the filter's modules into the library if `WEFT_EMBED_WASM` names the folder that they are in. It never builds
//! them: without the variable, they are looked for when they are needed.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

const VARIABLE: &str = "WEFT_EMBED_WASM";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    println!("cargo::rerun-if-changed=build.rs");
    let folder = env::var_os(VARIABLE).map(PathBuf::from);
    let route = constant("ROUTE", folder.as_deref(), "weft-route.wasm")?;
    let whole = constant("WHOLE", folder.as_deref(), "weft.wasm")?;
    let full = constant("FULL", folder.as_deref(), "weft-full.wasm")?;
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    fs::write(Path::new(&out).join("embedded.rs"), format!("{route}{whole}{full}"))
}

fn constant(name: &str, folder: Option<&Path>, file: &str) -> io::Result<String> {
    let value = match folder {
        None => "None".to_owned(),
        Some(folder) => {
            let path = fs::canonicalize(folder.join(file))
                .map_err(|error| io::Error::other(format!("{VARIABLE}: {}: {error}", folder.join(file).display())))?;
            println!("cargo::rerun-if-changed={}", path.display());
            format!("Some(include_bytes!({:?}))", path.display().to_string())
        }
    };
    Ok(format!("const {name}: Option<&[u8]> = {value};\n"))
}
