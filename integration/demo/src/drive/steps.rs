//! The scene: an order, and every hop that it took, each asked of who saw it.

use super::redis::Redis;
use super::report::{Held, Report};
use crate::dapr::Dapr;
use crate::journal::timed;
use crate::warehouse::FULL;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long the demo waits for something that happens at once.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);
/// How many calls the latency is taken from.
const CALLS: usize = 200;

const ITEM: &str = "cup";
const COUNT: u64 = 3;

/// Says whether the demo goes on.
type Check<'a> = &'a mut dyn FnMut() -> Result<(), String>;

/// One application: its own port, and Dapr's. They are those of `run.yaml`.
struct Place {
    own: Dapr,
    dapr: Dapr,
}

/// The three applications.
pub struct Scene {
    shop: Place,
    warehouse: Place,
    courier: Place,
}

impl Default for Scene {
    fn default() -> Self {
        let place = |own: &str, dapr: &str| Place { own: Dapr::at(own), dapr: Dapr::at(dapr) };
        Self { shop: place("6401", "3501"), warehouse: place("6402", "3502"), courier: place("6403", "3503") }
    }
}

impl Place {
    /// The last entry of the application's journal that did this.
    fn did(&self, what: &str) -> Result<Value, String> {
        let journal = self.own.get("/journal")?.body;
        let found = journal.as_array().and_then(|entries| entries.iter().rfind(|entry| entry["did"] == what).cloned());
        found.ok_or_else(|| format!("it has not {what} anything"))
    }
}

/// The trace id in a `traceparent`.
fn trace_id(traceparent: &Value) -> &str {
    traceparent.as_str().and_then(|text| text.split('-').nth(1)).unwrap_or_default()
}

