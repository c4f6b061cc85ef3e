use super::*;
use crate::fake::FakeHost;

fn gate(config: &str) -> Result<Gate, Problem> {
    let host = FakeHost::new();
    host.environment.borrow_mut().insert("TOKEN".to_owned(), "s3cret".to_owned());
    host.environment.borrow_mut().insert("EMPTY".to_owned(), String::new());
    let text = [r#"{"version":1,"appId":"a","#, config, "}"].concat();
    let mut problems = Vec::new();
    let gate = Gate::new(&mut PluginConfig::read(text.as_bytes()).unwrap(), &*host, &mut problems);
    problems.pop().map_or(Ok(gate), Err)
}

fn with(token: &str) -> Headers {
    Headers::new().with("dapr-api-token", token)
}

#[test]
fn without_a_demand_any_token_or_none_will_do() {
    let gate = gate(r#""logLevel":"info""#).unwrap();
    assert_eq!((gate.check(&Headers::new()), gate.check(&with("x"))), (Ok(()), Ok(())));
}

#[test]
fn only_the_whole_token_is_the_token() {
    let gate = gate(r#""apiToken":{"env":"TOKEN"}"#).unwrap();
    assert_eq!(gate.check(&with("s3cret")), Ok(()));
    for other in ["s3cre", "s3cret1", "S3cret", "s3creT", " s3cret", "x"] {
        assert_eq!(gate.check(&with(other)), Err(BadToken::Wrong), "{other}");
    }
    assert_eq!(gate.check(&Headers::new()), Err(BadToken::Missing));
    assert_eq!(gate.check(&with("")), Err(BadToken::Missing));
    // As daprd, the first one counts.
    assert_eq!(gate.check(&with("wrong").with("dapr-api-token", "s3cret")), Err(BadToken::Wrong));
}

#[test]
fn a_token_that_is_demanded_and_not_there_lets_nobody_in() {
    for name in ["ABSENT", "EMPTY"] {
        let token = format!(r#""apiToken":{{"env":"{name}"}}"#);
        let app = format!(r#""app":{{"cluster":"app","authority":"app",{token}}}"#);
        for (text, path) in [(token, "$.apiToken.env"), (app, "$.app.apiToken.env")] {
            let problem = gate(&text).unwrap_err();
            assert_eq!(problem.path, path);
            assert!(problem.what.contains(name) && problem.remedy.contains("host_env_keys"));
        }
    }
}

#[test]
fn debug_output_shows_no_token() {
    assert!(!format!("{:?}", gate(r#""apiToken":{"env":"TOKEN"}"#).unwrap()).contains("s3cret"));
}

#[test]
fn an_api_is_offered_if_it_is_allowed_and_not_denied() {
    let rule = |name: &str, protocol: &str| format!(r#"{{"name":"{name}","version":"v1.0","protocol":"{protocol}"}}"#);
    let state = rule("state", "http");
    let allowing = gate(&format!(r#""api":{{"allowed":[{state},{}]}}"#, rule("invoke", "http"))).unwrap();
    assert!(allowing.offers_path("/v1.0/state/s/k") && allowing.offers_path("/v1.0/healthz"));
    assert!(!allowing.offers_path("/v1.0/publish/p/t") && !allowing.offers_path("/v1.0-alpha1/state/s/query"));
    assert!(allowing.offers(ApiProtocol::Grpc, "state", "v1"), "a list for HTTP says nothing of gRPC");
    let denying = gate(&format!(r#""api":{{"denied":[{state}]}}"#)).unwrap();
    assert!(!denying.offers_path("/v1.0/state/s") && denying.offers_path("/v1.0/publish/p/t"));
    let both = gate(&format!(r#""api":{{"allowed":[{state}],"denied":[{state}]}}"#)).unwrap();
    assert!(!both.offers_path("/v1.0/state/s"));
}
