//! `cargo xtask`: builds, tests and measures Weft.

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let verb = std::env::args().nth(1).unwrap_or_default();
    match verb.as_str() {
        "test" => test(),
        _ => {
            println!("usage: cargo xtask test");
            ExitCode::from(2)
        }
    }
}

/// Runs the unit tests and prints one line of totals.
fn test() -> ExitCode {
    let output = Command::new("cargo").args(["test", "--locked", "-p", "weft-core"]).output();
    let Ok(output) = output else {
        eprintln!("cargo cannot be started");
        return ExitCode::FAILURE;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    let count = |name: &str| -> u64 {
        let lines = text.lines().filter(|line| line.starts_with("test result:"));
        lines.filter_map(|line| line.split([';', '.']).find_map(|part| part.trim().strip_suffix(name)?.trim().parse::<u64>().ok())).sum()
    };
    println!("{} passed, {} failed, {} skipped", count("passed"), count("failed"), count("ignored"));
    if output.status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
