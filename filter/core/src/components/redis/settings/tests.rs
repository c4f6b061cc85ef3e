use super::*;

fn component(metadata: &[(&str, &str)]) -> Component {
    Component {
        name: "store".to_owned(),
        kind: "state.redis".to_owned(),
        version: "v1".to_owned(),
        cluster: Some("redis".to_owned()),
        metadata: metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    }
}

#[test]
fn state_settings_are_read_without_regard_to_case() {
    let settings = state(&component(&[
        ("REDISPASSWORD", " p w "),
        ("redisusername", "me"),
        ("redisDB", "3"),
        ("TTLinSeconds", "60"),
        ("keyPrefix", "none"),
        ("actorStateStore", "true"),
    ]));
    assert_eq!(
        settings,
        Ok(StateSettings {
            login: Login { username: Some("me".to_owned()), password: Some(" p w ".to_owned()), database: 3 },
            servers: Servers::One,
            ttl: Ttl::Seconds(60),
        })
    );
}

#[test]
fn a_consumer_id_that_would_be_another_at_every_start_is_refused_by_name() {
    for placeholder in ["{uuid}", "{podName}"] {
        let id = ["x-", placeholder].concat();
        let problems = pubsub(&component(&[("consumerId", &id)])).map(|_| ()).unwrap_err();
        let told = problems.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(told.len() == 1 && told[0].contains("consumerId") && told[0].contains(placeholder), "{told:?}");
    }
    assert!(pubsub(&component(&[("consumerID", "{namespace}-{appID}")])).is_ok());
}

#[test]
fn a_ttl_of_zero_or_less_means_for_ever() {
    let ttl = |text| state(&component(&[("ttlInSeconds", text)])).map(|settings| settings.ttl);
    assert_eq!(ttl("-1"), Ok(Ttl::Never));
    assert_eq!(ttl("0"), Ok(Ttl::Never));
    assert_eq!(ttl(""), Ok(Ttl::Unspecified));
}

#[test]
fn every_error_is_told_at_once_and_by_name() {
    let errors = state(&component(&[
        ("redisHost", "redis:6379"),
        ("redisDB", "first"),
        ("ttlInSeconds", "1m"),
        ("queryIndexes", "[]"),
        ("actorStateStore", "perhaps"),
        ("redisUsername", "me"),
    ]))
    .expect_err("six mistakes");
    assert_eq!(errors.len(), 6, "{errors:?}");
    for name in ["redisHost", "redisDB", "ttlInSeconds", "queryIndexes", "actorStateStore", "redisUsername"] {
        assert!(
            errors.iter().any(|error| error.path == format!(".metadata.{name}")),
            "{name} is missing in {errors:?}"
        );
    }
    assert!(errors.iter().any(|error| error.what.contains("belongs to the Envoy cluster")));
}

#[test]
fn settings_of_one_block_are_refused_in_the_other() {
    assert!(state(&component(&[("consumerID", "x")])).is_err());
    assert!(pubsub(&component(&[("keyPrefix", "x")])).is_err());
}

#[test]
fn pubsub_has_defaults_for_everything() {
    assert_eq!(
        pubsub(&component(&[])),
        Ok(PubsubSettings {
            login: Login::default(),
            servers: Servers::One,
            consumer_id: None,
            window: 16,
            order: Order::None,
            claim: Some(Claim { min_idle: Duration::from_secs(60), every: Duration::from_secs(15) }),
            trim: Trim::Never,
        })
    );
}

#[test]
fn the_window_is_the_smaller_of_concurrency_and_queue_depth() {
    let window = |metadata: &[(&str, &str)]| pubsub(&component(metadata)).map(|found| found.window);
    assert_eq!(window(&[("concurrency", "64")]), Ok(64));
    assert_eq!(window(&[("concurrency", "64"), ("queueDepth", "4")]), Ok(4));
    assert_eq!(window(&[("queueDepth", "100")]), Ok(16));
    assert!(window(&[("concurrency", "0")]).is_err());
    assert!(window(&[("queueDepth", "1001")]).is_err());
}

#[test]
fn either_zero_turns_claiming_off() {
    let claim = |metadata: &[(&str, &str)]| pubsub(&component(metadata)).map(|found| found.claim);
    assert_eq!(claim(&[("processingTimeout", "0")]), Ok(None));
    assert_eq!(claim(&[("redeliverInterval", "0s")]), Ok(None));
    assert_eq!(
        claim(&[("processingTimeout", "500"), ("redeliverInterval", "1m")]),
        Ok(Some(Claim { min_idle: Duration::from_millis(500), every: Duration::from_secs(60) }))
    );
}

