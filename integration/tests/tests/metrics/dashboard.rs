//! The Grafana dashboard: every query of it finds in a real Envoy's statistics what it names.

use super::{TOPICS, path, scrape, subscription};
use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{self, Expr, LabelModifier, VectorSelector};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Instant;
use weft_tests::app::Reply;
use weft_tests::dapr;
use weft_tests::env;
use weft_tests::mesh::Mesh;
use weft_tests::prometheus::{Sample, Scrape};
use weft_tests::redis::Redis;
use weft_tests::wait;

fn dashboard() -> Value {
    let file = env::workspace().join("envoy-config/grafana/weft.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// Every query of a panel, with Grafana's variables as they are when all applications are chosen.
fn queries(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let written = targets.map(|target| target["expr"].as_str().unwrap());
    written.map(|it| it.replace("$__rate_interval", "5m").replace("$app", ".+")).collect()
}

/// A metric that a query reads, and every label that has to be there: what is asked of it, and what it is grouped by.
#[derive(Debug)]
struct Read {
    metric: String,
    matchers: Vec<Matcher>,
    grouped: BTreeSet<String>,
}

impl Read {
    fn new(selector: &VectorSelector, grouped: &BTreeSet<String>) -> Self {
        let metric = selector.name.clone().expect("a metric's name");
        Self { metric, matchers: selector.matchers.matchers.clone(), grouped: grouped.clone() }
    }

    /// Whether a sample is one of those that are read, with all labels.
    fn fits(&self, sample: &Sample) -> bool {
        let label = |name: &str| sample.labels.get(name);
        let holds = |it: &Matcher| label(&it.name).is_some_and(|value| matches(it, value));
        sample.name == self.metric
            && self.matchers.iter().all(holds)
            && self.grouped.iter().all(|name| label(name).is_some())
    }
}

fn matches(matcher: &Matcher, value: &str) -> bool {
    match &matcher.op {
        MatchOp::Equal => matcher.value == value,
        MatchOp::NotEqual => matcher.value != value,
        MatchOp::Re(regex) => regex.is_match(value),
        MatchOp::NotRe(regex) => !regex.is_match(value),
    }
}

/// What an expression reads.
fn reads(expression: &Expr, grouped: &BTreeSet<String>, found: &mut Vec<Read>) {
    match expression {
        Expr::Aggregate(it) => {
            let labels = match &it.modifier {
                Some(LabelModifier::Include(labels)) => labels.labels.iter().cloned().collect(),
                None => BTreeSet::new(),
                other => panic!("what is left when {other:?} are taken away is not checked"),
            };
            reads(&it.expr, &labels, found);
        }
        Expr::Binary(it) => [&it.lhs, &it.rhs].iter().for_each(|side| reads(side, grouped, found)),
        Expr::Call(it) => it.args.args.iter().for_each(|argument| reads(argument, grouped, found)),
        Expr::Paren(it) => reads(&it.expr, grouped, found),
        Expr::VectorSelector(it) => found.push(Read::new(it, grouped)),
        Expr::MatrixSelector(it) => found.push(Read::new(&it.vs, grouped)),
        Expr::NumberLiteral(_) => {}
        other => panic!("no query of this kind is expected: {other:?}"),
    }
}

/// Those of the queries' reads that find nothing.
fn missing(scrape: &Scrape, queries: &[String]) -> Vec<String> {
    let mut missing = Vec::new();
    for query in queries {
        let mut found = Vec::new();
        reads(&parser::parse(query).unwrap_or_else(|why| panic!("{query}: {why}")), &BTreeSet::new(), &mut found);
        assert!(!found.is_empty(), "{query} reads nothing");
        let unmet = found.iter().filter(|read| !scrape.samples().iter().any(|sample| read.fits(sample)));
        missing.extend(unmet.map(|read| format!("{query}: nothing fits {read:?}")));
    }
    missing
}

/// Everything that the dashboard shows, once.
fn use_all(mesh: &Mesh) {
    let (orders, warehouse) = (mesh.app("orders"), &mesh.app("warehouse").server);
    TOPICS.iter().for_each(|topic| warehouse.on(&path(topic), Reply::status(200)));
    mesh.envoy.expect_log("path=\"/missing\" what=\"an event was not taken\"", 1..=1);
    warehouse.on(&path("missing"), Reply::status(404));
    let taken = |id: &str| json!({"entryId": id, "status": "SUCCESS"});
    warehouse.on(&path("many"), Reply::json(200, &json!({"statuses": [taken("0"), taken("1")]})));
    for topic in ["counted", "missing"] {
        dapr::no_content(&orders.post(&format!("/v1.0/publish/scoped/{topic}")).body("x").send());
    }
    let entry = |id: &str| json!({"entryId": id, "event": "x", "contentType": "text/plain"});
    dapr::no_content(&orders.post("/v1.0/publish/bulk/scoped/many").json(&json!([entry("a"), entry("b")])).send());
    dapr::no_content(&orders.post("/v1.0/state/statestore").json(&json!([{"key": "k", "value": 1}])).send());
    warehouse.on("/stock", Reply::status(200));
    let _ = orders.get("/v1.0/invoke/warehouse/method/stock").send().expect(200);
}

#[test]
fn every_query_of_the_dashboard_finds_its_metrics_and_labels() {
    let mesh = Mesh::builder()
        .redis(Redis::start())
        .redis_component("scoped", "pubsub.redis", json!({"publishingScopes": "orders=counted,missing,many"}))
        .app("orders")
        .app("warehouse")
        .subscribes(TOPICS.iter().map(|topic| subscription(topic)).collect())
        .start();
    mesh.wait_until_subscribed("warehouse");
    use_all(&mesh);
    let queries = queries(&dashboard());
    assert!(queries.len() > 20, "{} queries", queries.len());
    let start = Instant::now();
    loop {
        let missing = missing(&scrape(&mesh), &queries);
        if missing.is_empty() {
            break;
        }
        assert!(start.elapsed() < wait::SOON, "{}", missing.join("\n"));
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

#[test]
fn a_query_for_what_is_not_there_would_be_found() {
    let mesh = Mesh::builder().in_memory().app("orders").start();
    let _ = mesh.app("orders").get("/v1.0/state/memory/k").send().expect(204);
    let query = |text: &str| missing(&scrape(&mesh), &[text.to_owned()]).len();
    assert_eq!(query("sum by (operation) (rate(dapr_component_state_count{app_id=\"orders\"}[5m]))"), 0);
    assert_eq!(query("sum by (operations) (rate(dapr_component_state_count[5m]))"), 1);
    assert_eq!(query("rate(dapr_component_state_count{app=\"orders\"}[5m])"), 1);
    assert_eq!(query("rate(dapr_component_state_total[5m])"), 1);
}

#[test]
fn panels_are_of_the_chosen_source_and_their_legends_name_labels_of_the_query() {
    for panel in dashboard()["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
            let (query, legend) = (target["expr"].as_str().unwrap(), target["legendFormat"].as_str().unwrap());
            for label in legend.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap()) {
                assert!(query.contains(label), "{legend} names {label}, which {query} does not leave");
            }
        }
    }
}
