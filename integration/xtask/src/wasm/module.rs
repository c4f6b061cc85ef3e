//! Reading a module: functions, imports.

use crate::process::Outcome;
use wasmparser::{KnownCustom, Name, Parser, Payload, TypeRef};

/// One function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Name, or its number.
    pub name: String,
    /// Bytes of code.
    pub size: usize,
}

/// What is looked at in a module.
#[derive(Debug, Default)]
pub struct Module {
    /// Largest first.
    pub functions: Vec<Function>,
    /// Imported functions as `module.name`, in alphabetical order.
    pub imports: Vec<String>,
}

/// WASI functions that Envoy's Wasm runtime has (proxy-wasm-cpp-host, `exports.h`).
const WASI: &[&str] = &[
    "args_get",
    "args_sizes_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_close",
    "fd_fdstat_get",
    "fd_read",
    "fd_seek",
    "fd_write",
    "path_open",
    "poll_oneoff",
    "proc_exit",
    "random_get",
    "sched_yield",
];

/// Whether Envoy has an import.
pub fn is_known(import: &str) -> bool {
    match import.split_once('.') {
        Some(("env", name)) => name.starts_with("proxy_"),
        Some(("wasi_snapshot_preview1", name)) => WASI.contains(&name),
        _ => false,
    }
}

impl Module {
    /// Reads a module.
    ///
    /// # Errors
    /// Bytes that are no module.
    pub fn parse(bytes: &[u8]) -> Outcome<Self> {
        let mut module = Self::default();
        let mut names = Vec::new();
        let mut sizes = Vec::new();
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(|error| error.to_string())? {
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        let import = import.map_err(|error| error.to_string())?;
                        if matches!(import.ty, TypeRef::Func(_)) {
                            module.imports.push(format!("{}.{}", import.module, import.name));
                        }
                    }
                }
                Payload::CodeSectionEntry(body) => sizes.push(body.range().len()),
                Payload::CustomSection(section) => {
                    if let KnownCustom::Name(section) = section.as_known() {
                        names = function_names(section)?;
                    }
                }
                _ => {}
            }
        }
        module.functions = functions(&sizes, &names, module.imports.len());
        module.imports.sort();
        Ok(module)
    }
}

fn function_names(section: wasmparser::NameSectionReader<'_>) -> Outcome<Vec<(usize, String)>> {
    let mut names = Vec::new();
    for part in section {
        if let Name::Function(map) = part.map_err(|error| error.to_string())? {
            for naming in map {
                let naming = naming.map_err(|error| error.to_string())?;
                names.push((usize::try_from(naming.index).unwrap_or(usize::MAX), naming.name.to_owned()));
            }
        }
    }
    Ok(names)
}

fn functions(sizes: &[usize], names: &[(usize, String)], imports: usize) -> Vec<Function> {
    let name = |index: usize| {
        let found = names.iter().find(|(number, _)| *number == index + imports);
        found.map_or_else(|| format!("function {}", index + imports), |(_, name)| name.clone())
    };
    let mut order: Vec<(usize, usize)> = sizes.iter().copied().enumerate().collect();
    order.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    // Names are looked up for the large ones only: a search for each.
    order.into_iter().take(200).map(|(index, size)| Function { name: name(index), size }).collect()
}

/// A module without its custom sections: names serve reports, not the proxy.
///
/// # Errors
/// Bytes that are no module.
pub fn without_names(bytes: &[u8]) -> Outcome<Vec<u8>> {
    let mut out = bytes.get(..8).unwrap_or_default().to_vec();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| error.to_string())?;
        if let Some((id, range)) = payload.as_section()
            && id != 0
        {
            out.push(id);
            let length = u32::try_from(range.len()).map_err(|error| error.to_string())?;
            write_length(&mut out, length);
            out.extend_from_slice(bytes.get(range).unwrap_or_default());
        }
    }
    Ok(out)
}

/// LEB128, as the WebAssembly format has it.
fn write_length(out: &mut Vec<u8>, mut length: u32) {
    loop {
        let low = u8::try_from(length & 0x7f).unwrap_or(0);
        length >>= 7;
        if length == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module with one import, one function of its own and a custom section.
    const SMALL: &[u8] = &[
        0, b'a', b's', b'm', 1, 0, 0, 0, // header
        1, 4, 1, 0x60, 0, 0, // type: () -> ()
        2, 13, 1, 3, b'e', b'n', b'v', 5, b'o', b't', b'h', b'e', b'r', 0, 0, // import env.other
        3, 2, 1, 0, // one function of that type
        10, 4, 1, 2, 0, 0x0b, // its code
        0, 4, 3, b'x', b'y', b'z', // custom section
    ];

    #[test]
    fn functions_and_imports_are_found() {
        let module = Module::parse(SMALL).unwrap();
        assert_eq!(module.imports, ["env.other"]);
        assert_eq!(module.functions, [Function { name: "function 1".to_owned(), size: 2 }]);
    }

    #[test]
    fn only_envoys_imports_are_known() {
        assert!(is_known("env.proxy_log"));
        assert!(is_known("wasi_snapshot_preview1.random_get"));
        assert!(!is_known("env.other"));
        assert!(!is_known("wasi_snapshot_preview1.sock_accept"));
        assert!(!is_known("__wbindgen_placeholder__.__wbindgen_throw"));
    }

    #[test]
    fn custom_sections_are_left_out_and_the_rest_stays() {
        let stripped = without_names(SMALL).unwrap();
        assert_eq!(stripped, SMALL[..SMALL.len() - 6]);
    }
}