/// Fails with `why` unless `holds`.
fn must(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

fn wait_for<T>(what: &str, check: Check<'_>, mut probe: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    let begun = Instant::now();
    loop {
        check()?;
        match probe() {
            Ok(found) => return Ok(found),
            Err(why) if begun.elapsed() > PATIENCE => return Err(format!("{what}: {why}")),
            Err(_) => std::thread::sleep(LOOK),
        }
    }
}

impl Scene {
    /// Waits until the applications answer and the courier's subscription is made.
    ///
    /// # Errors
    /// They do not, or the demo is over.
    pub fn wait_until_ready(&self, check: Check<'_>) -> Result<(), String> {
        for place in [&self.shop, &self.warehouse, &self.courier] {
            wait_for("the applications", check, || place.own.get("/journal"))?;
        }
        wait_for("the courier's subscription", check, || {
            let metadata = self.courier.dapr.get("/v1.0/metadata")?.body;
            must(metadata["subscriptions"].is_array(), || "it is not made".to_owned())
        })
    }

    /// Sends an order and looks at everything that follows from it.
    ///
    /// # Errors
    /// The order was not taken, or the demo is over. Steps that do not hold are only reported.
    pub fn play(&self, redis: Option<&Redis>, report: &mut Report, check: Check<'_>) -> Result<(), String> {
        let order = json!({"item": ITEM, "count": COUNT});
        let (answer, millis) = timed(|| self.shop.dapr.invoke("shop", "/orders", &order, ""));
        let answer = answer?;
        must(answer.status == 201, || format!("the shop answered {} {}", answer.status, answer.body))?;
        let id = answer.body["id"].as_str().unwrap_or_default().to_owned();
        let traceparent = json!(answer.trace);
        let trace = trace_id(&traceparent);
        let what = format!("took {id}: {COUNT} x {ITEM}, trace {trace}");
        report.step("customer -> shop", Ok(Held { what, millis: Some(millis) }));
        let shipped = wait_for("the courier's word at the shop", check, || {
            self.shop.did("shipped").and_then(|entry| must(entry["order"] == id.as_str(), || "not yet".to_owned()))
        });
        report.step("shop -> warehouse", self.reserved(trace));
        report.step("warehouse -> store", self.stock());
        report.step("shop -> broker", self.published(trace));
        report.step("broker -> courier", self.received(&id, trace));
        report.step("courier -> shop", shipped.and_then(|()| self.shipped(trace)));
        report.step("shop -> store", self.stored(&id));
        if let Some(redis) = redis {
            report.step("Redis itself", in_redis(redis, &id));
        }
        report.step("shop -> warehouse", self.latency());
        Ok(())
    }

    fn reserved(&self, trace: &str) -> Result<Held, String> {
        let (called, seen) = (self.shop.did("invoked")?, self.warehouse.did("reserved")?);
        must(seen["caller"] == "shop", || format!("the warehouse saw {} calling", seen["caller"]))?;
        must(trace_id(&seen["trace"]) == trace, || format!("the warehouse saw the trace {}", seen["trace"]))?;
        let what = "called by name; the warehouse saw \"shop\" calling, in the same trace".to_owned();
        Ok(Held { what, millis: called["millis"].as_f64() })
    }

    fn stock(&self) -> Result<Held, String> {
        let entry = self.warehouse.did("reserved")?;
        let stored = self.warehouse.dapr.read(&format!("stock-{ITEM}"))?;
        must(entry["before"] == FULL && stored.value == json!(FULL - COUNT), || {
            format!("there were {}, now there are {}", entry["before"], stored.value)
        })?;
        let etag = stored.etag.ok_or("the stock has no etag")?;
        let what = format!("stock of {ITEM}: {} -> {}, etag {etag}", entry["before"], stored.value);
        Ok(Held { what, millis: entry["millis"].as_f64() })
    }

    fn published(&self, trace: &str) -> Result<Held, String> {
        let entry = self.shop.did("published")?;
        must(trace_id(&entry["trace"]) == trace, || format!("in the trace {}", entry["trace"]))?;
        let what = format!("an event on the topic \"orders\", trace {trace}");
        Ok(Held { what, millis: entry["millis"].as_f64() })
    }

    fn received(&self, id: &str, trace: &str) -> Result<Held, String> {
        let (sent, seen) = (self.shop.did("published")?, self.courier.did("received")?);
        let event = &seen["event"];
        must(event["data"]["id"] == id, || format!("the event says {}", event["data"]))?;
        must(event["source"] == "shop", || format!("the event comes from {}", event["source"]))?;
        for found in [&event["traceparent"], &seen["trace"]] {
            must(trace_id(found) == trace, || format!("in the trace {found}"))?;
        }
        let what = format!("the event {}, from \"shop\", trace {trace}", event["id"].as_str().unwrap_or_default());
        let begun = sent["at"].as_f64().zip(sent["millis"].as_f64()).map(|(at, millis)| at - millis);
        Ok(Held { what, millis: seen["at"].as_f64().zip(begun).map(|(at, begun)| at - begun) })
    }

    fn shipped(&self, trace: &str) -> Result<Held, String> {
        let (called, seen) = (self.courier.did("invoked")?, self.shop.did("shipped")?);
        must(seen["caller"] == "courier", || format!("the shop saw {} calling", seen["caller"]))?;
        must(trace_id(&seen["trace"]) == trace, || format!("the shop saw the trace {}", seen["trace"]))?;
        let what = "called by name; the shop saw \"courier\" calling, in the same trace".to_owned();
        Ok(Held { what, millis: called["millis"].as_f64() })
    }

    fn stored(&self, id: &str) -> Result<Held, String> {
        let (stored, millis) = timed(|| self.shop.dapr.read(id));
        let stored = stored?;
        must(stored.value["status"] == "shipped", || format!("the order is {}", stored.value))?;
        let etag = stored.etag.ok_or("the order has no etag")?;
        Ok(Held { what: format!("{}, etag {etag}", stored.value), millis: Some(millis) })
    }

    fn latency(&self) -> Result<Held, String> {
        let path = format!("/v1.0/invoke/warehouse/method/stock/{ITEM}");
        let mut times = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let (answer, millis) = timed(|| self.shop.dapr.get(&path));
            let status = answer?.status;
            must(status == 200, || format!("a call was answered {status}"))?;
            times.push(millis);
        }
        times.sort_by(f64::total_cmp);
        let at = |part: usize| times.get(CALLS * part / 100).copied().unwrap_or_default();
        let what = format!("median of {CALLS} calls that read the stock; 99 % took less than {:.1} ms", at(99));
        Ok(Held { what, millis: Some(at(50)) })
    }

    /// Says what to try by hand.
    pub fn invite(&self) {
        println!(
            "
It stays up until Ctrl-C. Try:
  curl -d '{{\"item\":\"{ITEM}\",\"count\":1}}' http://127.0.0.1:3501/v1.0/invoke/shop/method/orders
  curl http://127.0.0.1:3501/v1.0/invoke/warehouse/method/stock/{ITEM}
  curl -i http://127.0.0.1:3501/v1.0/state/statestore/order-1
  curl -d '{{\"id\":\"order-1\"}}' -H 'content-type: application/json' http://127.0.0.1:3501/v1.0/publish/pubsub/orders
  curl http://127.0.0.1:3503/v1.0/metadata
"
        );
    }
}

/// The order lies in Redis as daprd would have written it.
fn in_redis(redis: &Redis, id: &str) -> Result<Held, String> {
    let key = format!("shop||{id}");
    let data = redis.ask(&format!("HGET {key} data"))?;
    let version = redis.ask(&format!("HGET {key} version"))?;
    let order: Value = serde_json::from_str(&data).map_err(|error| error.to_string())?;
    must(order["status"] == "shipped", || format!("{key} holds {data}"))?;
    Ok(Held { what: format!("hash {key}: data {data}, version {version}"), millis: None })
}
