//! A program that prints what it saw, and what it calls.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use weft_tests::app::Reply;
use weft_tests::mesh::Mesh;

/// What a program printed, by step.
pub struct Steps(Vec<Value>);

impl Steps {
    /// Runs a program to its end. Each line of JSON is a step; the others are for whoever reads the test's output.
    ///
    /// # Panics
    /// If it fails, or did not come to the step `done`.
    pub fn of_program(program: &mut Command) -> Self {
        let mut child = Ended(program.stdout(Stdio::piped()).spawn().expect("the program starts"));
        let lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut steps = Vec::new();
        for line in lines {
            match serde_json::from_str(&line) {
                Ok(step) => steps.push(step),
                Err(_) => eprintln!("program: {line}"),
            }
        }
        let steps = Self(steps);
        assert!(child.0.wait().unwrap().success(), "the program failed after {:?}", steps.0.last());
        assert_eq!(steps.of("done"), true);
        steps
    }

    /// What a step printed.
    ///
    /// # Panics
    /// If the program did not come to it.
    pub fn of(&self, step: &str) -> &Value {
        let found = self.0.iter().find(|it| it["step"] == step);
        &found.unwrap_or_else(|| panic!("the program did not come to {step:?}: {:?}", self.0))["value"]
    }

    /// Asserts what a call gave.
    pub fn gave(&self, step: &str, value: &Value) {
        assert_eq!(self.of(step), &json!({"value": value}), "{step}");
    }

    /// Asserts that a call failed with an error that names `text`.
    pub fn refused(&self, step: &str, text: &str) {
        let outcome = self.of(step);
        let error = outcome["error"].as_str().unwrap_or_else(|| panic!("{step}: {outcome}"));
        assert!(error.contains(text), "{step}: {error}");
    }
}

/// An HTTP answer as the programs tell it.
pub fn answered(status: u16, body: &str) -> Value {
    json!({"status": status, "body": body})
}

/// Lets the application `warehouse` answer: its stock, what it was sent, and an error of its own.
pub fn warehouse(mesh: &Mesh) {
    let server = &mesh.app("warehouse").server;
    server.on("/stock", Reply::json(200, &json!({"tea": 42})));
    server.on("/broken", Reply::json(503, &json!({"mine": true})));
    server.on_call("/orders/echo", |seen| {
        let kind = seen.value("content-type").unwrap_or_default();
        let text = format!("{} {} {kind} ", seen.method, seen.target);
        Reply::bytes(200, [text.as_bytes(), &seen.body].concat()).with("content-type", "text/plain")
    });
}

/// The folder or file that the SDK lane has prepared.
///
/// # Panics
/// If it was not run by that lane.
pub fn fetched(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable).expect("run the tests with `cargo xtask test --only sdk`");
    PathBuf::from(path)
}

/// The port of an URL without a path.
pub fn port(url: &str) -> &str {
    url.rsplit(':').next().unwrap()
}

/// A process that does not outlive the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It has ended already, unless the test fails.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
