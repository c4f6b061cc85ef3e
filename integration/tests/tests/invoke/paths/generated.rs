//! Paths that nobody thought of.

use super::clean_first;
use crate::MESHES;
use serde_json::json;
use weft_core::api::path::{clean, method_path};
use weft_tests::app::Reply;
use weft_tests::dapr;
use weft_tests::mesh::Mesh;

/// What paths are made of: everything that some reader of paths takes for a dot, a slash or an end.
const PIECES: &[&str] = &[
    "a", "admin", "public", "/", "/", "//", "/..", "/../", "/./", ".", "..", "%2e", "%2E%2e", "%2f", "%2F", "%5c",
    "\\", "%252e", "%252f", "%25", "%", "%2", "%zz", ";", "..;/", "%3b", "+", "%20", "%C3%A9", "%ff", "%c0%ae",
    "%u002e", "|", "*", "%2A", "%22", ":", "@", "&", "=", "~", "%7e", "%00", "%0d", "%0A", "%1f", "%7f", "%23", "%3f",
    "%41", "[", "^",
];
const PATHS: usize = 400;
/// Envoy's cleaning takes `.;` for a dot, at the callee's side too.
const PARAMETER_OF_A_DOT: [&str; 2] = ["a..//.%3b", "a..//.%3b"];

fn path(random: &mut fastrand::Rng) -> String {
    let count = random.usize(1..9);
    (0..count).filter_map(|_| random.choice(PIECES)).copied().collect()
}

/// A path that was asked for.
struct Asked {
    target: String,
    by_header: bool,
    /// What the callee saw, if it arrived.
    seen: Option<String>,
}

impl Asked {
    /// The form that access rules judge; `None` for what can't be sent.
    fn judged(&self) -> Option<String> {
        if self.by_header {
            return method_path(&self.target).ok();
        }
        // The proxy's path is cleaned before the application is read from it, so dots may take away its name.
        let cleaned = clean(&self.target);
        method_path(cleaned.strip_prefix("/v1.0/invoke/warehouse/method")?).ok()
    }
}

/// Asks for many paths, in turn by path and by header.
fn ask_many(mesh: &Mesh, seed: u64) -> Vec<Asked> {
    let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
    warehouse.server.on_any(|_| Reply::status(200));
    let mut random = fastrand::Rng::with_seed(seed);
    let mark = dapr::unique("generated");
    let mut asked = Vec::new();
    for number in 0..PATHS {
        let by_header = number % 2 == 1;
        let path = PARAMETER_OF_A_DOT.get(number).map_or_else(|| path(&mut random), |path| (*path).to_owned());
        let (before, header) =
            if by_header { ("", "dapr-app-id: warehouse\r\n") } else { ("/v1.0/invoke/warehouse/method", "") };
        let target = format!("{before}/{path}");
        let mut client = orders.raw();
        client.write(format!("GET {target} HTTP/1.1\r\nhost: localhost\r\nx-mark: {mark}/{number}\r\n{header}\r\n"));
        let status = client.answer().expect("an answer").status;
        assert!(matches!(status, 200 | 400 | 404 | 500), "{target}: {status}");
        asked.push(Asked { target, by_header, seen: None });
    }
    for request in warehouse.server.all_seen() {
        let Some(it) = request.value("x-mark") else { continue };
        let Some((_, number)) = it.split_once('/').filter(|(before, _)| *before == mark) else { continue };
        let number: usize = number.parse().expect("a number");
        assert!(asked[number].seen.replace(request.target).is_none(), "{} came twice", asked[number].target);
    }
    asked
}

/// What access rules judge is what is sent: another reading of it must give the same.
fn assert_normal(seen: &str, written: &str) {
    assert_eq!(method_path(seen).as_deref(), Ok(seen), "written {written}");
    let is_safe = seen.starts_with('/') && !seen.contains("//") && !seen.contains(['\\', '#', '?', ' ']);
    assert!(is_safe && seen.split('/').all(|it| it != "." && it != ".."), "{seen}, written {written}");
}

#[test]
fn the_callee_gets_the_form_of_a_path_that_access_rules_judge() {
    let seed = fastrand::u64(..);
    for asked in ask_many(&MESHES.one(), seed) {
        assert_eq!(asked.seen, asked.judged(), "{} (seed {seed})", asked.target);
        asked.seen.iter().for_each(|seen| assert_normal(seen, &asked.target));
    }
}

#[test]
fn the_callee_gets_the_judged_form_also_where_both_proxies_clean_paths_first() {
    let seed = fastrand::u64(..);
    let builder = Mesh::builder().app("orders").app("warehouse").access(json!({"defaultAction": "allow"}));
    let all = ask_many(&clean_first(builder), seed);
    let seen: Vec<_> = all.iter().filter_map(|asked| Some((&asked.target, asked.seen.as_ref()?))).collect();
    assert!(seen.len() > PATHS / 4, "only {} arrived (seed {seed})", seen.len());
    seen.iter().for_each(|(target, seen)| assert_normal(seen, target));
}
