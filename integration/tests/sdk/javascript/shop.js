// A shop as a user of the stock JavaScript SDK writes it: it serves calls and events, then goes through what a client
// can do, and prints what it saw as one JSON object a line.
//
// Environment: DAPR_HTTP_PORT, APP_PORT, STORE and PUBSUB (names of components).
"use strict";

const { DaprClient, DaprServer, DaprPubSubStatusEnum, HttpMethod } = require("@dapr/dapr");

const { DAPR_HTTP_PORT: daprPort, APP_PORT: serverPort, STORE: store, PUBSUB: pubsub } = process.env;
const host = "127.0.0.1";
const say = (step, value) => console.log(JSON.stringify({ step, value }));

/** What a promise gives, or how it fails. */
async function outcome(promise) {
  try {
    const value = (await promise) ?? null;
    // Some calls give an error as their value.
    return value?.error ? { error: value.error.message } : { value };
  } catch (error) {
    return { error: error.message };
  }
}

/** Serves calls and events; gives functions that wait for events. */
async function serve() {
  const seen = { orders: [], bulk: [], failing: [], dead: [] };
  const server = new DaprServer({
    serverHost: host,
    serverPort,
    clientOptions: { daprHost: host, daprPort },
  });
  await server.invoker.listen("price", async ({ body, headers }) => {
    const caller = headers["dapr-caller-app-id"] ?? null;
    return { sku: JSON.parse(body).sku, price: 12.5, caller };
  }, { method: HttpMethod.POST });
  await server.invoker.listen("hello", async ({ query }) => ({ query }), { method: HttpMethod.GET });
  await server.pubsub.subscribe(pubsub, "orders", async (data) => void seen.orders.push(data));
  await server.pubsub.subscribe(pubsub, "bulk", async (data) => void seen.bulk.push(data));
  let tries = 0;
  await server.pubsub.subscribe(pubsub, "failing", async (data) => {
    tries += 1;
    seen.failing.push(data);
    return tries < 3 ? DaprPubSubStatusEnum.RETRY : DaprPubSubStatusEnum.SUCCESS;
  });
  await server.pubsub.subscribeWithOptions(pubsub, "doomed", {
    callback: async () => DaprPubSubStatusEnum.DROP,
    deadLetterTopic: "dead",
  });
  await server.pubsub.subscribe(pubsub, "dead", async (data) => void seen.dead.push(data));
  await server.start();
  return seen;
}

/** Waits until a list has that many entries. */
async function until(list, count) {
  while (list.length < count) await new Promise((resolve) => setTimeout(resolve, 10));
  return list;
}

/** What the proxy says of itself, once it has asked this program for its subscriptions. */
async function subscribed(client) {
  for (;;) {
    const metadata = await client.metadata.get();
    if (metadata.subscriptions) return metadata;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function invoke(client) {
  say("invoke post", await outcome(client.invoker.invoke("shop", "price", HttpMethod.POST, { sku: "tea" })));
  say("invoke get", await outcome(client.invoker.invoke("shop", "hello?name=ada", HttpMethod.GET)));
  say("invoke from another", await outcome(client.invoker.invoke("warehouse", "stock", HttpMethod.GET)));
  say("invoke nobody", await outcome(client.invoker.invoke("nobody", "x", HttpMethod.GET)));
}

/** The same without the SDK. */
async function plain() {
  const told = async (path, app, options) => {
    const answer = await fetch(`http://${host}:${daprPort}${path}`, { ...options, headers: { "dapr-app-id": app } });
    return { status: answer.status, body: await answer.text() };
  };
  say("fetch get", await outcome(told("/stock?x=%20y", "warehouse")));
  say("fetch post", await outcome(told("/orders/echo", "warehouse", { method: "POST", body: '{"n":1}' })));
  say("fetch nobody", await outcome(told("/stock", "nobody")));
}

async function state(client) {
  const { state } = client;
  say("save", await outcome(state.save(store, [
    { key: "tea", value: { price: 12.5, tags: ["green"] } },
    { key: "cup", value: "blue" },
    { key: "count", value: 7 },
  ])));
  say("get object", await outcome(state.get(store, "tea")));
  say("get text", await outcome(state.get(store, "cup")));
  say("get nothing", await outcome(state.get(store, "none")));
  const bulk = await state.getBulk(store, ["tea", "count", "none"]);
  say("bulk", bulk.sort((one, other) => one.key.localeCompare(other.key)));
  const { etag } = bulk.find(({ key }) => key === "count");
  say("save with etag", await outcome(state.save(store, [{ key: "count", value: 8, etag }])));
  say("save with old etag", await outcome(state.save(store, [
    { key: "count", value: 9, etag, options: { concurrency: "first-write" } },
  ])));
  say("delete with old etag", await outcome(state.delete(store, "count", { etag })));
  say("transaction", await outcome(state.transaction(store, [
    { operation: "upsert", request: { key: "plate", value: "white" } },
    { operation: "delete", request: { key: "cup" } },
  ])));
  say("get written", await outcome(state.get(store, "plate")));
  say("get deleted", await outcome(state.get(store, "cup")));
  say("delete", await outcome(state.delete(store, "plate")));
  say("unknown store", await outcome(state.get("nostore", "tea")));
}

async function events(client, seen) {
  const { pubsub: publisher } = client;
  say("publish object", await outcome(publisher.publish(pubsub, "orders", { order: 1 })));
  say("publish text", await outcome(publisher.publish(pubsub, "orders", "two")));
  say("publish event", await outcome(publisher.publish(pubsub, "orders", {
    specversion: "1.0", type: "order.placed", source: "till", id: "3", datacontenttype: "application/json", data: { order: 3 },
  }, { contentType: "application/cloudevents+json" })));
  say("orders", await until(seen.orders, 3));
  say("publish bulk", await outcome(publisher.publishBulk(pubsub, "bulk", ["a", { b: 1 }, { event: "c", contentType: "text/plain" }])));
  say("bulk events", await until(seen.bulk, 3));
  say("publish failing", await outcome(publisher.publish(pubsub, "failing", { order: 4 })));
  say("failing", await until(seen.failing, 3));
  say("publish doomed", await outcome(publisher.publish(pubsub, "doomed", { order: 5 })));
  say("dead", await until(seen.dead, 1));
  say("publish nowhere", await outcome(publisher.publish("nobroker", "orders", {})));
}

async function main() {
  const seen = await serve();
  const client = new DaprClient({ daprHost: host, daprPort });
  say("healthy", await client.health.isHealthy());
  say("metadata", await subscribed(client));
  await invoke(client);
  await plain();
  await state(client);
  await events(client, seen);
  say("done", true);
  process.exit(0);
}

setTimeout(() => {
  console.error("not done within a minute");
  process.exit(2);
}, 60_000).unref();

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
