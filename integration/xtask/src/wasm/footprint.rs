//! What a module costs a proxy: resident memory and time until ready.

use crate::process::{Outcome, command, say};
use crate::{paths, tools};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use weft_limits::{Limits, READY};

struct Footprint {
    resident_mib: f64,
    ready: Duration,
}

/// Starts Envoy without and with each module and holds the difference against the limits.
pub(super) fn check(broken: &mut Vec<String>) -> Outcome {
    let envoy = tools::envoy(None)?;
    say("starting Envoy without and with each module, five times each");
    let bare = median(&envoy, None)?;
    println!("Envoy alone: {:.1} MiB resident, ready after {} ms", bare.resident_mib, bare.ready.as_millis());
    let noop = median(&envoy, Some(&super::module("noop.wasm")))?.resident_mib - bare.resident_mib;
    println!("a filter that does nothing: {noop:+.1} MiB beyond Envoy: the price of V8, not of Weft");
    for Limits { module: name, resident_mib: limit, .. } in weft_limits::ALL {
        let loaded = median(&envoy, Some(&super::module(name)))?;
        let beyond = loaded.resident_mib - bare.resident_mib;
        println!("{name}: {beyond:+.1} MiB of {limit} MiB beyond Envoy, ready after {} ms", loaded.ready.as_millis());
        if beyond > f64::from(limit) {
            broken.push(format!("{name} takes {beyond:.1} MiB beyond Envoy, more than {limit}"));
        }
        if loaded.ready > READY {
            let (took, limit) = (loaded.ready.as_millis(), READY.as_millis());
            broken.push(format!("Envoy with {name} was ready after {took} ms, more than {limit}"));
        }
    }
    Ok(())
}

fn median(envoy: &Path, module: Option<&Path>) -> Outcome<Footprint> {
    let mut all = (0..5).map(|_| measure(envoy, module)).collect::<Outcome<Vec<_>>>()?;
    all.sort_by(|a, b| a.resident_mib.total_cmp(&b.resident_mib));
    all.into_iter().nth(2).ok_or_else(|| "nothing was measured".to_owned())
}

fn measure(envoy: &Path, module: Option<&Path>) -> Outcome<Footprint> {
    let (admin, api) = (free_port()?, free_port()?);
    let file = paths::target().join(format!("footprint-{admin}.json"));
    fs::write(&file, bootstrap(admin, api, module)).map_err(|error| error.to_string())?;
    let begun = Instant::now();
    let mut child = command(envoy)
        .arg("-c")
        .arg(&file)
        .args(["--concurrency", "1", "--use-dynamic-base-id", "-l", "error"])
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| format!("Envoy cannot be started: {error}"))?;
    let found = wait_and_weigh(&mut child, admin, begun);
    // It is ours and has nothing to lose.
    let _ = child.kill();
    let _ = child.wait();
    let _ = fs::remove_file(&file);
    found
}

fn wait_and_weigh(child: &mut Child, admin: u16, begun: Instant) -> Outcome<Footprint> {
    while !is_ready(admin) {
        if child.try_wait().ok().flatten().is_some() || begun.elapsed() > Duration::from_secs(30) {
            return Err("Envoy did not become ready".to_owned());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let ready = begun.elapsed();
    // Until what the compiler took has been given back.
    std::thread::sleep(Duration::from_secs(3));
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).map_err(|error| error.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("");
    let kib: f64 = line.split_whitespace().next().and_then(|field| field.parse().ok()).unwrap_or(0.0);
    Ok(Footprint { resident_mib: kib / 1024.0, ready })
}

fn is_ready(admin: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", admin))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"GET /ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

fn free_port() -> Outcome<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|error| error.to_string())?;
    listener.local_addr().map(|address| address.port()).map_err(|error| error.to_string())
}

/// The smallest bootstrap with one listener, with or without the module in it. As every bootstrap of ours it lets the
/// allocator give back what it does not need.
fn bootstrap(admin: u16, api: u16, module: Option<&Path>) -> String {
    let filter = module.map_or_else(String::new, |path| {
        format!(
            r#"{{"name":"weft.api","typed_config":{{"@type":"type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm","config":{{
            "name":"weft.api","root_id":"weft.api","failure_policy":"FAIL_RELOAD","allow_on_headers_stop_iteration":true,
            "configuration":{{"@type":"type.googleapis.com/google.protobuf.StringValue","value":"{{\"version\":1,\"appId\":\"size\"}}"}},
            "vm_config":{{"vm_id":"weft","runtime":"envoy.wasm.runtime.v8","code":{{"local":{{"filename":{:?}}}}}}}}}}}}},"#,
            path.display().to_string()
        )
    });
    let address = |port| format!(r#"{{"socket_address":{{"address":"127.0.0.1","port_value":{port}}}}}"#);
    let (admin, api) = (address(admin), address(api));
    format!(
        r#"{{"admin":{{"address":{admin}}},"memory_allocator_manager":{{"bytes_to_release":"4194304","memory_release_interval":"1s"}},"static_resources":{{"listeners":[{{"name":"api","address":{api},"filter_chains":[{{"filters":[
        {{"name":"hcm","typed_config":{{"@type":"type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix":"api","route_config":{{"virtual_hosts":[{{"name":"v","domains":["*"],"routes":[{{"match":{{"prefix":"/"}},"direct_response":{{"status":404}}}}]}}]}},
        "http_filters":[{filter}{{"name":"envoy.filters.http.router","typed_config":{{"@type":"type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}}}]}}}}]}}]}}]}}}}"#
    )
}
