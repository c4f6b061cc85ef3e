//! Who is called, and with what verb and query.

use super::MESHES;
use hyper::Method;
use weft_tests::app::Reply;
use weft_tests::dapr::unique;

#[test]
fn a_path_a_header_or_basic_credentials_name_the_application() {
    MESHES.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        let path = format!("/{}", unique("stock"));
        warehouse.server.on(&path, Reply::bytes(200, "seven"));
        let ways = [
            orders.get(&format!("/v1.0/invoke/warehouse/method{path}")),
            orders.get(&path).header("dapr-app-id", "warehouse"),
            // base64 of `dapr-app-id:warehouse`: what a client sends for `http://dapr-app-id:warehouse@localhost`.
            orders.get(&path).header("authorization", "Basic ZGFwci1hcHAtaWQ6d2FyZWhvdXNl"),
        ];
        for way in ways {
            assert_eq!(way.send().expect(200).text(), "seven");
        }
        assert_eq!(warehouse.server.seen(&path).len(), 3);
        assert!(orders.server.seen(&path).is_empty());
    });
}

#[test]
fn credentials_name_the_application_in_any_case_and_reach_it() {
    MESHES.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        let path = format!("/{}", unique("credentials"));
        warehouse.server.on(&path, Reply::status(200));
        // base64 of `DAPR-APP-ID:warehouse` and of `Dapr-App-Id:warehouse`
        let credentials = ["Basic REFQUi1BUFAtSUQ6d2FyZWhvdXNl", "basic RGFwci1BcHAtSWQ6d2FyZWhvdXNl"];
        for text in credentials {
            orders.get(&path).header("authorization", text).send().expect(200);
        }
        let seen: Vec<_> = warehouse.server.seen(&path).iter().map(|it| it.value("authorization").unwrap()).collect();
        assert_eq!(seen, credentials);
    });
}

#[test]
fn the_id_ends_at_the_first_method_and_the_rest_is_the_callees() {
    MESHES.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        let path = format!("/{}/method/method/x", unique("first"));
        warehouse.server.on(&path, Reply::status(200));
        orders.get(&format!("/v1.0/invoke/warehouse/method{path}")).send().expect(200);
        assert_eq!(warehouse.server.seen(&path).len(), 1);
    });
}

#[test]
fn the_header_beats_the_path_which_then_belongs_to_the_callee() {
    MESHES.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        let path = format!("/v1.0/invoke/ghost/method/{}", unique("b"));
        warehouse.server.on(&path, Reply::status(200));
        orders.get(&path).header("dapr-app-id", "warehouse").send().expect(200);
        assert_eq!(warehouse.server.wait_for(&path, 1)[0].target, path);
    });
}

#[test]
fn the_own_namespace_may_be_named() {
    MESHES.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        let path = format!("/{}", unique("near"));
        warehouse.server.on(&path, Reply::status(200));
        orders.get(&format!("/v1.0/invoke/warehouse.default/method{path}")).send().expect(200);
        assert_eq!(warehouse.server.seen(&path).len(), 1);
    });
}

#[test]
fn the_root_of_an_application_can_be_called() {
    MESHES.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        warehouse.server.on("/", Reply::bytes(200, "root"));
        assert_eq!(orders.get("/").header("dapr-app-id", "warehouse").send().expect(200).text(), "root");
        assert_eq!(orders.get("/v1.0/invoke/warehouse/method/").send().expect(200).text(), "root");
    });
}

#[test]
fn any_verb_reaches_the_application() {
    MESHES.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        let path = format!("/{}", unique("verb"));
        warehouse.server.on(&path, Reply::status(200));
        let verbs = [
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::DELETE,
            Method::OPTIONS,
            Method::PATCH,
            Method::TRACE,
        ];
        for verb in &verbs {
            orders.call(verb.clone(), &format!("/v1.0/invoke/warehouse/method{path}")).send().expect(200);
        }
        let seen: Vec<String> = warehouse.server.seen(&path).into_iter().map(|it| it.method).collect();
        assert_eq!(seen, verbs.map(|verb| verb.to_string()));
    });
}

#[test]
fn a_verb_that_dapr_does_not_know_is_passed_on_where_the_proxy_takes_it() {
    MESHES.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        for (verb, by_http1) in [("PROPFIND", 200), ("PURGE", 200), ("MKCOL", 200), ("BREW", 400), ("get", 400)] {
            let path = format!("/{}", unique("verb"));
            warehouse.server.on(&path, Reply::status(200));
            let mut client = orders.raw();
            client.write(format!("{verb} {path} HTTP/1.1\r\nhost: localhost\r\ndapr-app-id: warehouse\r\n\r\n"));
            assert_eq!(client.answer().map(|it| it.status), Some(by_http1), "{verb}");
            orders.call(verb.parse().unwrap(), &path).header("dapr-app-id", "warehouse").http2().send().expect(200);
            let seen: Vec<String> = warehouse.server.seen(&path).into_iter().map(|it| it.method).collect();
            assert_eq!(seen, vec![verb; if by_http1 == 200 { 2 } else { 1 }]);
        }
    });
}

#[test]
fn the_query_reaches_the_application_byte_for_byte() {
    MESHES.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        let path = format!("/{}", unique("query"));
        warehouse.server.on(&path, Reply::status(200));
        for query in ["a=%2F&b=+c&&d=%zz;e", "", "x?y=/../z", "metadata.ttl=1&utf=%C3%A9"] {
            let mut client = orders.raw();
            client
                .write(format!("GET /v1.0/invoke/warehouse/method{path}?{query} HTTP/1.1\r\nhost: localhost\r\n\r\n"));
            assert_eq!(client.answer().unwrap().status, 200);
            assert_eq!(warehouse.server.seen(&path).pop().unwrap().query(), Some(query));
        }
    });
}

#[test]
fn an_application_can_call_itself_and_is_told_of_no_caller() {
    MESHES.each(|mesh| {
        let orders = mesh.app("orders");
        let path = format!("/{}", unique("self"));
        orders.server.on(&path, Reply::bytes(200, "me"));
        let call = orders.get(&format!("/v1.0/invoke/orders/method{path}")).header("dapr-caller-app-id", "forged");
        assert_eq!(call.send().expect(200).text(), "me");
        let seen = &orders.server.wait_for(&path, 1)[0];
        assert_eq!(seen.value("dapr-caller-app-id"), None);
        assert_eq!(seen.value("dapr-callee-app-id"), None);
    });
}

#[test]
fn the_api_speaks_http2_without_tls() {
    MESHES.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        let path = format!("/{}", unique("h2"));
        warehouse.server.on(&path, Reply::bytes(200, "two"));
        let call = orders.post(&format!("/v1.0/invoke/warehouse/method{path}")).body("hello").http2();
        assert_eq!(call.send().expect(200).text(), "two");
        assert_eq!(&warehouse.server.wait_for(&path, 1)[0].body[..], b"hello");
    });
}