#[test]
fn a_stream_is_trimmed_by_length_or_by_age() {
    let trim = |metadata: &[(&str, &str)]| pubsub(&component(metadata)).map(|found| found.trim);
    assert_eq!(trim(&[("maxLenApprox", "1000")]), Ok(Trim::Length(1000)));
    assert_eq!(trim(&[("streamTTL", "1h")]), Ok(Trim::Age(Duration::from_secs(3600))));
    assert_eq!(trim(&[("maxLenApprox", "0")]), Ok(Trim::Never));
    assert!(trim(&[("maxLenApprox", "1"), ("streamTTL", "1h")]).is_err());
}

#[test]
fn the_password_is_not_printed() {
    let login = Login { username: None, password: Some("s3cret".to_owned()), database: 0 };
    assert!(!format!("{login:?}").contains("s3cret"));
}

fn servers(metadata: &[(&str, &str)]) -> Result<Servers, Vec<String>> {
    let told = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>();
    state(&component(metadata)).map(|settings| settings.servers).map_err(told)
}

#[test]
fn several_servers_are_asked_for_in_daprs_words() {
    let seeds = vec!["a:1".to_owned(), "[::1]:2".to_owned()];
    let hosts = ("redisHost", "a:1, [::1]:2");
    assert_eq!(
        servers(&[("redisType", "Cluster"), hosts, ("redisDB", "0")]),
        Ok(Servers::Cluster { seeds: seeds.clone() })
    );
    let login = Login { username: Some("me".to_owned()), password: Some(" p".to_owned()), database: 0 };
    let sentinel = [
        ("failover", "true"),
        ("SentinelMasterName", "main"),
        hosts,
        ("sentinelUsername", "me"),
        ("sentinelPassword", " p"),
        ("redisDB", "3"),
    ];
    let expected = Servers::Sentinel { sentinels: seeds, master: "main".to_owned(), login };
    assert_eq!(servers(&sentinel), Ok(expected));
    assert_eq!(servers(&[("redisType", "node"), ("failover", "false"), ("sentinelMasterName", "")]), Ok(Servers::One));
}

#[test]
fn servers_that_do_not_go_together_are_refused_by_name() {
    let hosts = ("redisHost", "a:1");
    for (metadata, name, why) in [
        (vec![("redisType", "cluster"), hosts, ("redisDB", "2")], "redisDB", "one database"),
        (vec![("redisType", "cluster"), hosts, ("failover", "true")], "failover", "redisType cluster"),
        (vec![("redisType", "ring")], "redisType", "node or cluster"),
        (vec![("redisType", "cluster")], "redisHost", "<host>:<port>"),
        (vec![("redisType", "cluster"), ("redisHost", "a:1,b")], "redisHost", "<host>:<port>"),
        (vec![("failover", "true"), hosts], "failover", "sentinelMasterName"),
        (vec![("sentinelMasterName", "m")], "sentinelMasterName", "failover"),
        (
            vec![("failover", "true"), hosts, ("sentinelMasterName", "m"), ("sentinelUsername", "me")],
            "sentinelUsername",
            "sentinelPassword",
        ),
    ] {
        let told = servers(&metadata).expect_err(name);
        assert!(told.len() == 1 && told[0].contains(name) && told[0].contains(why), "{told:?}");
    }
}

#[test]
fn order_and_time_of_deliveries_are_judged() {
    let order = |mode: &str| pubsub(&component(&[("concurrencyMode", mode)])).map(|found| (found.order, found.window));
    assert_eq!(order("parallel"), Ok((Order::None, 16)));
    assert_eq!(order("single"), Ok((Order::Topic, 1)));
    assert_eq!(order("byKey"), Ok((Order::Key, 16)));
    assert_eq!(order("serial").unwrap_err()[0].path, ".metadata.concurrencyMode");
    for (timeout, fits) in [("1ms", true), ("1h", true), ("90000", true), ("0", false), ("61m", false), ("soon", false)]
    {
        assert_eq!(pubsub(&component(&[("deliveryTimeout", timeout)])).is_ok(), fits, "{timeout}");
    }
}
